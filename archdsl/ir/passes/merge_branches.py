"""Parallel convolutions that are summed into one (structural re-parameterisation; RepVGG, Ding et al. 2021)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import prod
from typing import TYPE_CHECKING

from archdsl.ir.graph import Graph
from archdsl.ir.node import Node
from archdsl.ir.ops import Add, BatchNorm, DepthwiseConv2D
from archdsl.ir.passes.linear import (
    Convolution,
    by_filter,
    centred_source,
    is_convolution,
    kernel_and_bias,
    scale_and_shift,
)
from archdsl.ir.passes.rewrite import Arrays, Change, Weights, readers, rewrite, shared
from archdsl.ir.types import both

if TYPE_CHECKING:
    from archdsl.ir.passes.rewrite import Array


def merge_branches(graph: Graph, weights: Weights | None) -> tuple[Graph, Weights | None]:
    """An Add of convolutions of one map, and of this map itself or its batch norm, becomes one convolution.

    It takes the place and the name of the one with the largest kernel; the others are kernels with zeros around
    them (RepVGG, figure 4). Nothing else may read the convolutions, and their windows must have a common middle.
    """
    reads, kept = readers(graph), shared(graph)
    changes, replaced = {}, {}
    for add in graph.nodes:
        main = _main_branch(add, reads) if isinstance(add.op, Add) else None
        if main is not None and is_convolution(main.op) and kept.isdisjoint(add.inputs):
            op = replace(main.op, bias=any(map(_has_bias, add.inputs)))
            changes[main] = Change(op, main.inputs, partial(_summed, add, main.op, op.bias))
            replaced[add] = main
    return rewrite(graph, weights, changes, replaced)


def _main_branch(add: Node, reads: dict[Node, list[Node | None]]) -> Node | None:
    """The convolution with the largest kernel, when all that is added fits into its kernel."""
    alone = [branch for branch in add.inputs if all(reader is add for reader in reads[branch])]
    areas = {branch: prod(both(branch.op.kernel)) for branch in alone if is_convolution(branch.op)}
    main = max(areas, key=areas.__getitem__, default=None)
    source = None if main is None else centred_source(main)
    if main is None or source is None:
        return None
    others = [branch for branch in add.inputs if not _is_unit(branch, source)]
    return main if all(branch in areas and _fits(branch, main, source) for branch in others) else None


def _is_unit(branch: Node, source: Node) -> bool:
    """Whether it is `source` itself or its batch norm. (That the sum has its shape and stride, Add has checked.)"""
    return branch is source or (isinstance(branch.op, BatchNorm) and branch.inputs[0] is source)


def _fits(branch: Node, main: Node, source: Node) -> bool:
    """Whether it is a convolution of `source` that differs from `main` in the size of the kernel at most."""
    op, largest = branch.op, main.op
    if not is_convolution(op) or not is_convolution(largest) or centred_source(branch) is not source:
        return False
    if any(own > side for own, side in zip(both(op.kernel), both(largest.kernel), strict=True)):
        return False
    dilation = largest.dilation if op.kernel == 1 else op.dilation
    widened = replace(op, kernel=largest.kernel, padding=largest.padding, dilation=dilation, bias=largest.bias)
    return widened == largest


def _has_bias(branch: Node) -> bool:
    return branch.op.bias if is_convolution(branch.op) else isinstance(branch.op, BatchNorm)


def _summed(add: Node, op: Convolution, has_bias: bool, weights: Weights) -> Arrays:
    kernel, bias = (sum(parts) for parts in zip(*[_branch(node, op, weights) for node in add.inputs], strict=True))
    return (kernel, bias) if has_bias else (kernel,)


def _branch(branch: Node, op: Convolution, weights: Weights) -> tuple[Array, Array]:
    """Kernel and bias of a branch, as of a convolution like `op`."""
    import numpy

    if is_convolution(branch.op):
        kernel, bias = kernel_and_bias(branch, weights)
    else:
        is_norm = isinstance(branch.op, BatchNorm)
        ones, zeros = numpy.ones(branch.channels), numpy.zeros(branch.channels)
        scale, bias = scale_and_shift(branch, weights) if is_norm else (ones, zeros)
        kernel = _unit_kernel(op, branch.channels) * by_filter(op, scale)
    high, wide = [(side - own) // 2 for side, own in zip(both(op.kernel), kernel.shape[:2], strict=True)]
    return numpy.pad(kernel, ((high, high), (wide, wide), (0, 0), (0, 0))), bias


def _unit_kernel(op: Convolution, channels: int) -> Array:
    """The 1 × 1 kernel that gives every channel back: (1, 1, channels / groups, channels)."""
    import numpy

    if isinstance(op, DepthwiseConv2D):
        return numpy.ones((1, 1, channels, 1))
    one_group = numpy.eye(channels // op.groups)
    return numpy.tile(one_group, op.groups)[None, None]
