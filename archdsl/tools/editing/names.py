"""The names of stages and layers in a config, the places that use them, and their meaning there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from archdsl.analysis.explain import at
from archdsl.frontend.budget import DEFAULT
from archdsl.frontend.compose.order import in_order
from archdsl.frontend.scope import INPUT, full_names
from archdsl.frontend.sections import GROUPS, NAMED_SLOTS, SECTIONS, STAGES, layer_of
from archdsl.frontend.source import KeyPath
from archdsl.frontend.values import MAX_KEY

_SOURCES = ("from", "each", "share")


class Name(NamedTuple):
    """A stage, a section, or a layer: its full name, its entry in the whole config, and the part it is in."""

    full: str
    path: KeyPath
    part: str

    @property
    def short(self) -> str:
        """The name for layers of the same part."""
        return self.full.removeprefix(f"{self.part}_")


class Found(NamedTuple):
    """The entry that a word means, the prefix of its full name that the word leaves out, and what follows the name.

    `rest` names one of several results of it, or something inside of it.
    """

    name: Name
    left_out: str
    rest: str


class Naming(NamedTuple):
    """The kind of thing that the words at a key path name.

    Of the network: anything in it, as layers of one of `parts` call it. Of a block or a mapping, `holder`: its layers,
    or the other entries.
    """

    of: str
    holder: KeyPath = ()
    parts: tuple[str, ...] = ("",)


class Names:
    """All names of a config, in the order they run. The values need not be valid."""

    def __init__(self, values: Mapping[str, Any]):
        self.values = values
        self.known: dict[str, Name] = {}
        for section in SECTIONS:
            entries = _mapping(values.get(section.name))
            if section.has_stages:
                filler = _mapping(values.get(section.defaults))
                for stage in _ordered(entries):
                    if len(self.known) > DEFAULT.layers:  # no network may have more
                        break
                    self._add_stage(stage, (section.name, stage), {**filler, **_mapping(entries[stage])}, filler)
            else:
                self._add_layers(entries, section.name, (section.name,))
                self._add(section.name, (section.name,), section.name)

    def _add(self, full: str, path: KeyPath, part: str) -> None:
        self.known.setdefault(full, Name(full, path, part))

    def _add_layers(self, entries: Mapping[str, Any], part: str, path: KeyPath) -> None:
        for layer in _ordered(entries):
            self._add(f"{part}_{layer}", (*path, layer), part)

    def _add_stage(self, name: str, path: KeyPath, stage: Mapping[str, Any], filler: Mapping[str, Any]) -> None:
        for slot in ("down", "pre", "body", "post"):
            if slot in NAMED_SLOTS:
                layers = {**_mapping(filler.get(slot)), **_mapping(stage.get(slot))}
                self._add_layers(layers, name, (*path, slot))
            elif stage.get(slot) is not None:
                self._add(f"{name}_{slot}", (*path, slot), name)
        self._add(name, path, name)

    @property
    def layers(self) -> list[Name]:
        """Stages and layers, without the sections."""
        return [name for name in self.known.values() if len(name.path) > 1]

    @property
    def parts(self) -> list[Name]:
        """Stages, and sections that have layers."""
        held = {name.part for name in self.layers}
        return [name for name in self.known.values() if name.full == name.part and name.part in held]

    def find(self, word: str, part: str = "") -> Found | None:
        """The meaning of a word to a layer of `part`; to `outputs` if that is empty."""
        if not 0 < len(word) <= MAX_KEY:
            return None
        candidates = full_names(word, part, GROUPS[::-1])
        for full in candidates:
            if full in self.known:
                return Found(self.known[full], full.removesuffix(word), "")
        for full in candidates:
            left_out = full.removesuffix(word)
            for beginning in _beginnings(word):
                if found := self.known.get(left_out + beginning):
                    return Found(found, left_out, word.removeprefix(beginning))
        return None

    def before(self, path: KeyPath) -> list[Name]:
        """The names a layer can read: those that run before it."""
        own = next((number for number, name in enumerate(self.known.values()) if name.path == path), None)
        return list(self.known.values())[:own]

    def naming(self, path: KeyPath) -> Naming | None:
        """The kind of name that is the value at a path; None if it is not a name."""
        key_path = tuple([step for step in path if type(step) is str])
        if not key_path:
            return None
        key = key_path[-1]
        if key_path[0] in ("outputs", "freeze"):
            return Naming("network") if len(key_path) <= 2 else None
        if key_path[0] == "blocks":
            return _naming_in_block(key_path)
        layer = layer_of(key_path)
        if layer and key_path == (*layer, key):
            if key in _SOURCES:
                return Naming("network", layer, self._parts(layer))
            return Naming("entries", layer[:-1]) if key == "after" else None
        is_stage = key_path[0] == STAGES.name and len(key_path) == 3 and key == "after"
        return Naming("entries", key_path[:1]) if is_stage else None

    def _parts(self, layer: KeyPath) -> tuple[str, ...]:
        """The parts that a layer is in: for one of stage_defaults, every stage."""
        if layer[0] == STAGES.defaults:
            return tuple(_mapping(self.values.get(STAGES.name))) or ("",)
        return (str(layer[1] if layer[0] == STAGES.name else layer[0]),)

    def meanings(self, naming: Naming, word: str) -> Iterator[Found]:
        """The meanings of a word at such a place, one for each part."""
        if naming.of == "network":
            yield from (found for part in naming.parts if (found := self.find(word, part)))
            return
        layers = (*naming.holder, "layers") if naming.of == "block" else naming.holder
        known = _mapping(at(self.values, layers))
        for name in (word, *_beginnings(word)):
            if name in known:
                yield Found(Name(name, (*layers, name), ""), "", word.removeprefix(name))
                return

    def inside(self, block: KeyPath) -> list[str]:
        """The inputs of a block of the config's own."""
        inputs = at(self.values, (*block, "inputs"))
        return [each for each in inputs if isinstance(each, str)] if isinstance(inputs, list) else [INPUT]


def is_slot(layer: KeyPath) -> bool:
    """Whether a layer is the `down` or `body` of a stage, which has no name of its own."""
    return layer[0] in (STAGES.name, STAGES.defaults) and layer[-2] not in NAMED_SLOTS


def _naming_in_block(path: KeyPath) -> Naming | None:
    block, key = path[:2], path[-1]
    if path[2:] == ("results",):
        return Naming("block", block)
    if path[2:3] != ("layers",) or len(path) < 5:
        return None
    if (key == "from" and len(path) == 5) or (key == "of" and len(path) == 6):
        return Naming("block", block)
    return Naming("entries", path[:3]) if key == "after" and len(path) == 5 else None


def _beginnings(word: str) -> Iterator[str]:
    """The words it starts with: p4_body, p4 for p4_body_2."""
    cut = min(len(word), MAX_KEY)
    while (cut := word.rfind("_", 0, cut)) > 0:
        yield word[:cut]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _ordered(entries: Mapping[str, Any]) -> Iterable[str]:
    """Entries in the order they run, without those set to null; those of unknown order last."""
    after = {name: _mapping(entry).get("after") for name, entry in entries.items() if entry is not None}
    names = {name: before if isinstance(before, str) else None for name, before in after.items()}
    order, others = in_order(names)
    return [*order, *others]
