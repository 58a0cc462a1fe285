"""Renames a stage or a layer and all its uses in the text; the network stays the same."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from archdsl.analysis.explain import at as value_at
from archdsl.diagnostics.fixes import Edit, Range
from archdsl.frontend.scope import INPUT
from archdsl.frontend.sections import LAYER_SLOTS, STAGES, layer_of
from archdsl.frontend.sema.schema import NAME
from archdsl.frontend.source import ABSENT, KeyPath, dotted
from archdsl.ir.graph import Graph
from archdsl.tools.editing.definition import KEY, REFERENCE, base_of, keys_of
from archdsl.tools.editing.document import Document
from archdsl.tools.editing.fixing import applied
from archdsl.tools.editing.names import Found, Naming, is_slot
from archdsl.tools.editing.places import At
from archdsl.tools.editing.surroundings import Surroundings, surroundings
from archdsl.tools.editing.written import Spot

_MOST = 64


class Renamed(NamedTuple):
    """The edits; or none, and `refused` gives the reason."""

    edits: tuple[Edit, ...]
    refused: str = ""


class Renameable(NamedTuple):
    """A name that can be changed, and the word where it is used."""

    range: Range
    name: str


def prepare_rename(document: Document, line: int, column: int) -> Renameable | str:
    """The name of the stage or layer at the place, or the reason why it cannot be changed."""
    around = surroundings(document)
    at = around.at(line, column)
    target = _target(around, at)
    if isinstance(target, str):
        return target
    return Renameable(around.index.range(at.start, at.end), str(target[-1]))


def rename(document: Document, line: int, column: int, name: str) -> Renamed:
    """The edits that rename the stage or layer at the place: its key and all its uses."""
    around = surroundings(document)
    target = _target(around, around.at(line, column))
    if isinstance(target, str):
        return Renamed((), target)
    refused = _refused(around, target, name)
    if refused:
        return Renamed((), refused)
    edits = _Change(around, target, name).edits()
    return _proven(document, edits)


def _target(around: Surroundings, at: At) -> KeyPath | str:
    """The entry meant at the place, in the whole config; or the reason why it cannot be renamed."""
    if not at.role or not at.word:
        return "there is no name here"
    path = at.path
    if at.role == "value":
        naming = around.names.naming(path)
        meant = next(around.names.meanings(naming, at.word.strip("\"'")), None) if naming else None
        if meant is None:
            return f"'{at.word[:_MOST]}' is not the name of a stage or a layer"
        path = meant.name.path
    if not _is_named(path):
        return f"'{dotted(path)[:_MOST]}' is not a stage or a layer with a name of its own"
    path = (STAGES.defaults, *path[2:]) if _is_filled(around, path) else path
    if around.own_path(path) not in around.index.entries:
        place = around.inherited_range(path)
        return (
            f"'{path[-1]}' is defined in {place.file}, line {place.line}" if place else f"'{path[-1]}' is not defined"
        )
    if place := around.inherited_range(path):
        return f"'{path[-1]}' is defined in {place.file}, line {place.line}; this text only changes it"
    return path


def _is_named(path: KeyPath) -> bool:
    is_stage = path[:1] == (STAGES.name,) and len(path) == 2
    return is_stage or (layer_of(path) == path != () and not is_slot(path))


def _is_filled(around: Surroundings, path: KeyPath) -> bool:
    """Whether a layer of a stage comes from stage_defaults."""
    is_inside = path[0] == STAGES.name and len(path) == 4
    return is_inside and value_at(around.values, (STAGES.defaults, *path[2:])) is not ABSENT


def _refused(around: Surroundings, target: KeyPath, name: str) -> str:
    """The reason against the new name; empty for none."""
    if not re.fullmatch(NAME, name) or len(name) > _MOST:
        return f"'{name[:_MOST]}' is not a name: small letters, digits and _, at most {_MOST}, a letter first"
    is_taken = name in around.keys(target[:-1]) or name == INPUT or (len(target) == 4 and name in LAYER_SLOTS)
    if is_taken or (target[0] == "blocks" and name in around.names.inside(target[:2])):
        return f"there is '{name}' already"
    if around.document.report is None:
        return "the text has errors; names can be followed once they are fixed"
    return ""


class _Change:
    """Rewrites every word for an entry, `target`, that is now called `name`."""

    def __init__(self, around: Surroundings, target: KeyPath, name: str):
        self.around = around
        self.names = around.names
        self.old = str(target[-1])
        self.name = name
        self.targets = {target, *self._in_stages(target)}
        self._open: set[KeyPath] = set()

    def _in_stages(self, target: KeyPath) -> Iterator[KeyPath]:
        """The same layer in every stage, if it comes from stage_defaults."""
        if target[0] == STAGES.defaults:
            yield from ((STAGES.name, stage, *target[1:]) for stage in self.around.keys((STAGES.name,)))

    def edits(self) -> tuple[Edit, ...]:
        """All edits, in the order of the text."""
        words = [spot for spot in self.around.index.scanned.spots if spot.is_word]
        return tuple([edit for spot in words for edit in self._in_word(spot) if edit is not None])

    def _edit(self, start: int, end: int, text: str) -> Edit | None:
        written = self.around.index.text[start:end]
        quote = written[:1] if written[:1] in ("'", '"') else ""
        changed = f"{quote}{text}{quote}"
        return Edit(self.around.index.range(start, end), changed) if changed != written else None

    def _in_word(self, spot: Spot) -> Iterator[Edit | None]:
        assert spot.end is not None
        written = self.around.index.text[spot.start : spot.end]
        word, path = written.strip("\"'"), self.around.network_path(spot.path)
        if spot.role == "key":
            if (*path, word) in self.targets:
                yield self._edit(spot.start, spot.end, self.name)
        elif "${" in written:
            for found in REFERENCE.finditer(written):
                start = spot.start + found.start(2)
                yield self._edit(start, start + len(found[2]), self._reference(path, found))
        elif naming := self.names.naming(path):
            yield self._edit(spot.start, spot.end, self.word(naming, word))

    def _reference(self, path: KeyPath, found: re.Match[str]) -> str:
        """The keys of a reference, with the new name where it leads through the entry."""
        keys, base = found[2], base_of(path, found[1])
        for target in self.targets:
            if len(target) > len(base) and (*base, *keys_of(keys))[: len(target)] == target:
                step = list(KEY.finditer(keys))[len(target) - 1 - len(base)]
                return keys[: step.start()] + self.name + keys[step.end() :]
        return keys

    def word(self, naming: Naming, word: str) -> str:
        """A name as it must be written after the change."""
        for meant in self.names.meanings(naming, word):
            changed = self._changed(meant, word)
            if changed != word:
                return changed
        return word

    def _changed(self, meant: Found, word: str) -> str:
        """The word for a meaning after the change; a prefix that it leaves out stays left out."""
        rest = self._rest(meant)
        is_target = meant.name.path in self.targets
        if is_target and len(meant.name.path) == 2 and meant.name.path[0] == STAGES.name:
            return f"{self.name}{rest}"
        if is_target:
            return f"{word[: len(word) - len(self.old) - len(meant.rest)]}{self.name}{rest}"
        beginning = word[: len(word) - len(meant.rest)]
        is_inside = meant.name.path[:2] in self.targets and meant.name.part and not meant.left_out
        return (self.name + beginning.removeprefix(self.old) if is_inside else beginning) + rest

    def _rest(self, meant: Found) -> str:
        """The suffix after the change: results of `each` are called after the layers they are for."""
        suffixes = self._suffixes(meant.name.path) if meant.rest else {}
        found = next((old for old in suffixes if meant.rest == f"_{old}" or meant.rest.startswith(f"_{old}_")), "")
        return f"_{suffixes[found]}{meant.rest[len(found) + 1 :]}" if found else meant.rest

    def _suffixes(self, layer: KeyPath) -> Mapping[str, str]:
        """The suffixes of the results of a layer with `each`, old to new."""
        stated = self.around.value((*layer, "each"))
        naming = self.names.naming((*layer, "each"))
        words = [stated] if isinstance(stated, str) else stated
        if not isinstance(words, list) or naming is None or layer in self._open:
            return {}
        self._open.add(layer)
        found: dict[str, str] = {}
        for word in [each for each in words if isinstance(each, str)]:
            meant = next(self.names.meanings(naming, word), None)
            inner = self._suffixes(meant.name.path) if meant and not meant.rest else {}
            found |= inner or {word: self.word(naming, word)}
        self._open.discard(layer)
        return found


def _proven(document: Document, edits: tuple[Edit, ...]) -> Renamed:
    """The edits, if the network stays the same with them."""
    found = document.with_text(applied(document.text, edits))
    if found.report is None or document.report is None:
        problem = found.problems[0]
        return Renamed((), f"the text would have an error: line {problem.line}: {problem.fact}")
    if _figures(found.report.outline) != _figures(document.report.outline):
        return Renamed((), "the network would change: its outputs, or what a layer reads, depend on this name")
    return Renamed(edits)


def _figures(graph: Graph) -> Any:
    """Everything about a network except its names."""
    number = {node: place for place, node in enumerate(graph.nodes)}
    layers = [(node.type, node.cost, [number[source] for source in node.inputs]) for node in graph.nodes]
    owners = [node.owner and number[node.owner] for node in graph.nodes]
    frozen = [graph.is_frozen(node) for node in graph.nodes]
    return layers, owners, frozen, [number[node] for node in graph.outputs.values()]
