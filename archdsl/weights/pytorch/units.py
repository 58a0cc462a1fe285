"""Layers of a graph and of a PyTorch checkpoint, in a common form: units, each a convolution with its batch norm."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import numpy

from archdsl.frontend.sections import STAGES
from archdsl.ir.graph import Graph
from archdsl.ir.node import Node
from archdsl.ir.ops import Anchors, BatchNorm, Conv2D, Dense, DepthwiseConv2D, Normalize, TransposedConv2D
from archdsl.ir.types import both
from archdsl.weights.formats.contents import Contents, Shape, Stored, StoredArray
from archdsl.weights.pytorch.implicit import IMPLICIT, with_implicit
from archdsl.weights.pytorch.names import BRANCHES, MERGED, SEVERAL, is_in_head, numbered, parts_of, path_of, rows_of

if TYPE_CHECKING:
    from archdsl.weights.formats.contents import Array

AXES: dict[type, tuple[int, ...]] = {  # of PyTorch's kernels, in the order in which ours has them
    Conv2D: (2, 3, 1, 0),
    DepthwiseConv2D: (2, 3, 0, 1),
    TransposedConv2D: (2, 3, 1, 0),
    Dense: (1, 0),
}
NORM = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
SCALE = "gamma"  # of the factors that a module scales its result by
_COUNTER = "num_batches_tracked"  # of training, which nothing else needs
ANCHORS = ("anchors", "anchor_grid")  # twice the same, in pixels of the map and of the image: settings, not weights
FIXED = "dfl"  # 0, 1, 2, …: arithmetic, not weights
_SLOTS = (STAGES.name, "post")  # of a layer's path, which its name leaves out


@dataclass
class Unit:
    """A convolution or dense layer of ours, with the batch norm that follows, and its path in PyTorch's module."""

    node: Node
    norm: Node | None = None
    path: str = ""

    @property
    def shape(self) -> Shape:
        """Of its kernel, as PyTorch has it."""
        axes, own = AXES[type(self.node.op)], self.node.weights[0].shape
        return tuple([own[axes.index(axis)] for axis in range(len(axes))])


@dataclass
class Layer:
    """A layer of the config: its units by the path in PyTorch's module, as `numbered`. Others have no path.

    A head is several entries of the config, the first and `more`. A block of `rows` modules is as many of these, and
    this is number `row`.
    """

    path: str
    block: str
    more: list[str] = field(default_factory=list)
    units: dict[str, Unit] = field(default_factory=dict)
    unnamed: list[Node] = field(default_factory=list)
    row: int = 0
    rows: int = 1

    @property
    def places(self) -> list[str]:
        """The entries of the config that it is made of, or its row of one."""
        return [self.path, *self.more] if self.rows == 1 else [f"{self.path} {self.row}"]

    @property
    def nodes(self) -> list[Node]:
        """The nodes of its units, and those of none."""
        return [*[node for unit in self.units.values() for node in (unit.node, unit.norm) if node], *self.unnamed]

    @property
    def shapes(self) -> dict[str, Shape]:
        return {path: unit.shape for path, unit in self.units.items()}

    @property
    def params(self) -> int:
        return sum(node.params for node in self.nodes)


class TorchUnit(NamedTuple):
    """A convolution of theirs, with its batch norm if it has one. `is_folded` if its bias holds what was its norm.

    It `is_nothing` if it was merged into another, and is zeros.
    """

    conv: Stored
    norm: Stored | None
    is_folded: bool
    is_nothing: bool = False

    @property
    def shape(self) -> Shape:
        return self.conv.arrays["weight"].shape


@dataclass
class Module:
    """A numbered module of theirs: its units by their path in it, and arrays that are no unit's."""

    number: int
    name: str
    units: dict[str, TorchUnit] = field(default_factory=dict)
    others: list[Stored] = field(default_factory=list)
    anchors: StoredArray | None = None
    implicit: dict[str, Stored] = field(default_factory=dict)

    @property
    def shapes(self) -> dict[str, Shape]:
        return {path: unit.shape for path, unit in self.units.items()}


# Ours


def layers_of(graph: Graph) -> list[Layer]:
    """The layers of a graph that own arrays, in the order they run."""
    owners = [node for node in graph.nodes if node.weights]
    runs = groupby(owners, key=lambda node: (node.origin.path, node.origin.block.partition(" ")[0]))
    found: list[Layer] = []
    for (path, block), nodes in runs:
        if block in SEVERAL:
            found += _rows(path, block, list(nodes))
            continue
        layer = _layer(path, block, list(nodes))
        if found and is_in_head(path, block) and is_in_head(found[-1].path, found[-1].block):
            found[-1].more.append(path)
            found[-1].units |= layer.units
            found[-1].unnamed += layer.unnamed
        else:
            found.append(layer)
    return found


def _layer(path: str, block: str, nodes: list[Node]) -> Layer:
    """Its units, by their paths."""
    layer, levels = Layer(path, block), dict[str, int]()
    named, layer.unnamed = _units(path, nodes)
    for name, unit in named.items():
        inner = path_of(path, block, name, levels)
        if inner is None and len(named) > 1:
            layer.unnamed += filter(None, (unit.node, unit.norm))
        else:
            unit.path = inner or ""
            layer.units[numbered(unit.path)] = unit
    return layer


def _rows(path: str, block: str, nodes: list[Node]) -> list[Layer]:
    """The layers that a block is, where it is several modules; what is no unit's goes with the first."""
    named, unnamed = _units(path, nodes)
    rows = rows_of(block, list(named))
    found = [
        Layer(path, block, units={"": named[name]}, row=row, rows=len(rows))
        for row, name in enumerate(rows)
        if name in named
    ]
    found[0].unnamed = unnamed
    return found


def _units(path: str, nodes: list[Node]) -> tuple[dict[str, Unit], list[Node]]:
    """The units by their names, and other nodes. A batch norm after something else than a convolution is none's."""
    prefix = "_".join(part for part in path.split(".") if part not in _SLOTS)
    units: dict[Node, Unit] = {}
    others: list[Node] = []
    for node in nodes:
        if type(node.op) in AXES:
            units[node] = Unit(node)
        elif isinstance(node.op, BatchNorm) and node.inputs[0] in units:
            units[node.inputs[0]].norm = node
        else:
            others.append(node)
    return {_unit_name(node.name, prefix): unit for node, unit in units.items()}, others


def _unit_name(node: str, prefix: str) -> str:
    """split for p2_body_split_conv, nothing for p2_down_conv."""
    return node.removeprefix(prefix).removesuffix("conv").removesuffix("dense").strip("_")


def anchors_of(graph: Graph) -> list[tuple[Sequence[tuple[float, float]], float]]:
    """The anchors of each level, in pixels of the image, and how many of these a pixel of the map is."""
    return [(node.op.sizes, min(both(node.op.stride))) for node in graph.nodes if isinstance(node.op, Anchors)]


def owners_of(graph: Graph) -> list[Node]:
    """The nodes whose arrays are trained, in the order they run. How an image is normalised is a setting."""
    return [node for node in graph.nodes if node.weights and not isinstance(node.op, Normalize)]


# Theirs


def modules_of(contents: Contents) -> list[Module]:
    """The numbered modules of a checkpoint that own arrays, by their numbers; none if it is made in another way."""
    stored = {each.name: each for each in map(without_counter, contents.layers) if each.arrays}
    found: dict[int, Module] = {}
    for name, each in stored.items():
        number = re.match(r"(?:model\.){0,2}(\d{1,4})(?:\.|$)", name)
        if number is None:
            return []
        module = found.setdefault(int(number[1]), Module(int(number[1]), number[0].rstrip(".")))
        _add(module, each, name[number.end() :], stored)
    is_folded = are_folded(found.values())
    for module in found.values():
        for path, unit in [] if is_folded else module.units.items():
            module.units[path] = unit._replace(conv=with_implicit(unit.conv, path, module.implicit))
        module.others += module.implicit.values()  # what no convolution took
    return [found[number] for number in sorted(found)]


def are_folded(modules: Iterable[Module]) -> bool:
    """Whether all batch norms are folded away, and what a head knows implicitly may be too: its arrays stay behind."""
    units = [unit for module in modules for unit in module.units.values()]
    return any(unit.is_folded for unit in units) and not any(unit.norm for unit in units)


def without_counter(stored: Stored) -> Stored:
    arrays = {name: array for name, array in stored.arrays.items() if name != _COUNTER}
    return Stored(stored.place, stored.name, arrays)


def _add(module: Module, stored: Stored, path: str, all_stored: Mapping[str, Stored]) -> None:
    """Add arrays to the units of their module: those of a convolution, with those of the `bn` beside it."""
    parent, _, own = path.rpartition(".")
    beside = stored.name.removesuffix(own).rstrip(".")
    conv, bn = parts_of(parent)
    if own == bn and f"{beside}.{conv}" in all_stored:
        return
    if stored.arrays.keys() == {IMPLICIT}:
        module.implicit[path] = stored
        return
    if stored.arrays.keys() <= {*ANCHORS}:
        module.anchors = stored.arrays.get(ANCHORS[0])
        return
    if path == MERGED and stored.arrays.keys() == {"weight", "bias"}:
        shape = (*stored.arrays["weight"].shape[:2], 1, 1)
        module.units |= dict(zip(BRANCHES, _branches(stored, shape), strict=True))
        return
    weight = stored.arrays.get("weight")
    if own == FIXED or (own == "conv" and parent == FIXED):
        return
    if weight is None or len(weight.shape) not in (2, 4):
        module.others.append(stored)
        return
    norm = all_stored.get(f"{beside}.{bn}") if own == conv else None
    is_folded = own == conv and norm is None and "bias" in stored.arrays
    module.units[numbered(parent if norm or is_folded else path)] = TorchUnit(stored, norm, is_folded)


def unmerged(layer: Layer, module: Module) -> dict[str, TorchUnit]:
    """The units of a module, with two branches where the layer has two inside of what the module has merged into one.

    YOLOv9's and v10's merged branches have the name of a convolution alone, so that only the layer tells.
    """
    units = dict(module.units)
    for path, unit in module.units.items():
        within = f"{path}." if path else ""
        inside = [own for own in layer.units if own.startswith(within) and own not in module.units]
        large = [own for own in inside if layer.units[own].shape == unit.shape]
        if unit.is_folded and path not in layer.units and len(inside) == 2 and len(large) == 1:
            (small,) = {*inside} - {*large}
            del units[path]
            units |= dict(zip((*large, small), _branches(unit.conv, layer.units[small].shape), strict=True))
    return units


def _branches(merged: Stored, shape: Shape) -> tuple[TorchUnit, TorchUnit]:
    """Two branches that were merged: the first is the sum, and the other, of this shape, adds nothing."""
    nothing = {"weight": _full(shape, 0.0), "bias": _full(merged.arrays["bias"].shape, 0.0)}
    zeros = Stored(merged.place, f"{merged.name} (merged: zeros)", nothing)
    return TorchUnit(merged, None, True), TorchUnit(zeros, None, True, True)


# Theirs, as ours has it


def arrays_for(unit: Unit, given: TorchUnit) -> dict[Node, Stored]:
    """The arrays of each node of a unit of ours, from those of a unit of theirs, with all that would be lost."""
    others = {role: array for role, array in given.conv.arrays.items() if role != "weight"}
    if unit.norm is not None and given.is_folded:
        del others["bias"]
    elif unit.norm is None and given.norm is not None:
        others |= {f"norm {role}": array for role, array in given.norm.arrays.items()}
    kernel = {"kernel": _kernel(unit.node, given.conv)}
    found = {unit.node: Stored(given.conv.place, given.conv.name, kernel | others)}
    if unit.norm is not None and given.norm is not None:
        found[unit.norm] = _norm(given.norm)
    elif unit.norm is not None and given.is_folded:
        found[unit.norm] = _unfolded(given.conv, unit.norm)
    return found


def alone(node: Node, stored: Stored) -> Stored:
    """The arrays of a node that is no unit's, from theirs, or from a branch that is nothing."""
    if not isinstance(node.op, BatchNorm):
        return Stored(stored.place, f"{stored.name}.{SCALE}", {node.weights[0].name: stored.arrays[SCALE]})
    if "running_mean" in stored.arrays:
        return _norm(stored)
    nothing = {weight.name: _full(weight.shape, float(weight.name == "moving_variance")) for weight in node.weights}
    return Stored(stored.place, stored.name, nothing)


def _kernel(node: Node, stored: Stored) -> StoredArray:
    weight, axes = stored.arrays["weight"], AXES[type(node.op)]
    if len(weight.shape) != len(axes):
        return weight
    shape = tuple([weight.shape[axis] for axis in axes])
    return StoredArray(shape, weight.dtype, partial(_transposed, weight.read, axes))


def _transposed(read: Callable[[], Array], axes: Iterable[int]) -> Array:
    return read().transpose(*axes)


def _norm(stored: Stored) -> Stored:
    arrays = {own: stored.arrays[other] for own, other in NORM.items() if other in stored.arrays}
    rest = {name: array for name, array in stored.arrays.items() if name not in NORM.values()}
    return Stored(stored.place, stored.name, {**arrays, **rest})


def _unfolded(conv: Stored, norm: Node) -> Stored:
    """A batch norm that adds the bias of a convolution, and does nothing else."""
    bias = conv.arrays["bias"]
    fixed = {"gamma": 1.0, "moving_mean": 0.0, "moving_variance": 1.0 - norm.op.epsilon}  # type: ignore[attr-defined]
    arrays = {
        weight.name: bias if weight.name == "beta" else _full(weight.shape, fixed[weight.name])
        for weight in norm.weights
    }
    return Stored(conv.place, f"{conv.name}.bias", arrays)


def _full(shape: Shape, value: float) -> StoredArray:
    return StoredArray(shape, "float32", lambda: numpy.full(shape, value, "float32"))
