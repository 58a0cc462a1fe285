"""Config text → plain values, and the place of each. Strict: whatever could mean two things is refused.

Numbers and words are read as in YAML 1.2: ``1e-3`` is a number, ``no`` is text, ``010`` is an error. There are
no tags and no merge keys. The text is read event by event under limits, so that no document can exhaust
memory or the stack.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from types import NoneType
from typing import Any, NamedTuple

import yaml

from archdsl.errors import ArchError, Mark, Note, Problem, describe, did_you_mean, fail, problem

MAX_DEPTH = 64
MAX_NODES = 50_000
MAX_SCALAR = 10_000

KeyPath = tuple[str | int, ...]
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_WORDS: dict[str, bool | None] = dict.fromkeys(("", "~", "null", "Null", "NULL"))
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(("false", "False", "FALSE"), False)
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*(?:_[0-9]+)*)")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_PACKAGE = re.compile(r"\s*#\s*@package +(\S+) *(?:[\r\n]|$)")
_MAX_DIGITS = 40
_MAX_INDEX_DIGITS = 9
_PLAIN_TYPES = (str, int, float, bool, NoneType, dict, list, tuple)


class Place(NamedTuple):
    """Where an entry stands: its key (or list item) and its value."""

    key: Mark
    value: Mark


Places = Mapping[KeyPath, Place]


@dataclass(frozen=True)
class Source:
    """One config as it was given: a file, a dict, or a part of one. Read-only by convention."""

    file: str
    values: dict[str, Any]
    places: Places = field(default_factory=dict)
    package: str = ""  # Hydra's `# @package` header, which says under what key a parent's values go

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
    """Everything inside `value`, which stands at `path`, has the place of the whole."""
    places[path] = place
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        set_places(places, (*path, key), item, place)


def key_path(text: str) -> KeyPath:
    """`dotted` the other way round; a number counts the items of a list."""
    return tuple([int(part) if is_index(part) else part for part in text.split(".")])


def is_index(text: str) -> bool:
    return text.isdecimal() and len(text) <= _MAX_INDEX_DIGITS


def read_text(text: str, file: str) -> Source:
    """The config in `text`; `file` is its name in messages.

    Raises ArchError: not YAML, not one mapping, a duplicate key, a tag, or beyond the limits.
    """
    strange = UNPRINTABLE.search(text)
    if strange:
        line = text.count("\n", 0, strange.start()) + 1
        column = strange.start() - text.rfind("\n", 0, strange.start())
        message = f"the character U+{ord(strange[0]):04X} is not allowed in YAML; expected plain text"
        raise fail("encoding", message, mark=Mark(file, line, column))
    reader = _Reader(file)
    try:
        values = reader.document(yaml.parse(text, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, file, text) from None
    if reader.problems:
        raise ArchError(reader.problems)
    if values is None:
        raise fail("empty", "no settings found; expected at least `stages:` or `defaults:`", mark=Mark(file))
    if not isinstance(values, dict):
        hint = "put a space after the colon" if isinstance(values, str) and ":" in values else ""
        message = f"the top level is {describe(values)}; expected a mapping"
        raise fail("type", message, mark=reader.places[()].value, hint=hint)
    header = _PACKAGE.match(text)
    return Source(file, values, reader.places, header[1] if header else "")


def read_mapping(values: Mapping[Any, Any], file: str = "<dict>") -> Source:
    """A config that came as Python values: copied, tuples made lists, keys checked."""
    plain = plain_copy(values, (), Mark(file))
    if not isinstance(plain, dict):  # a DictConfig may stand for nothing, or for an interpolation
        raise fail("type", f"expected a mapping, got {describe(plain)}", mark=Mark(file))
    return Source(file, plain)


def plain_copy(value: Any, path: KeyPath, mark: Mark) -> Any:
    """Python values as a config holds them, under the limits that texts have; they stand under `path`."""
    return _plain(value, path, mark, count(1))


def _plain(value: Any, path: KeyPath, mark: Mark, nodes: Iterator[int]) -> Any:
    if next(nodes) > MAX_NODES:  # a few lists that hold each other's items can stand for millions of values
        raise fail("limit", f"more than {MAX_NODES} values", mark=mark, path=dotted(path))
    if len(path) > MAX_DEPTH:
        raise fail("depth", f"nested deeper than {MAX_DEPTH}", mark=mark, path=dotted(path[:8]))
    if not isinstance(value, _PLAIN_TYPES):
        value = _without_omegaconf(value)
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                message = f"a key must be text, got {describe(key)}"
                raise fail("key", message, mark=mark, path=dotted(path), hint="names begin with a letter")
        return {key: _plain(item, (*path, key), mark, nodes) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, (*path, index), mark, nodes) for index, item in enumerate(value)]
    if isinstance(value, int) and abs(value) >= 10**_MAX_DIGITS:  # Python refuses to print those of over 4,300 digits
        message = f"a number of more than {_MAX_DIGITS} digits"
        raise fail("range", message, mark=mark, path=dotted(path), hint="write a smaller number")
    return value


def _without_omegaconf(value: Any) -> Any:
    """What a DictConfig or ListConfig holds, interpolations left as they are written."""
    omegaconf = sys.modules.get("omegaconf")  # who holds one has imported it
    if omegaconf is not None and omegaconf.OmegaConf.is_config(value):
        return omegaconf.OmegaConf.to_container(value, resolve=False)
    return value


class _Reader:
    """Builds values from YAML events and notes where each came from."""

    def __init__(self, file: str):
        self.file = file
        self.places: dict[KeyPath, Place] = {}
        self.problems: list[Problem] = []
        self._anchors: dict[str, Any] = {}
        self._nodes = 0

    def document(self, events: Iterator[yaml.Event]) -> Any:
        next(events)  # stream start
        if isinstance(next(events), yaml.StreamEndEvent):
            return None
        value = self._value(next(events), events, (), None)
        next(events)  # document end
        following = next(events)
        if isinstance(following, yaml.DocumentStartEvent):
            self._report("documents", "a second document begins here; expected one per file", following, ())
        return value

    def _value(self, event: yaml.Event, events: Iterator[yaml.Event], path: KeyPath, key: Mark | None) -> Any:
        mark = self._mark(event)
        self.places[path] = Place(key or mark, mark)
        self._count(event, path)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        assert isinstance(event, yaml.ScalarEvent | yaml.MappingStartEvent | yaml.SequenceStartEvent)
        self._refuse_tag(event, path)
        if isinstance(event, yaml.MappingStartEvent):
            value: Any = self._mapping(events, path)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(events, path)
        else:
            value = self._scalar(event, path)
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        return value

    def _refuse_tag(
        self, event: yaml.ScalarEvent | yaml.MappingStartEvent | yaml.SequenceStartEvent, path: KeyPath
    ) -> None:
        if event.tag is not None:
            self._report("tag", f"the tag {event.tag} is not allowed; a config is plain data", event, path)

    def _mapping(self, events: Iterator[yaml.Event], path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._key(event, events, path)
            mark = self._mark(event)
            if key in values:
                first = self.places[(*path, key)].key
                note = Note(first, f"the first '{key}' stands at")
                self._report("duplicate-key", f"the key '{key}' stands here a second time", event, path, notes=[note])
            values[key] = self._value(next(events), events, (*path, key), mark)
        return values

    def _key(self, event: yaml.Event, events: Iterator[yaml.Event], path: KeyPath) -> str:
        if isinstance(event, yaml.ScalarEvent):
            self._refuse_tag(event, path)
            value = self._scalar(event, path) if event.value != "<<" else None
            if event.value == "<<":
                hint = "inherit with `defaults:` instead"
                self._report("merge-key", "the merge key << is not allowed", event, path, hint)
            elif not isinstance(value, str):
                hint = f"write '{event.value}' in quotes if this is a name"
                self._report("key", f"a key must be text, got {event.value or 'nothing'}", event, path, hint)
            return str(event.value)
        self._report("key", "a key must be text", event, path)
        self._value(event, events, (*path, "?"), None)
        return "?"

    def _sequence(self, events: Iterator[yaml.Event], path: KeyPath) -> list[Any]:
        values: list[Any] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            values.append(self._value(event, events, (*path, len(values)), None))
        return values

    def _alias(self, event: yaml.AliasEvent, path: KeyPath) -> Any:
        name = str(event.anchor)
        if name not in self._anchors:
            message = f"nothing before this place is named &{name}"
            self._report("alias", message, event, path, did_you_mean(name, self._anchors))
            return None
        value = self._anchors[name]
        self._count(event, path, _size(value))
        set_places(self.places, path, value, self.places[path])
        return value

    def _scalar(self, event: yaml.ScalarEvent, path: KeyPath) -> Any:
        text = event.value
        if len(text) > MAX_SCALAR:
            self._report("limit", f"a text of {len(text)} characters; the limit is {MAX_SCALAR}", event, path)
            return ""
        if not event.implicit[0]:  # quoted, or a block of text
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _LEADING_ZERO.fullmatch(text):
            number = "-" * text.startswith("-") + (text.replace("_", "").lstrip("+-0") or "0")
            hint = f"write {number}, or quote it" if len(text) <= _MAX_DIGITS else ""
            self._report("leading-zero", f"{describe(text)} has a leading zero", event, path, hint)
            return 0
        if _INTEGER.fullmatch(text) or _OTHER_BASE.fullmatch(text):
            return self._integer(text, event, path)
        if _FLOAT.fullmatch(text):
            return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
        return text

    def _integer(self, text: str, event: yaml.ScalarEvent, path: KeyPath) -> int:
        if len(text) > _MAX_DIGITS:
            self._report("range", f"a number of {len(text)} digits; expected at most {_MAX_DIGITS}", event, path)
            return 0
        return int(text, 0)

    def _count(self, event: yaml.Event, path: KeyPath, nodes: int = 1) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise fail("limit", f"more than {MAX_NODES} values", mark=self._mark(event), path=dotted(path))
        if len(path) > MAX_DEPTH:
            raise fail("depth", f"nested deeper than {MAX_DEPTH}", mark=self._mark(event), path=dotted(path[:8]))

    def _mark(self, event: yaml.Event) -> Mark:
        start = event.start_mark
        return Mark(self.file, start.line + 1, start.column + 1) if start else Mark(self.file)

    def _report(
        self,
        code: str,
        message: str,
        event: yaml.Event,
        path: KeyPath,
        hint: str = "",
        notes: Sequence[Note] = (),
    ) -> None:
        found = problem(code, message, mark=self._mark(event), path=dotted(path), hint=hint, notes=notes)
        self.problems.append(found)


def _size(value: Any) -> int:
    """Number of values in `value`, itself included."""
    if isinstance(value, dict):
        return 1 + sum(map(_size, value.values()))
    return 1 + sum(map(_size, value)) if isinstance(value, list) else 1


def _syntax_error(error: yaml.MarkedYAMLError, file: str, text: str) -> ArchError:
    """PyYAML's error as one sentence at the place of the slip."""
    mark = error.problem_mark or error.context_mark
    place = Mark(file, mark.line + 1, mark.column + 1) if mark else Mark(file)
    lines = text.splitlines()
    line = lines[mark.line] if mark and mark.line < len(lines) else ""
    hint = ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        hint = "indent with spaces, not tabs"
    elif error.problem and "mapping values" in error.problem:
        hint = "quote the value, or put it on a line of its own"
    if mark and line[: mark.column + 1].endswith("${"):
        hint = "put quotes around a reference inside brackets: '${…}'"
    elif error.context_mark and error.context and "flow" in error.context:
        place = Mark(file, error.context_mark.line + 1, error.context_mark.column + 1)
        hint = hint or "close this bracket"
    return fail("syntax", f"not valid YAML: {error.problem or error.context}", mark=place, hint=hint)
