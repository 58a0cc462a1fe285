"""Explicit zeros into the padding of the convolution that reads them."""

from __future__ import annotations

from dataclasses import replace

from archdsl.ir.graph import Graph
from archdsl.ir.passes.linear import centred_source, is_convolution
from archdsl.ir.passes.rewrite import Change, Weights, rewrite, shared


def pad_into_same(graph: Graph, weights: Weights | None) -> tuple[Graph, Weights | None]:
    """A Pad before a convolution of stride 1 becomes `same` padding, where that is the same zeros.

    It is for odd kernels, and a Pad as wide as the window reaches: dilation (kernel - 1) / 2. At a larger stride
    `same` puts its zeros elsewhere.
    """
    changes, kept = {}, shared(graph)
    for node in graph.nodes:
        if (
            node not in kept
            and is_convolution(node.op)
            and node.op.padding == "valid"
            and node.op.stride == 1
            and node.op.kernel != 1
        ):
            source = centred_source(node)
            if source is not None:
                changes[node] = Change(replace(node.op, padding="same"), (source,))
    return rewrite(graph, weights, changes, {})
