"""Passes: (graph, weights) → (graph, weights) that computes the same with less. One pass a file.

A pass is pure, and needs no weights to rewrite the graph: what is only counted is never computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from archdsl.diagnostics.problems import fail
from archdsl.diagnostics.wording import one_of
from archdsl.ir.graph import Graph, verify
from archdsl.ir.passes.fold_batch_norm import fold_batch_norm
from archdsl.ir.passes.fold_padding import pad_into_same
from archdsl.ir.passes.fold_rescale import fold_rescale
from archdsl.ir.passes.merge_branches import merge_branches
from archdsl.ir.passes.rewrite import Weights

Pass: TypeAlias = Callable[[Graph, Weights | None], tuple[Graph, Weights | None]]

PASSES: dict[str, Pass] = {
    "fold_rescale": fold_rescale,
    "fold_batch_norm": fold_batch_norm,
    "pad_into_same": pad_into_same,
    "merge_branches": merge_branches,
}


def run_passes(
    graph: Graph, weights: Weights | None = None, names: Iterable[str] = tuple(PASSES)
) -> tuple[Graph, Weights | None]:
    """The graph after the named passes, in turn until none finds more to do; and its weights, when it has some.

    Levels, outputs and origins are kept, and every node that is left has its name. Raises ArchError for a name
    that is no pass.
    """
    chosen = [_pass(name) for name in names]
    verify(graph)
    before = None
    while graph is not before:
        before = graph
        for step in chosen:
            graph, weights = step(graph, weights)
            verify(graph)
    return graph, weights


def _pass(name: str) -> Pass:
    if name not in PASSES:
        raise fail("unknown-pass", f"no pass '{name}'; {one_of(PASSES)}", hint="a newer archdsl may have it")
    return PASSES[name]
