"""A Keras layer as an entry of a config, and what its arguments must be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

Entry: TypeAlias = dict[str, Any]
"""A layer of a config without its name and inputs: a block and its arguments."""
Shapes: TypeAlias = list[tuple[int | None, ...]]
Said: TypeAlias = Callable[[Any, Shapes], list[Entry]]


class Unsayable(Exception):
    """A layer for which the language has no words; its text is the reason."""


def only(layer: Any, **values: Any) -> None:
    """Raises Unsayable unless the arguments have these values, the only ones that the language has."""
    for name, expected in values.items():
        found = getattr(layer, name, expected)
        if found != expected:
            raise Unsayable(f"has {name}={found!r}; the language has {expected!r} only")


def scalar_or_pair(value: Any) -> int | list[int]:
    """3 for (3, 3), [3, 5] for (3, 5)."""
    sides = [int(side) for side in value] if isinstance(value, Sequence) else [int(value)]
    return sides[0] if len(set(sides)) == 1 else sides


def entry(block: str, defaults: Mapping[str, Any], **arguments: Any) -> Entry:
    """A block with those of its arguments that are not its defaults."""
    return {"block": block, **{name: value for name, value in arguments.items() if value != defaults.get(name, ...)}}


def over_channels(layer: Any, shape: Sequence[Any]) -> None:
    axes = list(layer.axis) if isinstance(layer.axis, Sequence) else [layer.axis]
    if axes not in ([-1], [len(shape) - 1]):
        raise Unsayable(f"has axis={layer.axis!r}; the language has the last only")
