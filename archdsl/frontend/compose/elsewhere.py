"""Keys at a level where a config does not have them: where it has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from archdsl.diagnostics.hint import Hint
from archdsl.diagnostics.problems import Mark
from archdsl.frontend.compose.override_grammar import OVERRIDE
from archdsl.frontend.source import KeyPath, Source, dotted

_MOST = 3
_CLASSES = "classes"
_CALLED = dict.fromkeys(("nc", "num_classes", "n_classes", "class_count"), _CLASSES)
_COUNTS = (_CLASSES, "units", "filters", "width")


def override_elsewhere(values: Any, path: KeyPath, rest: Sequence[str]) -> str:
    """The hint for an override of a key that is not there; `rest` is what it names inside of it. May be empty."""
    found = [dotted((*each, *rest)) for each in _elsewhere(values, path)]
    if len(found) > _MOST:
        return f"write the whole key, such as {found[0]}"
    told = " or ".join([f"'{each}'" for each in found])
    return Hint(f"did you mean {told}?", *found, wrong=dotted((*path, *rest))) if found else ""


def number_elsewhere(history: Sequence[Source], path: KeyPath, number: int, place: Mark) -> str:
    """The hint for a number of channels or classes that is set beside the key that has it; may be empty.

    `history` is that of a Config, and `place` where the number is.
    """
    count = next(filter(None, [count_in(inside(source.values, path)) for source in history]), "")
    found = [(*path, count)] if count else []
    if not count and str(path[-1]) in (*_CALLED, _CLASSES):
        found = [each for source in history for each in _elsewhere(source.values, path)]
        found = [each for each in found if each[-1] in _COUNTS]
    if not found:
        return ""
    if place.file.startswith(OVERRIDE):
        return f"write {dotted(found[0])}={number}"
    text = str(number)
    for key in reversed(found[0][1:]):
        text = f"{{{key}: {text}}}"
    return f"write {found[0][0]}: {text}"


def _elsewhere(values: Any, path: KeyPath) -> list[KeyPath]:
    """The keys called as the last of `path`, deeper in the same mapping, or else anywhere: the first few."""
    name = _CALLED.get(str(path[-1]), str(path[-1]))
    for root in (path[:-1], ()):
        found = (each for each in _keys_called(name, inside(values, root), root) if each != path)
        if first := list(islice(found, _MOST + 1)):
            return first
    return []


def _keys_called(name: str, value: Any, path: KeyPath) -> Iterator[KeyPath]:
    """The paths of the keys with this name; of layers called `classes`, those of what says how many there are."""
    for key, item in value.items() if isinstance(value, dict) else ():
        if key == name:
            count = count_in(item) if name == _CLASSES else ""
            yield (*path, key, count) if count else (*path, key)
        else:
            yield from _keys_called(name, item, (*path, key))


def inside(values: Any, path: Sequence[str | int]) -> Any:
    """The value at `path` in nested mappings; None if there is none."""
    for key in path:
        values = values.get(key) if isinstance(values, dict) else None
    return values


def count_in(layer: Any) -> str:
    """The key that says how many channels or classes a layer gives; empty where it has none."""
    return next((key for key in _COUNTS if isinstance(layer, dict) and type(layer.get(key)) is int), "")
