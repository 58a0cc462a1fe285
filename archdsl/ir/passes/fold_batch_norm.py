"""Batch norm into the convolution or the dense layer before it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from archdsl.ir.graph import Graph
from archdsl.ir.node import Node
from archdsl.ir.ops import BatchNorm
from archdsl.ir.passes.linear import WITH_KERNEL, by_filter, kernel_and_bias, scale_and_shift
from archdsl.ir.passes.rewrite import Arrays, Change, Weights, readers, rewrite, shared


def fold_batch_norm(graph: Graph, weights: Weights | None) -> tuple[Graph, Weights | None]:
    """A batch norm that alone reads a convolution becomes part of its kernel and bias (Jacob et al. 2018, section 3.2).

    The same for a dense layer. It keeps its name and gets a bias; a norm after anything else stays.
    """
    reads, kept = readers(graph), shared(graph)
    changes, replaced = {}, {}
    for norm in graph.nodes:
        source = norm.inputs[0] if isinstance(norm.op, BatchNorm) else norm
        is_alone = source is not norm and reads[source] == [norm] and kept.isdisjoint((norm, source))
        if is_alone and isinstance(source.op, WITH_KERNEL):
            arrays = partial(_folded, source, norm)
            changes[source] = Change(replace(source.op, bias=True), source.inputs, arrays)
            replaced[norm] = source
    return rewrite(graph, weights, changes, replaced)


def _folded(node: Node, norm: Node, weights: Weights) -> Arrays:
    kernel, bias = kernel_and_bias(node, weights)
    scale, shift = scale_and_shift(norm, weights)
    return kernel * by_filter(node.op, scale), bias * scale + shift
