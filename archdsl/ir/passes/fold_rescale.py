"""The rescaling of the image into the first convolution."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from archdsl.ir.graph import Graph
from archdsl.ir.node import Node, Op
from archdsl.ir.ops import DepthwiseConv2D, Pad, Rescale, SpaceToDepth
from archdsl.ir.passes.linear import is_convolution, kernel_and_bias
from archdsl.ir.passes.rewrite import Arrays, Change, Weights, readers, rewrite, shared


def fold_rescale(graph: Graph, weights: Weights | None) -> tuple[Graph, Weights | None]:
    """A Rescale that only convolutions read becomes part of their kernels, and its offset of their biases.

    Exact through zeros around the image and through SpaceToDepth. A Rescale with an offset stays where there is
    padding: the zeros would have to become another value.
    """
    reads, kept = readers(graph), shared(graph)
    changes, replaced = {}, {}
    for node in graph.nodes:
        if not isinstance(node.op, Rescale):
            continue
        found = _convolutions_after(node, node.op, reads)
        if found and kept.isdisjoint(found):
            for reader in found:
                assert is_convolution(reader.op)
                op = replace(reader.op, bias=reader.op.bias or node.op.offset != 0)
                changes[reader] = Change(op, reader.inputs, partial(_folded, reader, node.op))
            replaced[node] = node.inputs[0]
    return rewrite(graph, weights, changes, replaced)


def _convolutions_after(node: Node, rescale: Rescale, reads: dict[Node, list[Node | None]]) -> list[Node]:
    """The convolutions that read `node`; none where anything else does, or where the rescaling would not be exact."""
    found, pending = [], [node]
    while pending:
        for reader in reads[pending.pop()]:
            if reader is None:
                return []
            if isinstance(reader.op, (Pad, SpaceToDepth)) and not _pads(reader.op, rescale):
                pending.append(reader)
            elif is_convolution(reader.op) and not _pads(reader.op, rescale):
                found.append(reader)
            else:
                return []
    return found


def _pads(op: Op, rescale: Rescale) -> bool:
    """Whether `op` puts zeros where the offset of the rescaling would be missed."""
    if is_convolution(op):
        return rescale.offset != 0 and op.padding == "same" and op.kernel != 1
    return isinstance(op, Pad) and (rescale.offset != 0 or op.value != 0)


def _folded(node: Node, rescale: Rescale, weights: Weights) -> Arrays:
    kernel, bias = kernel_and_bias(node, weights)
    sums = kernel.sum((0, 1))[:, 0] if isinstance(node.op, DepthwiseConv2D) else kernel.sum((0, 1, 2))
    has_bias = len(weights[node.name]) > 1 or rescale.offset
    return (kernel * rescale.scale, bias + rescale.offset * sums) if has_bias else (kernel * rescale.scale,)
