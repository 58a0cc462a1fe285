"""Layers in the slots of their sections: named layers, or a stage's down, pre, body and post."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from archdsl.blocks.registry import all_blocks
from archdsl.frontend.importers.network import INPUT, Entry, Network, Run, read_once, runs_of
from archdsl.frontend.importers.stages import HEAD, STEM, Sections

FORMS = ("sized", "first", "body", "runs", "post")
"""Ways to write a section, the shortest first. Each has what those after it have:

sized: `width` is the stage's. first: the first repeat of the body may have arguments of its own. body: the longest run
of a stage is its body. runs: layers that are the same in a row are one with a `depth`. post: every layer has its name.
"""
_NAMED = ("pre", "post")


class Placed(NamedTuple):
    """A run in a slot of its section."""

    section: str
    slot: str
    run: Run

    @property
    def full_name(self) -> str:
        return f"{self.section}_{self.run.name if self.slot in _NAMED else self.slot}"


def slots(network: Network, sections: Sections, form: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Each section as a config has it, and the full names of its layers."""
    placed: list[Placed] = []
    for section, names in sections.items():
        runs = _runs(network, names, is_joined=form != "post")
        is_stage = section not in (STEM, HEAD) and FORMS.index(form) <= FORMS.index("body")
        found = _in_slots(network, runs, FORMS.index(form) <= FORMS.index("first")) if is_stage else {"post": runs}
        placed += [Placed(section, slot, run) for slot, several in found.items() for run in several]
    full = {each.run.last: each.full_name for each in placed}
    written: dict[str, Any] = {section: {} for section in sections}
    before = INPUT
    for each in placed:
        entry = _written(each, before, {own.run.last: own for own in placed})
        _put(written[each.section], each, entry)
        before = each.run.last
    for section in written if form == "sized" else ():
        _size(written[section])
    return written, full


def _runs(network: Network, names: Sequence[str], is_joined: bool) -> list[Run]:
    return runs_of(network.layers, network.results if is_joined else list(network.layers), names)


def _in_slots(network: Network, runs: list[Run], has_first: bool) -> dict[str, list[Run]]:
    """The longest run is the body, and one layer before it the `down`."""
    place = max(range(len(runs)), key=lambda place: (runs[place].times, -place))
    body, before, after = runs[place], runs[:place], runs[place + 1 :]
    if has_first and before and (joined := _with_first(network, before[-1], body)):
        body, before = joined, before[:-1]
    if body.times == 1:
        return {"post": runs}
    slot = "down" if len(before) == 1 and before[0].times == 1 else "pre"
    return {slot: before, "body": [body], "post": after}


def _with_first(network: Network, before: Run, body: Run) -> Run | None:
    """The body with the layer before it as its first repeat, where the two differ in arguments only."""
    is_read_once = body.reads == (before.last,) and before.last in read_once(network.layers, network.results)
    is_alike = before.entry["block"] == body.entry["block"] and "share" not in before.entry
    if not is_read_once or not is_alike or before.times > 1:
        return None
    own, rest = ({**_defaults(network, body.entry["block"]), **run.entry} for run in (before, body))
    first = {key: own.get(key) for key in {**own, **rest} if own.get(key) != rest.get(key)}
    if None in first.values():
        return None
    return Run(before.name, body.last, body.entry, before.reads, body.times + 1, first or None)


def _defaults(network: Network, block: str) -> Mapping[str, Any]:
    if block in network.blocks:
        return network.blocks[block].arguments
    return {
        name: each.default for name, each in all_blocks()[block].parameters.items() if each.default is not each.empty
    }


def _written(placed: Placed, before: str, by_last: Mapping[str, Placed]) -> Entry:
    """The entry of a layer, with what it reads where that is not the layer before it."""
    run = placed.run
    entry = dict(run.entry)
    if "share" in entry:
        entry["share"] = _reference(entry["share"], placed.section, by_last)
    if run.times > 1 and placed.slot != "body":
        entry["depth"] = run.times
    if run.reads != (before,):
        sources = [_reference(each, placed.section, by_last) for each in run.reads]
        entry["from"] = sources if len(sources) > 1 else sources[0]
    return entry


def _reference(name: str, section: str, by_last: Mapping[str, Placed]) -> str:
    """What a layer of a section calls another: by its name, in another section with that of the section."""
    if name not in by_last:
        return name
    placed = by_last[name]
    return placed.run.name if placed.section == section and placed.slot in _NAMED else placed.full_name


def _put(section: dict[str, Any], placed: Placed, entry: Entry) -> None:
    run, slot = placed.run, placed.slot
    if placed.section in (STEM, HEAD):
        section[run.name] = entry
    elif slot in _NAMED:
        section.setdefault(slot, {})[run.name] = entry
    else:
        section |= {"depth": run.times} if slot == "body" else {}
        section[slot] = entry
        section |= {"first": run.first} if run.first else {}


def _size(stage: dict[str, Any]) -> None:
    """Make the width of the body that of its stage."""
    width = stage.get("body", {}).get("width")
    if width is None:
        return
    named = [entry for slot in _NAMED for entry in stage.get(slot, {}).values()]
    for entry in (stage["body"], stage.get("down", {}), *named):
        if entry.get("width") == width:
            del entry["width"]
    stated = dict(stage)
    stage.clear()
    stage |= {"width": width, **stated}
