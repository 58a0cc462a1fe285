"""Which module of a PyTorch checkpoint with names of its own, as timm's and torchvision's, is which node of a graph.

Modules are a tree of names. What is in a module runs in a row, and children that differ in a number run by their
numbers; in which order other children run is for the shapes to tell, and for their names where shapes fit several ways.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from archdsl.diagnostics.problems import Mark, fail
from archdsl.ir.graph import Graph
from archdsl.ir.node import Node
from archdsl.ir.ops import BatchNorm, Flatten, LayerNorm, LayerScale, Learned
from archdsl.ir.ops.convolution import Convolution
from archdsl.ir.types import both
from archdsl.weights.first_convolution import convolutions_of_the_image
from archdsl.weights.formats.contents import Contents, Shape, Stored, StoredArray, short
from archdsl.weights.matching import Match, shapes_text
from archdsl.weights.pytorch.twins import Named, twins_among
from archdsl.weights.pytorch.units import AXES, NORM, owners_of, without_counter

if TYPE_CHECKING:
    from archdsl.weights.formats.contents import Array

EARLY = ("downsample", "shortcut")  # children that run beside others, where our blocks have them
LATE = ("identity", "gamma", "layer_scale", "norm", "ln", "head", "fc", "classifier", "branch_pool")
FOR_TRAINING = ("AuxLogits.", "aux1.", "aux2.", "aux_classifier.")  # heads of a network that only its training uses
_NUMBER = re.compile(r"(\d{1,9})[a-z]?$")  # Mixed_5b, branch3x3_2a
MAX_STEPS = 200_000  # of the search; a network of a thousand modules takes some thousands
MAX_STEPS_COMPARED = 10_000  # of one with each of many networks
MAX_DEPTH = 300  # of calls: a child that runs after others takes one, a module in another `_NESTED`
_NESTED = 5
_ROLES = {"weight", "bias", "running_mean", "running_var"}
_ONE_ARRAY = (LayerScale, Learned)
_NORMS = (BatchNorm, LayerNorm)
_ALONE = "*"  # the role of an array that is a parameter by itself


class Item(NamedTuple):
    """A module of theirs that owns arrays, or an array that is a child of a module; its shapes by PyTorch's names."""

    name: str
    stored: Stored
    shapes: Mapping[str, Shape]


@dataclass
class Tree:
    """A module: its children by name, or the item that it is."""

    children: dict[str, Tree] = field(default_factory=dict)
    item: Item | None = None
    count: int = 0

    def series(self) -> Series:
        """Children that run one after the other: the same but for a number at the end, or named by one letter."""
        found: dict[str, list[tuple[str, Tree]]] = {}
        for name, child in self.children.items():
            found.setdefault("" if len(name) == 1 else _NUMBER.sub("", name), []).append((name, child))
        return [sorted(each, key=_by_number) for each in found.values()]


def match_modules(graph: Graph, contents: Contents, is_partial: bool, mark: Mark) -> Match:
    """The arrays by the nodes they belong to. Raises ArchError where names and shapes do not tell.

    Modules behind the last layer, and heads for training, are left over. With `is_partial`, the last layer may have
    another number of outputs, and images another number of channels.
    """
    nodes, items = owners_of(graph), used_items_of(contents)
    search = _Search(nodes, free=_free_axes(graph, nodes) if is_partial else {})
    found = search.run(tree_of(items))
    if found is None:
        raise fail("weights", f"does not fit: {search.difference(items)}", mark=mark)
    pairs = dict(zip(nodes, found, strict=False))
    named = {node: Named(item.name, tuple(item.shapes.items())) for node, item in pairs.items()}
    if twins := next(twins_among(graph, named), None):
        message = f"nothing tells which of {twins[0].name} and {twins[1].name} is {pairs[twins[0]].name}"
        raise fail("weights", message, mark=mark, hint="they have equal shapes and read the same map")
    stored = {node.name: _for(node, item) for node, item in pairs.items()}
    taken = {item.name for item in found}
    surplus = tuple(item.stored for item in items if item.name not in taken)
    skipped = tuple(item.stored for item in items_of(contents) if item.name.startswith(FOR_TRAINING))
    return Match("torch", "name", stored, surplus, () if is_partial else tuple(_padded_otherwise(graph)), skipped)


def _free_axes(graph: Graph, nodes: Sequence[Node]) -> dict[int, int]:
    """The axis of PyTorch's kernels in which a variant may differ, by the places of their nodes."""
    of_images = convolutions_of_the_image(graph)
    return {len(nodes) - 1: 0, **{place: 1 for place, node in enumerate(nodes) if node.name in of_images}}


def items_in_turn(graph: Graph, items: Sequence[Item]) -> int:
    """How many layers of a graph have a module of the file, from the first to the first that has none."""
    search = _Search(owners_of(graph), MAX_STEPS_COMPARED)
    search.run(tree_of(items))
    return search.furthest


def _padded_otherwise(graph: Graph) -> Iterator[str]:
    """A fact about a convolution whose padding PyTorch does not have; equal weights would give other numbers."""
    for node in graph.nodes:
        op = node.op
        if isinstance(op, Convolution) and op.padding == "same" and max(both(op.kernel)) > max(both(op.stride)) > 1:
            yield (
                f"{node.name} pads as TensorFlow does, and PyTorch pads both sides alike: "
                "conventions.padding=symmetric, and conventions.norm.epsilon=1e-5 where it is PyTorch's own "
                "(partial loads a file of timm's tf_ networks, which pad so too)"
            )
            return


def used_items_of(contents: Contents) -> list[Item]:
    """Those without the heads for training."""
    return [item for item in items_of(contents) if not item.name.startswith(FOR_TRAINING)]


def items_of(contents: Contents) -> list[Item]:
    """What owns arrays, but for what training counts."""
    found = []
    for stored in map(without_counter, contents.layers):
        plain = {name: array for name, array in stored.arrays.items() if name in _ROLES}
        if plain:
            shapes = {name: _squeezed(array.shape) for name, array in plain.items()}
            found.append(Item(stored.name, Stored(stored.place, stored.name, plain), shapes))
        for name, arrays in _parameters(stored).items():
            path = f"{stored.name}.{name}".lstrip(".")
            shapes = {role: _squeezed(array.shape) for role, array in arrays.items()}
            found.append(Item(path, Stored(path, path, arrays), shapes))
    return found


def _parameters(stored: Stored) -> dict[str, dict[str, StoredArray]]:
    """The other arrays of a module by their names; in_proj_weight and in_proj_bias are those of an in_proj."""
    found: dict[str, dict[str, StoredArray]] = {}
    for name, array in stored.arrays.items():
        if name not in _ROLES:
            of, _, role = name.rpartition("_")
            own, role = (of, role) if of and role in _ROLES else (name, _ALONE)
            found.setdefault(own, {})[role] = array
    return found


def tree_of(items: Sequence[Item]) -> Tree:
    root = Tree()
    for item in items:
        node = root
        node.count += 1
        for name in item.name.split("."):
            node = node.children.setdefault(name, Tree())
            node.count += 1
        node.item = item
    return root


Series = list[list[tuple[str, Tree]]]
Next = tuple[int, str, Tree]
Allowed = Callable[[list[Next], tuple[int, ...]], list[Next]]


class _Search:
    """Places of modules in the row of nodes: those in which every array has the shape that its node wants."""

    def __init__(self, nodes: Sequence[Node], most: int = MAX_STEPS, free: Mapping[int, int] = MappingProxyType({})):
        self.nodes, self.most, self.free = nodes, most, free
        self.wanted = [shapes_wanted(node) for node in nodes]
        self.as_maps = [_as_map(node, wanted) for node, wanted in zip(nodes, self.wanted, strict=True)]
        self.furthest = self.steps = self.depth = 0
        self.ambiguous = ""
        self.known: dict[tuple[int, int], list[Item] | None] = {}

    def run(self, root: Tree) -> list[Item] | None:
        """The item of each node in turn, those behind them left out; None if there is no way, or more than one."""
        return self._children(root, 0)

    def difference(self, items: Sequence[Item]) -> str:
        """Where the search came to an end."""
        if self.ambiguous or self.steps > self.most:
            return f"its names fit in several ways, {short(self.ambiguous or 'too many')} in the first place"
        if self.furthest >= len(self.nodes):
            return f"it has {len(items)} modules with arrays, the network {len(self.nodes)}"
        node = self.nodes[self.furthest]
        return f"no module in the place of {node.name}, with {shapes_text(self.wanted[self.furthest].values())}"

    def _fits(self, tree: Tree, at: int) -> list[Item] | None:
        """The items of a module that begins at a place; None if it does not."""
        key = (id(tree), at)
        if key not in self.known:
            self.depth += _NESTED
            self.known[key] = self._children(tree, at) if tree.children else self._item(tree, at)
            self.depth -= _NESTED
        return self.known[key]

    def _item(self, tree: Tree, at: int) -> list[Item] | None:
        self.steps += 1
        item = tree.item
        if item is None or at >= len(self.nodes) or not self._is_like(item, at):
            return None
        self.furthest = max(self.furthest, at + 1)
        return [item]

    def _is_like(self, item: Item, at: int) -> bool:
        wanted, free = self.wanted[at], self.free.get(at)
        if free is not None and wanted.keys() == item.shapes.keys():
            return all(_without(free, shape) == _without(free, item.shapes[role]) for role, shape in wanted.items())
        return item.shapes in (wanted, self.as_maps[at])

    def _children(self, tree: Tree, at: int) -> list[Item] | None:
        """The one way to run the series of children, each in its order, that fits the nodes from a place on."""
        if tree.item is not None or self.depth > MAX_DEPTH:
            return None
        series = tree.series()
        begun = (0,) * len(series)
        ways = next(filter(None, (self._ways(series, begun, at, {}, by) for by in (_in_rows, _by_name, _any))), [])
        if len(ways) > 1:
            names = next(one.name for one, other in zip(*ways, strict=False) if one is not other)
            self.ambiguous = self.ambiguous or names
        return ways[0] if len(ways) == 1 else None

    def _ways(
        self, series: Series, done: tuple[int, ...], at: int, seen: dict[tuple[int, ...], int], allowed: Allowed
    ) -> list[list[Item]]:
        """At most two ways to go on; those that come to the same children done have failed, or are a second way."""
        left = [(number, *each[done[number]]) for number, each in enumerate(series) if done[number] < len(each)]
        if not left or at == len(self.nodes):
            return [[]]
        found: list[list[Item]] = []
        for number, _, child in allowed(left, done):
            self.steps += 1
            items = self._fits(child, at) if self.steps <= self.most else None
            after = tuple([count + (place == number) for place, count in enumerate(done)])
            if items is None or seen.get(after) == 0:
                continue
            self.depth += 1
            rest = self._ways(series, after, at + len(items), seen, allowed) if self.depth <= MAX_DEPTH else []
            self.depth -= 1
            seen[after] = len(rest)
            found += [[*items, *each] for each in rest]
            if len(found) > 1:
                break
        return found[:2]


def _without(axis: int, shape: Shape) -> Shape:
    return (*shape[:axis], *shape[axis + 1 :])


def _in_rows(left: list[Next], done: tuple[int, ...]) -> list[Next]:
    """Of the next children of each series, that of a series which has begun; else those whose names let them run."""
    return [each for each in left if done[each[0]]] or _by_name(left, done)


def _by_name(left: list[Next], done: tuple[int, ...]) -> list[Next]:
    """Of the next children of each series, those whose names let them run now."""
    early = [each for each in left if each[1] in EARLY]
    return early or [each for each in left if each[1] not in LATE] or left


def _any(left: list[Next], done: tuple[int, ...]) -> list[Next]:
    return left


def _by_number(named: tuple[str, Tree]) -> tuple[int, str]:
    name = named[0]
    number = _NUMBER.search(name)
    return (int(number[1]) if number else -1, name)


def shapes_wanted(node: Node) -> dict[str, Shape]:
    """The arrays of a node as PyTorch has them, by PyTorch's names."""
    if isinstance(node.op, _ONE_ARRAY):
        return {_ALONE: _squeezed(node.weights[0].shape)}
    return {role: _squeezed(shape) for role, shape in _roles(node)}


def _as_map(node: Node, wanted: dict[str, Shape]) -> dict[str, Shape]:
    """The same, where a dense layer behind a map is a convolution as large as that map."""
    source = node.inputs[0] if node.inputs else node
    if not isinstance(source.op, Flatten):
        return wanted
    *area, channels = [side or 1 for side in source.inputs[0].type.shape]  # all are known, or it could not be flat
    return {**wanted, "weight": _squeezed((wanted["weight"][0], channels, *area))}


def _roles(node: Node) -> Iterator[tuple[str, Shape]]:
    for weight in node.weights:
        if weight.name == "kernel" and type(node.op) in AXES:
            axes = AXES[type(node.op)]
            yield "weight", tuple([weight.shape[axes.index(axis)] for axis in range(len(axes))])
        else:
            yield (NORM[weight.name] if isinstance(node.op, _NORMS) else weight.name), weight.shape


def _squeezed(shape: Shape) -> Shape:
    """Without sides of 1 at the end: a 1 × 1 convolution is a dense layer."""
    while shape and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def _for(node: Node, item: Item) -> Stored:
    """The arrays of an item, with the names and the axes that the node has."""
    roles = [_ALONE] if isinstance(node.op, _ONE_ARRAY) else [role for role, _ in _roles(node)]
    arrays = {}
    for weight, role in zip(node.weights, roles, strict=True):
        given = item.stored.arrays[role]
        axes = AXES.get(type(node.op), ()) if weight.name == "kernel" else ()
        is_whole = prod(given.shape) == prod(weight.shape)  # the last layer may have another number of outputs
        if is_whole and role == "weight" and isinstance(node.inputs[0].op, Flatten):
            given = _flattened(given, *node.inputs[0].inputs[0].type.shape)
        own = tuple([given.shape[axis] for axis in axes]) if len(axes) == len(given.shape) else given.shape
        arrays[weight.name] = _turned(given, axes, weight.shape if is_whole else own)
    return Stored(item.stored.place, item.stored.name, arrays)


def _turned(given: StoredArray, axes: tuple[int, ...], shape: Shape) -> StoredArray:
    return StoredArray(shape, given.dtype, partial(_read, given, axes, shape))


def _flattened(given: StoredArray, *sides: Any) -> StoredArray:
    """A dense kernel for a map that is flattened row by row, from one for its channels one after the other."""
    *area, channels = sides

    def read() -> Array:
        return given.read().reshape(-1, channels, prod(area)).transpose(0, 2, 1).reshape(given.shape)

    return StoredArray(given.shape, given.dtype, read)


def _read(given: StoredArray, axes: tuple[int, ...], shape: Shape) -> Array:
    array = given.read()
    if axes:
        array = array.reshape([shape[axes.index(axis)] for axis in range(len(axes))]).transpose(axes)
    return array.reshape(shape)
