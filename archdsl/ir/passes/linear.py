"""Convolutions and batch norms as the linear maps that they are once training is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

from archdsl.ir.node import Node, Op
from archdsl.ir.ops import BatchNorm, Conv2D, Dense, DepthwiseConv2D, Pad, TransposedConv2D
from archdsl.ir.passes.rewrite import Weights
from archdsl.ir.types import both

if TYPE_CHECKING:
    from archdsl.ir.passes.rewrite import Array

Convolution = Conv2D | DepthwiseConv2D
WITH_KERNEL = (Conv2D, DepthwiseConv2D, TransposedConv2D, Dense)
"""Operations that are a kernel and perhaps a bias."""


def is_convolution(op: Op) -> TypeGuard[Convolution]:
    return isinstance(op, (Conv2D, DepthwiseConv2D))


def centred_source(node: Node) -> Node | None:
    """What a convolution sees with as many zeros on every side as its window reaches beyond its middle.

    None where the window has no middle, or lies differently: `same` at a stride depends on the image's size.
    """
    op, (source,) = node.op, node.inputs
    if not is_convolution(op) or any(side % 2 == 0 for side in both(op.kernel)):
        return None
    if op.kernel == 1 or (op.padding == "same" and op.stride == 1):
        return source
    high, wide = both(op.reach)
    padded = op.padding == "valid" and source.op == Pad((high // 2, wide // 2))
    return source.inputs[0] if padded else None


def kernel_and_bias(node: Node, weights: Weights) -> tuple[Array, Array]:
    """Kernel and bias of an operation, in double precision; zeros for a bias that it does not have."""
    import numpy

    kernel, *bias = [array.astype("float64") for array in weights[node.name]]
    return kernel, bias[0] if bias else numpy.zeros(node.channels)


def scale_and_shift(norm: Node, weights: Weights) -> tuple[Array, Array]:
    """A batch norm at inference, as one factor and one addend a channel, in double precision."""
    assert isinstance(norm.op, BatchNorm)
    *affine, mean, variance = [array.astype("float64") for array in weights[norm.name]]
    scale = (variance + norm.op.epsilon) ** -0.5
    if norm.op.scale:
        scale = scale * affine[0]
    return scale, (affine[-1] if norm.op.center else 0) - mean * scale


def by_filter(op: Op, factors: Array) -> Array:
    """One factor a filter, in the shape that multiplies a kernel of `op`."""
    return factors[:, None] if isinstance(op, (DepthwiseConv2D, TransposedConv2D)) else factors
