"""Layers that give a number for each class, and the classes that two networks have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy

from archdsl.ir.graph import Graph
from archdsl.ir.node import Node
from archdsl.ir.ops import Conv2D, Dense
from archdsl.weights.formats.contents import Shape, Stored
from archdsl.weights.pytorch.names import ANCHORED
from archdsl.weights.pytorch.units import anchors_of

if TYPE_CHECKING:
    from archdsl.weights.formats.contents import Array

_OTHERS = ("box_branch", "value_branch")  # blocks of heads whose outputs are not one for each class
_BESIDE = {ANCHORED: 5}  # numbers of each anchor before those of its classes: x, y, width, height, objectness


def class_layers(graph: Graph, count: int) -> list[Node]:
    """The last layers with arrays on their way, of those with an output for each of `count` classes, at each anchor."""
    anchors = {len(sizes) for sizes, _ in anchors_of(graph)}
    before: set[Node] = set()  # layers that another one with arrays comes after
    for node in reversed(graph.nodes):
        if node in before or node.weights:
            before.update(node.inputs)
    return [
        node
        for node in graph.nodes
        if isinstance(node.op, (Conv2D, Dense))
        and node not in before
        and _block(node) not in _OTHERS
        and node.weights[0].shape[-1] in _widths(node, count, anchors)
    ]


def _block(node: Node) -> str:
    return node.origin.block.partition(" ")[0]


def _widths(node: Node, count: int, anchors: Iterable[int]) -> list[int]:
    """How many outputs a layer for this many classes may have."""
    beside = _BESIDE.get(_block(node))
    return [count] if beside is None else [each * (beside + count) for each in anchors]


def has_classes(node: Node, stored: Stored, ours: int, theirs: int) -> bool:
    """Whether the file's layer is the node's, for `theirs` classes in place of `ours`."""
    beside = _BESIDE.get(_block(node), 0)
    widths = [weight.shape[-1] // (beside + ours) * (beside + theirs) for weight in node.weights]
    wanted: list[Shape] = [(*weight.shape[:-1], wide) for weight, wide in zip(node.weights, widths, strict=True)]
    found = [stored.arrays.get(weight.name) for weight in node.weights]
    return [array.shape if array else None for array in found] == wanted


def outputs_of(node: Node, ours: Sequence[str], theirs: Sequence[str]) -> dict[int, int]:
    """The outputs of a layer for `ours`, and those for `theirs` that are the same: all but those of other classes."""
    beside = _BESIDE.get(_block(node), 0)
    same = {place: place for place in range(beside)}
    same |= {beside + own: beside + other for own, other in places_of(ours, theirs).items()}
    own_step, other_step = beside + len(ours), beside + len(theirs)
    anchors = node.weights[0].shape[-1] // own_step
    return {own_step * at + own: other_step * at + other for at in range(anchors) for own, other in same.items()}


def by_class(fresh: Sequence[Array], given: Sequence[Array], places: Mapping[int, int]) -> list[Array]:
    """The arrays of our classes: of the outputs that both have, what is given; the others stay as they are."""
    changed = [numpy.array(array) for array in fresh]
    for own, other in zip(changed, given, strict=True):
        own[..., list(places)] = other[..., list(places.values())]
    return changed


def places_of(ours: Sequence[str], theirs: Sequence[str]) -> Mapping[int, int]:
    """The place of each of our classes among theirs, of those that they have."""
    known = {name: place for place, name in reversed([*enumerate(theirs)])}
    return {place: known[name] for place, name in enumerate(ours) if name in known}
