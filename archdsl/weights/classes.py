"""Layers that give a number for each class, and the classes that two networks have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy

from archdsl.ir.graph import Graph, Node
from archdsl.ir.ops import Conv2D, Dense
from archdsl.weights.formats.contents import Shape, Stored

if TYPE_CHECKING:
    from archdsl.weights.formats.contents import Array

_OTHERS = ("box_branch", "value_branch", "anchor_branch")  # blocks of heads whose outputs are not one for each class


def class_layers(graph: Graph, count: int) -> list[Node]:
    """The last layers with arrays on their way, of those with an output for each of `count` classes."""
    before: set[Node] = set()  # layers that another one with arrays comes after
    for node in reversed(graph.nodes):
        if node in before or node.weights:
            before.update(node.inputs)
    return [
        node
        for node in graph.nodes
        if isinstance(node.op, (Conv2D, Dense))
        and node not in before
        and node.weights[0].shape[-1] == count
        and node.origin.block.partition(" ")[0] not in _OTHERS
    ]


def has_classes(node: Node, stored: Stored, count: int) -> bool:
    """Whether the file's layer is the node's, but for an output for each of `count` classes."""
    wanted: list[Shape] = [(*weight.shape[:-1], count) for weight in node.weights]
    found = [stored.arrays.get(weight.name) for weight in node.weights]
    return [array.shape if array else None for array in found] == wanted


def by_class(fresh: Sequence[Array], given: Sequence[Array], ours: Sequence[str], theirs: Sequence[str]) -> list[Array]:
    """The arrays of our classes: of those that both have, what is given; the others stay as they are."""
    places = places_of(ours, theirs)
    changed = [numpy.array(array) for array in fresh]
    for own, other in zip(changed, given, strict=True):
        own[..., list(places)] = other[..., list(places.values())]
    return changed


def places_of(ours: Sequence[str], theirs: Sequence[str]) -> Mapping[int, int]:
    """The place of each of our classes among theirs, of those that they have."""
    known = {name: place for place, name in reversed([*enumerate(theirs)])}
    return {place: known[name] for place, name in enumerate(ours) if name in known}
