"""How the files of a config become one mapping."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from archdsl.diagnostics.problems import Mark
from archdsl.frontend.compose.interpolation import refuse_extending
from archdsl.frontend.source import KeyPath, Place, Source, forget_inside, set_places


def merge(sources: Sequence[Source]) -> tuple[dict[str, Any], dict[KeyPath, Place]]:
    """One mapping out of several: mappings merge key by key, anything else of a later file replaces the earlier.

    It is not to be written to: what only one of them sets is still a part of that one.
    """
    values: dict[str, Any] = {}
    places: dict[KeyPath, Place] = {}
    for source in sources:
        if values:
            refuse_extending(values, source.values, source.places)
            forget_inside(places, replaced_by(source.values, values))
        values = merged(values, source.values)
        if places and not source.places:  # values from Python on top of files, which are not to blame for them
            place = Mark(source.file)
            set_places(places, (), source.values, Place(place, place))
        places.update(source.places)
    values.pop("defaults", None)
    return values, places


def merged(values: Mapping[str, Any], addition: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with an `addition`, of which neither changes."""
    made = {**values, **addition}
    for key in values.keys() & addition.keys():
        if isinstance(values[key], dict) and isinstance(addition[key], dict):
            made[key] = merged(values[key], addition[key])
    return made


def replaced_by(addition: Mapping[str, Any], values: Mapping[str, Any], path: KeyPath = ()) -> Iterator[KeyPath]:
    """The mappings and lists of `values` that an `addition` replaces as a whole."""
    for key in values.keys() & addition.keys():
        present, item = values[key], addition[key]
        if isinstance(present, dict) and isinstance(item, dict):
            yield from replaced_by(item, present, (*path, key))
        elif isinstance(present, (dict, list)):
            yield (*path, key)


def copied(value: Any) -> Any:
    """A deep copy of plain data; several times faster than copy.deepcopy."""
    if isinstance(value, dict):
        return {key: copied(item) if isinstance(item, (dict, list)) else item for key, item in value.items()}
    return [copied(item) for item in value] if isinstance(value, list) else value
