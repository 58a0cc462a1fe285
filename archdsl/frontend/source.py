"""A config as it was given: plain values, and the place of each. What comes from Python has the limits of a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from archdsl.diagnostics.problems import Mark

_MAX_INDEX_DIGITS = 9

KeyPath = tuple[str | int, ...]


ABSENT: Any = type("Absent", (), {"__repr__": lambda self: "absent"})()
"""What stands for the value of a key that an override deletes."""


class Place(NamedTuple):
    """Where an entry stands: its key (or list item) and its value."""

    key: Mark
    value: Mark


Places = Mapping[KeyPath, Place]


@dataclass(frozen=True)
class Source:
    """What one file, dict or override sets. Read-only by convention.

    `chosen_at` is where a Defaults List or an override chooses it, for the option of a group.
    """

    file: str
    values: dict[str, Any]
    places: Places = field(default_factory=dict)
    package: str = ""  # Hydra's `# @package` header, which says under what key a parent's values go
    chosen_at: Mark | None = None

    def place(self, path: KeyPath) -> Place:
        """Where `path` stands, or the nearest entry around it."""
        return nearest_place(self.places, path, self.file)


def nearest_place(places: Places, path: KeyPath, file: str) -> Place:
    for length in range(len(path), -1, -1):
        if path[:length] in places:
            return places[path[:length]]
    return Place(Mark(file), Mark(file))


def dotted(path: KeyPath) -> str:
    """`stages.p3.width`, the form that overrides use."""
    return ".".join(map(str, path))


def set_places(places: dict[KeyPath, Place], path: KeyPath, value: Any, place: Place) -> None:
    """Give `value`, found at `path`, and everything inside it one place."""
    places[path] = place
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        set_places(places, (*path, key), item, place)


def forget_inside(places: dict[KeyPath, Place], paths: Iterable[KeyPath]) -> None:
    """Forget the places inside of what is at these paths: a mapping or a list that another value replaces."""
    replaced = set(paths)
    depths = {len(path) for path in replaced}
    for path in [path for path in places for depth in depths if depth < len(path) and path[:depth] in replaced]:
        places.pop(path, None)  # once, of those inside of several


def key_path(text: str) -> KeyPath:
    """`dotted` the other way round; a number counts the items of a list."""
    return tuple([int(part) if is_index(part) else part for part in text.split(".")])


def is_index(text: str) -> bool:
    return text.isdecimal() and len(text) <= _MAX_INDEX_DIGITS
