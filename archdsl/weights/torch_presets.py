"""Which preset a PyTorch checkpoint is of: that with its number of parameters, and its shapes in the same places."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from archdsl.frontend.compose.config import load
from archdsl.frontend.lower import compile_graph
from archdsl.frontend.presets import PresetInfo, list_presets
from archdsl.weights.formats.contents import Contents
from archdsl.weights.torch_matching import in_turn
from archdsl.weights.torch_units import Module, layers_of, modules_of

_COMPARED = 24  # presets of about as many parameters


def presets_of(contents: Contents) -> list[str]:
    """The presets that have the layers of the file, no more and no fewer."""
    modules = modules_of(contents)
    params = sum(map(params_of, modules))
    names = [info.name for info in _fresh() if info.params == params]
    return [name for name in names if (found := _likeness(name, modules)).same == found.layers == len(modules)]


class Likeness(NamedTuple):
    """How many of a preset's layers are those of a file, from the first to the first that differs."""

    name: str
    same: int
    layers: int


def nearest_of(contents: Contents) -> Likeness | None:
    """The preset of which most layers are in the file, of those that are not much smaller or larger than it."""
    modules = modules_of(contents)
    found = [_likeness(name, modules) for name in as_large_as(modules)]
    return max(found, key=lambda each: (each.same, each.same - each.layers), default=None)


def as_large_as(modules: list[Module]) -> list[str]:
    """The presets with about as many parameters, the nearest first."""
    params = sum(map(params_of, modules))
    infos = sorted(_fresh(), key=lambda info: abs((info.params or 0) - params))
    return [info.name for info in infos[:_COMPARED]]


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


def _likeness(name: str, modules: list[Module]) -> Likeness:
    layers = layers_of(compile_graph(load(name)))
    return Likeness(name, in_turn(layers, modules), len(layers))
