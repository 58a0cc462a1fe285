"""Layers for which neither shapes nor names tell which module of a file is which."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from archdsl.ir.graph import Graph
from archdsl.ir.node import Node
from archdsl.ir.ops import Add, BatchNorm
from archdsl.weights.formats.contents import Shape
from archdsl.weights.pytorch.units import AXES


class Named(NamedTuple):
    """The module that a node is taken for: its path, and the shapes of its arrays."""

    name: str
    shapes: tuple[tuple[str, Shape], ...]


def twins_among(graph: Graph, pairs: Mapping[Node, Named]) -> Iterator[tuple[Node, Node]]:
    """Layers of equal shapes that run side by side, where the names in the file are of one series: a swap would fit."""
    users: dict[Node, list[Node]] = {node: [] for node in graph.nodes}
    for node in graph.nodes:
        for source in node.inputs:
            users[source].append(node)
    parts = _Parts(graph, pairs)
    last: dict[Named, Node] = {}
    for node, named in pairs.items():
        if type(node.op) in AXES:
            key = named._replace(name=re.sub(r"\d+[a-z]?(?=\.|$)", "", named.name))
            before = last.get(key)
            if before is not None and parts.can_be_swapped(before, node) and not _are_added(users, before, node):
                yield before, node
            last[key] = node


def _are_added(users: Mapping[Node, list[Node]], *nodes: Node) -> bool:
    """Whether it makes no difference which is which: their results, normalised or not, have one sum."""
    ends = set()
    for node in nodes:
        after = users[node]
        if len(after) == 1 and isinstance(after[0].op, BatchNorm):
            after = users[after[0]]
        ends.add(after[0] if len(after) == 1 and isinstance(after[0].op, Add) else node)
    return len(ends) == 1


class _Parts:
    """The modules of a file, small and large, with the nodes that they are."""

    def __init__(self, graph: Graph, pairs: Mapping[Node, Named]):
        self.pairs = pairs
        self.places: dict[Node, int] = {}
        self.behind: dict[Node, int] = {}  # bits: the places of all that a node is computed from
        for number, node in enumerate(graph.nodes):
            self.places[node] = self.behind[node] = 1 << number
            for source in node.inputs:
                self.behind[node] |= self.behind[source]
        self.inside: dict[str, list[Node]] = {}
        for node, named in pairs.items():
            for path in accumulate(named.name.split("."), "{}.{}".format):
                self.inside.setdefault(path, []).append(node)

    def can_be_swapped(self, one: Node, other: Node) -> bool:
        """Whether the modules in which their names part have equal shapes, and neither runs before the other."""
        if self.behind[other] & self.places[one]:
            return False
        names = [accumulate(self.pairs[node].name.split("."), "{}.{}".format) for node in (one, other)]
        first, second = next(
            [self.inside[path] for path in both] for both in zip(*names, strict=False) if len({*both}) > 1
        )
        shapes = [[self.pairs[node].shapes for node in nodes] for nodes in (first, second)]
        return shapes[0] == shapes[1] and self._is_behind(first, second) == self._is_behind(second, first)

    def _is_behind(self, nodes: Sequence[Node], others: Sequence[Node]) -> bool:
        """Whether any of these is computed from one of the others."""
        places = sum(self.places[node] for node in others)
        return any(self.behind[node] & places for node in nodes)
