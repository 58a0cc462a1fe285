"""The sections of a config, in the order they run: the one place that lists them; the schema has a field for each.

A section holds named layers, or named stages, which are layers in slots. What an entry of a section of stages does not
set comes from the section's `defaults`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from archdsl.frontend.source import KeyPath


class Section(NamedTuple):
    """A top-level key with layers. `defaults` is the key that fills its stages; empty for a section of layers."""

    name: str
    defaults: str = ""
    is_open_ended: bool = False
    """Whether layers that nothing reads are results of the network."""
    level: str = ""
    """The letter before the number of a layer that is a level: n3, n4, … of a neck. They are the section's results."""

    @property
    def has_stages(self) -> bool:
        return bool(self.defaults)


STAGES = Section("stages", defaults="stage_defaults")
HEAD = Section("head", is_open_ended=True)
"""What it ends in is what a call returns, by name if that is several."""
SECTIONS = (Section("stem"), STAGES, Section("tail"), Section("neck", is_open_ended=True, level="n"), HEAD)
OPEN_ENDED = frozenset(section.name for section in SECTIONS if section.is_open_ended)
GROUPS = tuple(section.name for section in SECTIONS if not section.has_stages)
"""The config groups, as Hydra calls them: a section of layers may be a file of the folder that has its name."""
LAYER_SLOTS, NAMED_SLOTS = ("down", "body"), ("pre", "post")
"""The slots of a stage that hold one layer each, and those that hold named layers."""

LEVELS = {section.name: section.level for section in SECTIONS if section.level}

_BY_NAME = {section.name: section for section in SECTIONS}
_WITH_LAYERS = frozenset(key for section in SECTIONS for key in (section.name, section.defaults) if key)


def has_layers(path: KeyPath) -> bool:
    """Whether `path` is in a section, or in what fills one: widths and depths are scaled there."""
    return path[0] in _WITH_LAYERS


def default_of(path: KeyPath) -> KeyPath:
    """The key that fills `path` inside of a stage: stage_defaults.body for stages.p3.body; no key for any other."""
    section = _BY_NAME.get(str(path[0])) if len(path) > 1 else None
    return (section.defaults, *path[2:]) if section and section.has_stages else ()


def part_of(path: KeyPath) -> KeyPath:
    """What `path` is a part of, and `freeze` can name: a stage, or a whole section of layers."""
    section = _BY_NAME.get(str(path[0]))
    return path[:2] if section and section.has_stages else path[:1]


def layer_of(path: KeyPath) -> KeyPath:
    """The layer that `path` is or is inside of; no key for what is in none."""
    if path[:1] == ("blocks",):
        return path[:4] if len(path) > 3 and path[2] == "layers" else ()
    if not path or path[0] not in _WITH_LAYERS:
        return ()
    section = _BY_NAME.get(str(path[0]))
    if section and not section.has_stages:
        return path[:2] if len(path) > 1 else ()
    slot = 2 if section else 1
    end = slot + 2 if path[slot : slot + 1] and path[slot] in NAMED_SLOTS else slot + 1
    return path[:end] if len(path) >= end and path[slot] in (*LAYER_SLOTS, *NAMED_SLOTS) else ()


def ordered_entries(values: dict[str, Any]) -> list[Any]:
    """The values of every key of a config that may hold named stages or layers."""
    stages = [values.get(section.name) for section in SECTIONS if section.has_stages]
    held = [stage for entries in stages if isinstance(entries, dict) for stage in entries.values()]
    held += [values.get(section.defaults) for section in SECTIONS if section.has_stages]
    slots = [stage.get(slot) for stage in held if isinstance(stage, dict) for slot in NAMED_SLOTS]
    return [*[values.get(section.name) for section in SECTIONS], *slots]
