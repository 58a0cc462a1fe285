"""Heads that need no anchors: branches for the boxes and the classes of every pixel, and what is read from them."""

from __future__ import annotations

from math import log
from typing import Annotated

from archdsl.blocks.conv import conv_bn_act, depthwise_conv_bn_act
from archdsl.blocks.conventions import Conventions
from archdsl.blocks.registry import Width, block
from archdsl.ir.node import Node, ShapeError
from archdsl.ir.ops import (
    Activation,
    BoxesFromDistances,
    ConcatTokens,
    Conv2D,
    DistributionMean,
    Keypoints,
    RotatedBoxes,
    ToTokens,
)
from archdsl.ir.types import shortest
from archdsl.schemas.annotations import Limits

Bins = Annotated[int, Limits(ge=2, le=256)]


@block
def box_branch(x: Node, finest: Node, *, bins: Bins = 16, style: Conventions) -> Node:
    """Two 3 × 3 convolutions, and 1 × 1 to a distribution over `bins` distances for each side of a box (YOLOv8).

    (H, W, C), (H₁, W₁, C₁) -> (H, W, 4 bins), left, top, right, bottom. All levels are as wide inside as the finest
    asks for: C₁/4, at least 4 × bins and 16. Source: https://docs.ultralytics.com/models/yolov8, head Detect.
    """
    hidden = max(16, finest.channels // 4, 4 * bins)
    x = conv_bn_act(x, width=hidden, kernel=3, style=style, name="conv1")
    x = conv_bn_act(x, width=hidden, kernel=3, style=style, name="conv2")
    return Conv2D(4 * bins, bias=True, initial_bias=2.0)(x, name="distances")


@block
def class_branch(
    x: Node,
    finest: Node,
    *,
    classes: Width = 80,
    hidden: Width | None = None,
    depthwise: bool = False,
    style: Conventions,
) -> Node:
    """Two 3 × 3 convolutions, and 1 × 1 to a logit for each class (YOLOv8).

    (H, W, C), (H₁, W₁, C₁) -> (H, W, classes). All levels are as wide inside as the finest, and as the number of
    classes up to 100. `depthwise` makes the 3 × 3 convolutions depthwise separable (YOLOv10, Wang et al. 2024, section
    3.3; YOLO11). Biases begin so that 5 pixels of an image of 640 are expected to be objects.
    """
    hidden = hidden or max(finest.channels, min(classes, 100))
    spatial = depthwise_conv_bn_act if depthwise else conv_bn_act
    x = spatial(x, width=hidden, kernel=3, style=style, name="conv1")
    x = spatial(x, width=hidden, kernel=3, style=style, name="conv2")
    down, across = x.type.strides
    share = 5 / classes * down * across / 640**2
    return Conv2D(classes, bias=True, initial_bias=round(log(share), 6))(x, name="logits")


@block
def value_branch(x: Node, finest: Node, *, units: Width, style: Conventions) -> Node:
    """Two 3 × 3 convolutions, and 1 × 1 to `units` numbers: coefficients of masks, places of points, an angle (YOLOv8).

    (H, W, C), (H₁, W₁, C₁) -> (H, W, units). All levels are as wide inside: C₁/4, at least `units`.
    """
    hidden = max(finest.channels // 4, units)
    x = conv_bn_act(x, width=hidden, kernel=3, style=style, name="conv1")
    x = conv_bn_act(x, width=hidden, kernel=3, style=style, name="conv2")
    return Conv2D(units, bias=True)(x, name="values")


@block
def dfl_boxes(*inputs: Node, bins: Bins = 16) -> Node:
    """The boxes of all pixels, level after level, from distributions over distances (YOLOv8).

    (H, W, 4 bins), … -> (H W + …, 4): left, top, right and bottom edge in pixels of the image. The distances are the
    means of their distributions (Generalized Focal Loss, Li et al. 2020) from the middle of the pixel, row by row.
    """
    found = []
    for number, x in enumerate(inputs, 1):
        distances = DistributionMean(bins)(x, name=f"level{number}_distances")
        found.append(BoxesFromDistances(shortest(x.type.strides))(distances, name=f"level{number}_boxes"))
    return all_levels(found)


@block
def rotated_boxes(*inputs: Node, bins: Bins = 16) -> Node:
    """As dfl_boxes, for boxes that are turned: after the distributions of all levels, an angle at every pixel of each.

    (H, W, 4 bins), …, (H, W, 1), … -> (H W + …, 5): x and y of the middle, width, height, and radians (YOLOv8 for
    oriented boxes).
    """
    half = len(inputs) // 2
    if len(inputs) % 2:
        raise ShapeError(f"got {len(inputs)} inputs; expected an angle for each level", "from: [boxes, angles]")
    found = []
    for number, (x, angle) in enumerate(zip(inputs[:half], inputs[half:], strict=True), 1):
        distances = DistributionMean(bins)(x, name=f"level{number}_distances")
        found.append(RotatedBoxes(x.type.stride)(distances, angle, name=f"level{number}_boxes"))
    return all_levels(found)


@block
def keypoints(*inputs: Node) -> Node:
    """Points at every pixel, level after level, as Keypoints reads them. (H, W, 3 n), … -> (H W + …, 3 n)."""
    found = [Keypoints(shortest(x.type.strides))(x, name=f"level{number}_points") for number, x in enumerate(inputs, 1)]
    return all_levels(found)


@block
def all_places(*inputs: Node) -> Node:
    """The pixels of several maps as one sequence, level after level. (H, W, C), … -> (H W + …, C)."""
    return all_levels(inputs)


@block
def class_scores(*inputs: Node) -> Node:
    """A probability for each class at every pixel, level after level. (H, W, classes), … -> (H W + …, classes)."""
    return Activation("sigmoid")(all_levels(inputs), name="scores")


def all_levels(maps: list[Node] | tuple[Node, ...]) -> Node:
    """The pixels of several maps, one map after the other, row by row. (H, W, C), … -> (H W + …, C)."""
    tokens = [ToTokens()(x, name=f"tokens{number}") for number, x in enumerate(maps, 1)]
    return ConcatTokens()(*tokens, name="concat") if len(tokens) > 1 else tokens[0]
