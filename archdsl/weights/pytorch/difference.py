"""How the modules of a PyTorch checkpoint differ from the layers of a preset: parameters by part, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import NamedTuple

from archdsl.frontend.compose.config import load
from archdsl.frontend.lower import compile_graph
from archdsl.weights.formats.contents import Contents
from archdsl.weights.pytorch.matching import shapes_of
from archdsl.weights.pytorch.presets import as_large_as, params_of
from archdsl.weights.pytorch.units import Layer, Module, layers_of, modules_of

_PARTS = {"neck": "neck", "head": "head"}  # every other section is of the backbone
_BACKBONE = "backbone"


class Pair(NamedTuple):
    """A layer of a preset and the module in its place, or one of them; `is_same` if they have equal shapes."""

    layer: Layer | None
    module: Module | None
    is_same: bool


class Difference(NamedTuple):
    """What a preset and a checkpoint have in the same order."""

    preset: str
    pairs: list[Pair]

    def parts(self) -> dict[str, tuple[int, int]]:
        """Parameters of the preset and of the checkpoint, by part. A module that is more belongs to the part before."""
        found: dict[str, tuple[int, int]] = {}
        part = _BACKBONE
        for layer, module, _ in self.pairs:
            part = _PARTS.get(layer.path.partition(".")[0], _BACKBONE) if layer else part
            ours, theirs = found.get(part, (0, 0))
            found[part] = ours + (layer.params if layer else 0), theirs + (params_of(module) if module else 0)
        return found

    def others(self) -> list[Pair]:
        """The layers and modules that are not the same."""
        return [pair for pair in self.pairs if not pair.is_same]


def nearest_to(contents: Contents) -> Difference | None:
    """The difference to the preset that has most of its layers, of those about as large; None where none has any."""
    modules = modules_of(contents)
    found = [_difference(modules, name) for name in as_large_as(sum(map(params_of, modules)))]
    nearest = max(found, key=lambda each: (len(each.pairs) - len(each.others()), -len(each.others())), default=None)
    return nearest if nearest and len(nearest.others()) < len(nearest.pairs) else None


def _difference(modules: list[Module], preset: str) -> Difference:
    return Difference(preset, list(_pairs(layers_of(compile_graph(load(preset))), modules)))


def _pairs(layers: Sequence[Layer], modules: Sequence[Module]) -> Iterator[Pair]:
    """The longest runs that are the same, and between them what stands in the same place."""
    matcher = SequenceMatcher(None, list(map(shapes_of, layers)), list(map(shapes_of, modules)), autojunk=False)
    for kind, begin, end, other_begin, other_end in matcher.get_opcodes():
        for layer, module in zip_longest(layers[begin:end], modules[other_begin:other_end]):
            yield Pair(layer, module, kind == "equal")
