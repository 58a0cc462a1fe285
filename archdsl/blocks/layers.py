"""Single layers as blocks, to be placed by hand: pooling, resampling, merging, space to depth."""

from __future__ import annotations

from typing import Literal

from archdsl.blocks.conventions import Conventions
from archdsl.blocks.registry import Kernel, Stride, block
from archdsl.ir.graph import Node
from archdsl.ir.ops import ActivationName, Add, AvgPool, Concat, Identity, MaxPool, SpaceToDepth, Upsample


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
def max_pool(x: Node, *, kernel: Kernel = 2, stride: Stride = 2) -> Node:
    """Maximum of each window. (H, W, C) -> (H/stride, W/stride, C)."""
    return MaxPool(kernel, stride)(x, name="pool")


@block
def avg_pool(x: Node, *, kernel: Kernel = 2, stride: Stride = 2) -> Node:
    """Mean of each window. (H, W, C) -> (H/stride, W/stride, C)."""
    return AvgPool(kernel, stride)(x, name="pool")


@block
def upsample(x: Node, *, factor: Stride = 2, interpolation: Literal["nearest", "bilinear"] = "nearest") -> Node:
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
