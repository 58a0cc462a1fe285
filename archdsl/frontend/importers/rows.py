"""A network that is given as a list of layers, each with its inputs → stages by stride, and a neck, as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple, TypeAlias

from archdsl.frontend.yaml.writing import yaml_line

NECK, HEAD = "neck", "head"
OPEN = (NECK, HEAD)  # sections of layers; the others are stages
Strides: TypeAlias = tuple[int, int]


class Value(NamedTuple):
    """The result of a layer: its full name, its channels where they are counted, and its strides, down and across."""

    name: str
    channels: int
    strides: Strides


@dataclass
class Rows:
    """The layers so far: `parts` are stages, neck and head, with the layers of each by name."""

    parts: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    values: list[Value] = field(default_factory=list)
    last: str = "input"
    in_neck: bool = False
    in_head: bool = False

    def add(self, name: str, layer: dict[str, Any], inputs: Sequence[Value], channels: int, strides: Strides) -> Value:
        """Write a layer into the part that it belongs to."""
        part = self._part(strides)
        is_down = part not in OPEN and not self.parts[part] and prod(strides) > 1
        key = "down" if is_down else name
        names = [each.name for each in inputs]
        origin = {} if names == [self.last] else {"from": names[0] if len(names) == 1 else names}
        self.parts[part][key] = layer | origin
        self.last = f"{part}_{key}"
        return Value(self.last, channels, strides)

    def _part(self, strides: Strides) -> str:
        """The last stage, a new one where a map is smaller than all before, or the neck or head."""
        last = next(reversed(self.parts), "")
        largest = max([prod(value.strides) for value in self.values], default=0)
        stage = last if last and prod(strides) <= largest else stage_name(*strides)
        name = HEAD if self.in_head else NECK if self.in_neck else stage
        self.parts.setdefault(name, {})
        return name

    def lines(self) -> Iterator[str]:
        """`stages`, `neck` and `head` of the config."""
        yield "stages:\n"
        for part, layers in self.parts.items():
            if part in OPEN:
                yield f"{part}:\n"
                yield from [f"  {key}: {yaml_line(layer)}\n" for key, layer in layers.items()]
            else:
                yield from _stage(part, dict(layers))


def _stage(name: str, layers: dict[str, dict[str, Any]]) -> Iterator[str]:
    down = layers.pop("down", None)
    yield f"  {name}:\n"
    yield f"    down: {yaml_line(down)}\n" if down else "    down: null\n"
    yield from ["    post:\n"] if layers else []
    yield from [f"      {key}: {yaml_line(layer)}\n" for key, layer in layers.items()]


def stage_name(down: int, across: int) -> str:
    """p3 for a stride of 8; a name without a promise for one that is not a power of two, or not that of both sides."""
    if down != across:
        return f"stride{down}x{across}"
    return f"p{down.bit_length() - 1}" if down.bit_count() == 1 else f"stride{down}"
