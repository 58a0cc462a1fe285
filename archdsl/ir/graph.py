"""The graph: the nodes of a network in the order they run, its levels and its outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

from archdsl.ir.cost import Cost, total
from archdsl.ir.node import Node
from archdsl.ir.types import FeatureMap
from archdsl.lazy import method_of


@dataclass(frozen=True, repr=False)
class Graph:
    """A network as operations, in the order they run.

    `levels` holds the last node of every stage under its public name ("P3" for stage p3), `outputs` the config's
    outputs by name. `named` has the names of those that a call returns; without any it returns `output`, the last node.
    The nodes of the parts named in `freeze` (stages, stem, head) are not trained.
    """

    name: str
    nodes: tuple[Node, ...]
    output: Node
    levels: Mapping[str, Node]
    outputs: Mapping[str, Node]
    freeze: tuple[str, ...] = ()
    named: tuple[str, ...] = ()

    _repr_svg_ = method_of("archdsl.tools.pictures.diagram", "svg_of")

    @property
    def input(self) -> Node:
        return self.nodes[0]

    @property
    def image(self) -> FeatureMap:
        """The type of its input."""
        return cast(FeatureMap, self.input.type)

    @property
    def results(self) -> list[Node]:
        """The nodes that a call returns."""
        return [self.outputs[name] for name in self.named] or [self.output]

    @property
    def ends(self) -> list[Node]:
        """All nodes that can be requested: results, outputs and levels."""
        return list(dict.fromkeys([*self.results, *self.outputs.values(), *self.levels.values()]))

    @cached_property
    def cost(self) -> Cost:
        return total([node.cost for node in self.nodes])

    def needed_by(self, ends: Iterable[Node]) -> set[Node]:
        """The nodes that `ends` are computed from, themselves included."""
        needed = set(ends)
        for node in reversed(self.nodes):
            if node in needed:
                needed.update(node.inputs)
        return needed

    def following(self, beginnings: Iterable[Node]) -> set[Node]:
        """The nodes that are computed from `beginnings`, themselves included."""
        found = set(beginnings)
        for node in self.nodes if found else ():
            if not found.isdisjoint(node.inputs):
                found.add(node)
        return found

    def only(self, outputs: Mapping[str, Node]) -> Graph:
        """The part of the graph that computes these, as its results."""
        needed = self.needed_by(outputs.values())
        needed |= self.needed_by([node.owner for node in needed if node.owner is not None])
        nodes = tuple([node for node in self.nodes if node in needed or node is self.input])
        return replace(self, nodes=nodes, output=nodes[-1], levels={}, outputs=outputs, named=tuple(outputs))

    def is_frozen(self, node: Node) -> bool:
        """Whether `node` keeps its weights in training."""
        return node.origin.part in self.freeze

    def __repr__(self) -> str:
        return f"<Graph {self.name}, {len(self.nodes)} nodes>"

    def __str__(self) -> str:
        lines = [f"graph {self.name}", *(f"  {node}" for node in self.nodes)]
        levels = ", ".join(f"{level}={node.name}" for level, node in self.levels.items())
        return "\n".join([*lines, f"  levels: {levels}", f"  output: {self.output.name}"])


def verify(graph: Graph) -> None:
    """Check that names are unique, sources come first, types follow from the operations, ends are inside.

    Raises ValueError: a graph that fails was built or rewritten wrongly, which is a bug, not a user's mistake.
    """
    seen: dict[str, Node] = {}
    for node in graph.nodes:
        _require(node.name not in seen, f"two nodes are named {node.name}")
        for source in node.inputs:
            _require(seen.get(source.name) is source, f"{node.name} reads {source.name}, which has not run yet")
        inferred = node.op.infer(*[source.type for source in node.inputs])
        _require(inferred == node.type, f"{node.name} has type {node.type}, its operation gives {inferred}")
        seen[node.name] = node
    for end in [graph.output, *graph.ends]:
        _require(seen.get(end.name) is end, f"{end.name} is an output, but not in the graph")


def _require(condition: bool, fact: str) -> None:
    if not condition:
        raise ValueError(fact)
