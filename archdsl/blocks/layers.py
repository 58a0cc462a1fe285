"""Single layers as blocks, to be placed by hand: pooling, resampling, merging, space to depth."""

from __future__ import annotations

from typing import Literal

from archdsl.blocks.conventions import Conventions
from archdsl.blocks.registry import Border2D, Dilation2D, Kernel2D, Stride2D, block
from archdsl.blocks.windows import PaddingArgument, Window, explicit_border, pool2d
from archdsl.ir.graph import Node
from archdsl.ir.ops import ActivationName, Add, AvgPool, Concat, Crop, Identity, MaxPool, Pad, SpaceToDepth, Upsample


@block
def identity(x: Node) -> Node:
    """Passes its input on. (H, W, C) -> (H, W, C)."""
    return Identity()(x, name="identity")


@block
def norm(x: Node, *, style: Conventions) -> Node:
    """The normalisation of the conventions. (H, W, C) -> (H, W, C)."""
    return style.normalize(x)


@block
def activation(x: Node, *, function: ActivationName | None = None, style: Conventions) -> Node:
    """An activation, by default that of the conventions. (H, W, C) -> (H, W, C)."""
    return style.with_activation(function).activate(x)


@block
def max_pool(
    x: Node,
    *,
    kernel: Kernel2D = 2,
    stride: Stride2D = 2,
    padding: PaddingArgument | None = None,
    style: Conventions,
) -> Node:
    """Maximum of each window; what lies outside of the map does not count. (H, W, C) -> (H/stride, W/stride, C).

    A window of 2 has no middle: under symmetric padding an odd side loses its last pixel.
    """
    return pool2d(MaxPool, x, Window(kernel, stride, padding=padding), style=style)


@block
def avg_pool(
    x: Node,
    *,
    kernel: Kernel2D = 2,
    stride: Stride2D = 2,
    padding: PaddingArgument | None = None,
    style: Conventions,
) -> Node:
    """Mean of each window. (H, W, C) -> (H/stride, W/stride, C).

    Under padding `same` what lies outside of the map does not count, as in TensorFlow; else it counts as zero, as in
    PyTorch.
    """
    return pool2d(AvgPool, x, Window(kernel, stride, padding=padding), style=style)


@block
def pad(
    x: Node,
    *,
    padding: PaddingArgument = 1,
    kernel: Kernel2D = 3,
    stride: Stride2D = 1,
    dilation: Dilation2D = 1,
) -> Node:
    """Zeros around a map: so many pixels, or what a window would be padded with by a rule.

    (H, W, C) -> (H + 2 padding, W + 2 padding, C). `kernel`, `stride` and `dilation` are those of the window that
    `same` or `symmetric` is for; where a side of the image is not known, `same` takes it for a multiple of the stride.
    """
    return Pad(explicit_border(x, Window(kernel, stride, dilation, padding)))(x, name="pad")


@block
def crop(x: Node, *, padding: Border2D = 1) -> Node:
    """Cuts pixels off the border. (H, W, C) -> (H - 2 padding, W - 2 padding, C)."""
    return Crop(padding)(x, name="crop")


@block
def upsample(x: Node, *, factor: Stride2D = 2, interpolation: Literal["nearest", "bilinear"] = "nearest") -> Node:
    """Enlarge both sides. (H, W, C) -> (factor H, factor W, C)."""
    return Upsample(factor, interpolation)(x, name="upsample")


@block
def focus(x: Node) -> Node:
    """Every 2 × 2 square of pixels becomes four times the channels (YOLOv5's Focus). (H, W, C) -> (H/2, W/2, 4 C)."""
    return SpaceToDepth()(x, name="space_to_depth")


@block
def space_to_depth(x: Node) -> Node:
    """`focus` under its general name, the inverse of the sub-pixel shuffle (Shi et al. 2016).

    (H, W, C) -> (H/2, W/2, 4 C).
    """
    return SpaceToDepth()(x, name="space_to_depth")


@block
def add(*inputs: Node) -> Node:
    """Sum of the layers in `from`. n × (H, W, C) -> (H, W, C)."""
    return Add()(*inputs, name="add")


@block
def concat(*inputs: Node) -> Node:
    """Channels of the layers in `from`, one after the other. (H, W, C₁), …, (H, W, Cₙ) -> (H, W, C₁ + … + Cₙ)."""
    return Concat()(*inputs, name="concat")
