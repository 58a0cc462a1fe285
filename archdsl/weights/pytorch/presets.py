"""Which preset a PyTorch checkpoint is of: that with its number of parameters, and its shapes in the same places."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from archdsl.frontend.compose.config import load
from archdsl.frontend.lower import compile_graph
from archdsl.frontend.presets import PresetInfo, list_presets
from archdsl.weights.formats.contents import Contents
from archdsl.weights.pytorch.matching import in_turn
from archdsl.weights.pytorch.modules import Item, items_in_turn, used_items_of
from archdsl.weights.pytorch.units import Module, are_folded, layers_of, modules_of, owners_of

_COMPARED = 24  # presets of about as many parameters
_OF_AN_IMAGE = 7  # how an image of three channels is normalised, where a preset has it as an array


def presets_of(contents: Contents) -> list[str]:
    """The presets that have the layers of the file, no more and no fewer."""
    parts = _Parts.of(contents)
    least, most = parts.params, parts.params + _OF_AN_IMAGE
    names = [info.name for info in _fresh() if least <= (info.params or 0) <= most]
    if not names and are_folded(parts.modules):  # branches may be merged, which takes parameters away
        names = as_large_as(parts.params)
    return [name for name in names if (found := parts.likeness(name)).same == found.layers == parts.number]


class Likeness(NamedTuple):
    """How many of a preset's layers are those of a file, from the first to the first that differs."""

    name: str
    same: int
    layers: int


def nearest_of(contents: Contents) -> Likeness | None:
    """The preset of which most layers are in the file, of those that are not much smaller or larger than it."""
    parts = _Parts.of(contents)
    found = map(parts.likeness, as_large_as(parts.params))
    return max(found, key=lambda each: (each.same, each.same - each.layers), default=None)


def as_large_as(params: int) -> list[str]:
    """The presets with about as many parameters, the nearest first."""
    infos = sorted(_fresh(), key=lambda info: abs((info.params or 0) - params))
    return [info.name for info in infos[:_COMPARED]]


class _Parts(NamedTuple):
    """The numbered modules of a checkpoint, or else what has names of its own."""

    modules: list[Module]
    items: list[Item]

    @classmethod
    def of(cls, contents: Contents) -> _Parts:
        modules = modules_of(contents)
        return cls(modules, [] if modules else used_items_of(contents))

    @property
    def number(self) -> int:
        return len(self.modules) + len(self.items)

    @property
    def params(self) -> int:
        shapes = (shape for item in self.items for shape in item.stored.shapes)
        return sum(map(params_of, self.modules)) + sum(map(prod, shapes))

    def likeness(self, preset: str) -> Likeness:
        graph = compile_graph(load(preset))
        if self.items:
            return Likeness(preset, items_in_turn(graph, self.items), len(owners_of(graph)))
        layers = layers_of(graph)
        return Likeness(preset, in_turn(layers, self.modules), len(layers))


def params_of(module: Module) -> int:
    """Elements of the arrays of a module; a bias that a batch norm was folded into counts as that batch norm."""
    units = sum(
        prod(unit.shape)
        + sum(prod(array.shape) for name, array in unit.conv.arrays.items() if name != "weight")
        * (4 if unit.is_folded else 1)
        + (sum(map(prod, unit.norm.shapes)) if unit.norm else 0)
        for unit in module.units.values()
    )
    return units + sum(prod(shape) for stored in module.others for shape in stored.shapes)


def _fresh() -> list[PresetInfo]:
    """Presets without those that differ from another in their weights only."""
    return [info for info in list_presets() if info.params and not info.has_weights]
