"""What every pass is made of: who reads a node, and a graph with some of its nodes changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from archdsl.ir.graph import Graph
from archdsl.ir.layout import moved
from archdsl.ir.node import Node, Op

if TYPE_CHECKING:
    import numpy

    Array: TypeAlias = numpy.ndarray[Any, Any]

Arrays: TypeAlias = "tuple[Array, ...]"
"""What one node owns, in the order of its operation's `weights`."""

Weights: TypeAlias = Mapping[str, Arrays]
"""The arrays of a graph by the names of its nodes."""


class Change(NamedTuple):
    """What a node becomes: an operation on nodes of the old graph. `arrays` makes its weights from the old ones."""

    op: Op
    inputs: tuple[Node, ...]
    arrays: Callable[[Weights], Arrays] | None = None


def readers(graph: Graph) -> dict[Node, list[Node | None]]:
    """The consumers of each node. None is the caller, who consumes every output and level."""
    found: dict[Node, list[Node | None]] = {node: [] for node in graph.nodes}
    for node in graph.nodes:
        for source in node.inputs:
            found[source].append(node)
    for end in graph.ends:
        found[end].append(None)
    return found


def shared(graph: Graph) -> set[Node]:
    """The nodes that use another's weights, and those whose weights they use. No pass may change one alone."""
    users = [node for node in graph.nodes if node.owner is not None]
    return {*users, *[node.owner for node in users if node.owner is not None]}


def rewrite(
    graph: Graph, weights: Weights | None, changes: Mapping[Node, Change], replaced: Mapping[Node, Node]
) -> tuple[Graph, Weights | None]:
    """The graph with some nodes changed, some replaced by nodes that run before them, and the unread ones left out.

    A node that is changed keeps its name and its origin. The graph itself is returned when there is nothing to do.
    """
    if not changes and not replaced:
        return graph, weights
    settled: dict[Node, Node] = {}
    for node in graph.nodes:
        settled[node] = settled[replaced[node]] if node in replaced else _settle(node, changes.get(node), settled)
    nodes = [settled[node] for node in graph.nodes if node not in replaced]
    whole = moved(graph, nodes, settled)
    needed = whole.needed_by(whole.ends)
    kept = tuple([node for node in nodes if node in needed])
    arrays = None if weights is None else _arrays(kept, weights, changes)
    return replace(whole, nodes=kept), arrays


def _settle(node: Node, change: Change | None, settled: Mapping[Node, Node]) -> Node:
    op, inputs = (change.op, change.inputs) if change else (node.op, node.inputs)
    sources = tuple([settled[source] for source in inputs])
    if op is node.op and all(new is old for new, old in zip(sources, node.inputs, strict=True)):
        return node
    made = op(*sources, name=node.name)
    made.origin = node.origin
    if node.owner is not None:
        made.share(settled[node.owner])
    return made


def _arrays(nodes: tuple[Node, ...], weights: Weights, changes: Mapping[Node, Change]) -> Weights:
    made = {node.name: change.arrays(weights) for node, change in changes.items() if change.arrays}
    return {node.name: found for node in nodes if (found := made.get(node.name, weights.get(node.name))) is not None}
