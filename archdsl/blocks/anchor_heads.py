"""Heads with anchors: several boxes at each pixel, which a network moves and resizes (Faster R-CNN, Ren et al.)."""

from __future__ import annotations

from collections.abc import Sequence
from math import log, sqrt
from typing import Annotated

from archdsl.blocks.conv import conv
from archdsl.blocks.conventions import Conventions, activation_of
from archdsl.blocks.layers import Positive, Positives
from archdsl.blocks.registry import Groups, Width, block
from archdsl.ir.node import Node, ShapeError
from archdsl.ir.ops import (
    Activation,
    ActivationName,
    AnchorBoxes,
    Anchors,
    ConcatTokens,
    Conv2D,
    DeltaBoxes,
    Multiply,
    Slice,
    ToTokens,
)
from archdsl.ir.ops.anchors import AnchorStyle
from archdsl.ir.types import shortest
from archdsl.schemas.annotations import Limits

Sizes = Annotated[Sequence[tuple[Positive, Positive]], Limits(min_length=1, max_length=64)]
Levels = Annotated[Sequence[Sizes], Limits(min_length=1, max_length=16)]
Spread = Annotated[float, Limits(ge=1, le=4)]
Spreads = Annotated[Sequence[Spread], Limits(min_length=1, max_length=16)]
Convolutions = Annotated[int, Limits(ge=0, le=16)]
Prior = Annotated[float, Limits(gt=0, lt=1)]
Octaves = Annotated[int, Limits(ge=1, le=16)]


@block
def anchor_branch(x: Node, *, classes: Width = 80, anchors: Groups = 3, style: Conventions) -> Node:
    """A 1 × 1 convolution to x, y, width, height, objectness and classes of each anchor (YOLOv3, section 2.3).

    (H, W, C) -> (H, W, 5 anchors + anchors classes).
    """
    return conv(x, width=anchors * (5 + classes), style=style)


@block
def anchor_decode(
    *inputs: Node, sizes: Levels, formula: AnchorStyle = "yolo", spread: Spread | Spreads = 2.0
) -> dict[str, Node]:
    """Boxes and scores of all anchors, level after level, row by row, those of a pixel in order (YOLOv3, section 2).

    (H, W, A (5 + classes)), … -> `boxes` (A H W + …, 4), left, top, right and bottom edge in pixels of the image, and
    `scores` (A H W + …, classes), objectness × class. `sizes` are the anchors of each input, (width, height) in pixels.
    With s for sigmoid, "yolo" is (2 s(t))² × anchor for sides (YOLOv5), "darknet" exp(t) × anchor. For middles, both
    are the middle of the pixel + `spread` (s(t) - 1/2) pixels: Darknet's scale_x_y, for all inputs or for each.
    """
    spreads = [*spread] if isinstance(spread, Sequence) else [spread] * len(inputs)
    if not len(inputs) == len(sizes) == len(spreads):
        fact = f"got {len(inputs)} maps, anchors for {len(sizes)} and spreads for {len(spreads)}"
        raise ShapeError(fact, "give `sizes` the anchors of each map, or take levels out of the neck")
    levels, boxes = [], []
    for number, (x, own, each) in enumerate(zip(inputs, sizes, spreads, strict=True), 1):
        stride = shortest(x.type.strides)
        levels.append(ToTokens(len(own))(x, name=f"tokens{number}"))
        anchors = Anchors(tuple(own), stride)(x, name=f"anchors{number}")
        numbers = Slice(0, 4)(levels[-1], name=f"numbers{number}")
        boxes.append(AnchorBoxes(formula, stride, each)(numbers, anchors, name=f"boxes{number}"))
    chances = joined(levels, "tokens")
    objects = Activation("sigmoid")(Slice(4, 5)(chances, name="object"), name="object_chance")
    classes = Activation("sigmoid")(Slice(5, chances.channels)(chances, name="class"), name="class_chance")
    return {"boxes": joined(boxes, "boxes"), "scores": Multiply()(classes, objects, name="scores")}


@block
def anchor_tower(
    x: Node,
    *,
    values: Width = 4,
    anchors: Groups = 9,
    hidden: Width = 256,
    convolutions: Convolutions = 3,
    prior: Prior = 0.5,
    activation: ActivationName = "relu",
    style: Conventions,
) -> Node:
    """3 × 3 convolutions with an activation and no norm, and one to `values` of each anchor (RetinaNet, figure 3).

    (H, W, C) -> (H, W, anchors values) (Lin et al. 2017, Focal Loss). `values` are 4 for boxes, or the classes, which
    begin with a probability of `prior` (section 4.1).
    """
    for number in range(1, convolutions + 1):
        x = conv(x, width=hidden, kernel=3, style=style, name=f"{number}")
        x = activation_of(activation, style.slope)(x, name=f"{number}_act")
    bias = round(log(prior / (1 - prior)), 6)
    return Conv2D(anchors * values, 3, bias=True, initial_bias=bias)(x, name="values")


@block
def delta_boxes(
    image: Node, *inputs: Node, size: Positive = 4.0, octaves: Octaves = 3, ratios: Positives = (0.5, 1.0, 2.0)
) -> Node:
    """The boxes of all anchors, level after level, row by row, those of a pixel in order (RetinaNet, section 4).

    image, (H, W, 4 A), … -> (A H W + …, 4): left, top, right and bottom edge in pixels of the image. Of A anchors the
    first `ratios`, of width to height, have the area (size × stride)², and so have the next at 2^(1/octaves) times the
    side, … They are cut off at the image; it is the first layer in `from`. A map has y, x, height and width of each.
    """
    anchors = []
    for number, x in enumerate(inputs, 1):
        own = [size * x.type.stride * 2 ** (step / octaves) for step in range(octaves)]
        sides = tuple([(side * sqrt(ratio), side / sqrt(ratio)) for side in own for ratio in ratios])
        anchors.append(Anchors(sides, shortest(x.type.strides))(x, image, name=f"anchors{number}"))
    numbers = all_anchors(inputs, octaves * len(ratios))
    return DeltaBoxes()(numbers, joined(anchors, "anchors"), name="boxes")


@block
def anchor_scores(*inputs: Node, anchors: Groups = 9) -> Node:
    """A probability for each class at every anchor, level after level, row by row (RetinaNet).

    (H, W, anchors classes), … -> (anchors H W + …, classes).
    """
    return Activation("sigmoid")(all_anchors(inputs, anchors), name="scores")


def all_anchors(maps: Sequence[Node], anchors: int) -> Node:
    """What several maps have for each anchor, one map after the other. (H, W, A n), … -> (A H W + …, n)."""
    return joined([ToTokens(anchors)(x, name=f"tokens{number}") for number, x in enumerate(maps, 1)], "tokens")


def joined(levels: Sequence[Node], name: str) -> Node:
    """(N₁, C), … -> (N₁ + …, C)."""
    return ConcatTokens()(*levels, name=name) if len(levels) > 1 else levels[0]
