"""The typed config: a network as parts of layers, each layer a block with its arguments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from archdsl.blocks.conventions import Conventions
from archdsl.blocks.registry import Block, exact_as_width
from archdsl.frontend.compose.config import Config, Location
from archdsl.frontend.sections import LEVELS
from archdsl.ir.node import Node, ShapeError
from archdsl.ir.types import FeatureMap

MOST = 1 << 24
"""Channels, and pixels of the image between two of a map, or of a map between two of the image."""
_LEAST = 1 / MOST


def _beyond(result: Node, name: str) -> ShapeError:
    found = ShapeError(f"{result.channels:,} channels at stride {result.type.stride:g}; expected at most {MOST:,}")
    found.scopes = [name]
    return found


def _miscounted(block: Block, count: int, name: str) -> ShapeError:
    """A name may stand for several results, one for each level, so that this is known only where the block runs."""
    names = block.inputs or ()
    more = "write `each:` to run it once for each of them, or read one by its own name"
    hint = more if count > len(names) else f"name as many: from: [{', '.join(names)}]"
    found = ShapeError(f"block '{block.name}' has {inputs_of(block)}, got {count}", hint)
    found.scopes = [name]
    return found


def passed_on(results: list[Node], inputs: Sequence[Node]) -> list[Node]:
    """What the next repeat of a layer gets: all results, where they are as many as the inputs; else the last one."""
    return results if len(results) == len(inputs) else results[-1:]


class LayerSpec(NamedTuple):
    """One block with its arguments. `name` is its full name, `at` its entry in the config.

    `repeats` is how often it runs, None for a layer that does not set it, in a block of the config's own perhaps a
    `$name`; `first` and `last` are what the first and the last repeat set differently. `sources` are the names in
    `from:`, empty for the layer before; it runs once for each name in `each`. `share` names the layer whose weights it
    uses; True has one set of weights for all of `each`. Inside a block it is left out unless `when` holds.
    """

    name: str
    at: Location
    block: Block
    arguments: Mapping[str, Any]
    sources: tuple[str, ...] = ()
    repeats: int | None = None
    first: Mapping[str, Any] = MappingProxyType({})
    last: Mapping[str, Any] = MappingProxyType({})
    each: tuple[str, ...] = ()
    share: str | bool = False
    when: tuple[str, ...] = ()

    @property
    def reads(self) -> tuple[str, ...]:
        """The names of all layers that it reads."""
        return (*self.sources, *self.each, *([self.share] if isinstance(self.share, str) else []))

    def of(self, config: Config) -> LayerSpec:
        """The same entry of another config that says the same there."""
        return LayerSpec(self.name, Location(config, self.at.path), *self[2:])

    def runs(self, name: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Name and arguments of every repeat; `name` is that of the layer at one of `each`."""
        count, name = self.repeats or 1, name or self.name
        if count == 1:
            yield name, exact_as_width(self.block, {**self.arguments, **self.first, **self.last})
            return
        for number in range(1, count + 1):
            first = self.first if number == 1 else {}
            last = self.last if number == count else {}
            yield f"{name}_{number}", exact_as_width(self.block, {**self.arguments, **first, **last})

    def apply(self, inputs: Sequence[Node], name: str, arguments: Mapping[str, Any], style: Conventions) -> Node:
        """The block on `inputs`, for one of the `runs`. Raises ShapeError for inputs that it does not take."""
        if self.block.inputs is not None and len(inputs) != len(self.block.inputs):
            raise _miscounted(self.block, len(inputs), name)
        if self.block.takes_style:
            arguments = {**arguments, "style": style}
        result = self.block(*inputs, name=name, **arguments)
        down, across = result.type.strides
        if result.channels > MOST or not _LEAST <= down <= MOST or not _LEAST <= across <= MOST:
            raise _beyond(result, name)
        return result


def inputs_of(block: Block) -> str:
    """`one input`, `2 inputs (x, skip)`."""
    names = block.inputs or ()
    return "one input" if len(names) == 1 else f"{len(names)} inputs ({', '.join(names)})"


class Output(NamedTuple):
    """An output: its public name, its stage or layer, its entry in the config."""

    name: str
    source: str
    at: Location


class PartSpec(NamedTuple):
    """A section of layers, or one stage of a section of stages: layers that run one after the other.

    `name` is what `freeze:` and `from:` call it, `at` its entry in the config. `is_stage` tells whether its result is a
    level.
    """

    name: str
    at: Location
    layers: tuple[LayerSpec, ...]
    is_stage: bool = False

    def of(self, config: Config) -> PartSpec:
        """The same part of another config that says the same there."""
        layers = tuple([layer.of(config) for layer in self.layers])
        return PartSpec(self.name, Location(config, self.at.path), layers, self.is_stage)

    @property
    def number(self) -> int | None:
        """N of a stage called pN, whose map is 2^N times smaller than the image."""
        return _number(self.name, "p") if self.is_stage else None

    @property
    def level(self) -> str:
        """Its public name: "P3" for stage p3, else its own."""
        return self.name if self.number is None else self.name.upper()

    @property
    def levels(self) -> list[tuple[int, str]]:
        """Number and full name of the layers that are levels, the finest first: n3, n4, … of a neck."""
        letter, prefix = LEVELS.get(self.name, ""), f"{self.name}_"
        numbers = [(_number(layer.name.removeprefix(prefix), letter), layer.name) for layer in self.layers]
        return sorted([(number, full) for number, full in numbers if number is not None])


@lru_cache(maxsize=1024)
def _number(name: str, letter: str) -> int | None:
    return int(name[1:]) if name[0] == letter and name[1:].isdecimal() else None


class Scale(NamedTuple):
    """What a size variant does to a family: widths × `width` under a cap of `max_width`, depths × `depth`."""

    width: float = 1.0
    depth: float = 1.0
    max_width: int | None = None
    divisor: int = 1
    least: float = 0.0
    depth_rounding: str = "nearest"

    def multiple(self, width: float, divisor: int | None = None) -> int:
        """The multiple of the divisor nearest to `width`, at least one, and at least the share `least` of it."""
        divisor = divisor or self.divisor
        rounded = max(1, round(width / divisor)) * divisor
        return rounded + divisor if rounded < self.least * width else rounded


UNSCALED = Scale()


@dataclass(frozen=True)
class NetworkSpec:
    """A whole network, its parts complete and in the order they run.

    `scale` is what is still to be done to its widths and depths, `at` is the config as a whole. `blocks` are those that
    the config defines itself, each after the ones that it is made of. `is_named` tells whether the config names its
    `outputs`; `freeze` are names of parts.
    """

    name: str
    at: Location
    input: FeatureMap
    rescale: bool
    style: Conventions
    scale: Scale
    parts: tuple[PartSpec, ...]
    outputs: tuple[Output, ...]
    blocks: tuple[Block, ...] = ()
    freeze: tuple[str, ...] = ()
    is_named: bool = False

    @property
    def stages(self) -> tuple[PartSpec, ...]:
        """The parts whose results are levels."""
        return tuple([part for part in self.parts if part.is_stage])

    @property
    def layers(self) -> Iterator[LayerSpec]:
        """The layers of all parts, in the order they run."""
        return (layer for part in self.parts for layer in part.layers)

    def entry(self, path: str) -> Location:
        """The entry that a node's origin names."""
        return self._entries.get(path) or self.at.inside(*path.split("."))

    @cached_property
    def _entries(self) -> Mapping[str, Location]:
        return {str(layer.at): layer.at for layer in self.layers}
