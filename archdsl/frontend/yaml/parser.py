"""Config text → plain values, and the place of each. Strict: anything ambiguous is refused.

There are no tags and no merge keys. The text is read event by event under limits, so that no document can exhaust
memory or the stack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from archdsl.diagnostics.codes import CodeName
from archdsl.diagnostics.hint import Hint
from archdsl.diagnostics.problems import ArchError, Gathered, Mark, Note, Problem, fail, problem
from archdsl.diagnostics.wording import describe, did_you_mean, joined
from archdsl.frontend.budget import DEFAULT, Budget
from archdsl.frontend.source import KeyPath, Place, Source, dotted, set_places
from archdsl.frontend.values import MAX_DEPTH, UNPRINTABLE, fault_of, key_fault, too_many_values
from archdsl.frontend.yaml.conformance import LINE_END, Layout, not_yaml
from archdsl.frontend.yaml.scalars import read_plain
from archdsl.frontend.yaml.syntax_errors import missing_space, other_line, other_text, strange_space, syntax_problem

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PACKAGE = re.compile(r"\s*#\s*@package +(\S+) *(?:[\r\n]|$)")
_TAG_DIRECTIVE = re.compile(r"^%TAG\b", re.MULTILINE)


def read_text(text: str, file: str, budget: Budget = DEFAULT) -> Source:
    """The config in `text`; `file` is its name in messages.

    Raises ArchError: not YAML, not one mapping, a duplicate key, a tag, or beyond the limits.
    """
    _refuse(text, file, UNPRINTABLE, "encoding", "the character U+{code:04X} is not allowed; expected plain text")
    _refuse(text, file, _TAG_DIRECTIVE, "tag", "tags are not allowed; a config is plain data")
    lines = LINE_END.split(text)
    reader = _Reader(file, Layout(lines), budget)
    try:
        values = reader.document(yaml.parse(text, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        raise ArchError([*reader.problems, syntax_problem(error, file, lines)]) from None
    other = other_text("\n".join(lines)) if reader.problems or not isinstance(values, dict) else None
    if other:
        raise ArchError([not_yaml(other, file)])
    if not isinstance(values, dict) and not reader.problems:
        raise _not_a_mapping(values, reader.places, file, lines)
    if reader.problems:
        raise ArchError(reader.problems)
    header = _PACKAGE.match(text)
    return Source(file, values, reader.places, header[1] if header else "")


def _refuse(text: str, file: str, pattern: re.Pattern[str], code: CodeName, message: str) -> None:
    """Raises ArchError at the first match."""
    found = pattern.search(text)
    if found:
        before = LINE_END.split(text[: found.start()])
        mark = Mark(file, len(before), len(before[-1]) + 1)
        raise fail(code, message.format(code=ord(found[0][0])), mark=mark, hint=Hint("take it out", "", wrong=found[0]))


def _not_a_mapping(values: Any, places: dict[KeyPath, Place], file: str, lines: list[str]) -> ArchError:
    if values is None:
        raise fail("empty", "no settings found; expected at least `stages:` or `defaults:`", mark=Mark(file))
    mark = places[()].value
    first = mark.line - 1
    why = strange_space(lines[first], first) or missing_space(lines, iter([first])) or other_line(lines, iter([first]))
    message = f"the top level is {describe(values)}; expected a mapping"
    if why:
        return fail("type", f"{message} ({why.message})", mark=why.mark._replace(file=file), hint=why.hint)
    return fail("type", message, mark=mark, hint="write `stages:`, and its keys indented below")


class _Reader:
    """Builds values from YAML events and notes where each came from."""

    def __init__(self, file: str, layout: Layout, budget: Budget):
        self.file = file
        self.budget = budget
        self.places: dict[KeyPath, Place] = {}
        self.problems = Gathered()
        self._layout = layout
        self._anchors: dict[str, Any] = {}
        self._unfinished: set[str] = set()  # anchors of what is being read: an alias in it would hold itself
        self._nodes = 0

    def document(self, events: Iterator[yaml.Event]) -> Any:
        next(events)  # stream start
        if isinstance(next(events), yaml.StreamEndEvent):
            return None
        value = self._value(next(events), events, (), None)
        next(events)  # document end
        following = next(events)
        if isinstance(following, yaml.DocumentStartEvent):
            hint = "put each config in a file of its own"
            message = "a second document begins here; expected one per file"
            self._report(problem("documents", message, hint=hint), following, ())
        return value

    def _value(self, event: yaml.Event, events: Iterator[yaml.Event], path: KeyPath, key: Mark | None) -> Any:
        mark = self._mark(event)
        self.places[path] = Place(key or mark, mark)
        self._count(event, path)
        self._check_layout(event, path)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        assert isinstance(event, yaml.ScalarEvent | yaml.MappingStartEvent | yaml.SequenceStartEvent)
        self._refuse_tag(event, path)
        if event.anchor is not None:
            self._unfinished.add(event.anchor)
        if isinstance(event, yaml.MappingStartEvent):
            value: Any = self._mapping(events, path)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(events, path)
        else:
            value = self._scalar(event, path)
        self._name(event, value)
        return value

    def _name(self, event: yaml.ScalarEvent | yaml.MappingStartEvent | yaml.SequenceStartEvent, value: Any) -> None:
        if event.anchor is not None:
            self._unfinished.discard(event.anchor)
            self._anchors[event.anchor] = value

    def _refuse_tag(
        self, event: yaml.ScalarEvent | yaml.MappingStartEvent | yaml.SequenceStartEvent, path: KeyPath
    ) -> None:
        if event.tag is not None:
            message = f"the tag {event.tag[:80]} is not allowed; a config is plain data"
            self._report(problem("tag", message, hint="leave the tag out"), event, path)

    def _mapping(self, events: Iterator[yaml.Event], path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                self._check_layout(event, path)
                break
            key = self._key(event, events, path)
            mark = self._mark(event)
            if key in values:
                first = self.places[(*path, key)].key
                note = Note(first, f"the first '{key}' is at")
                message = f"the key '{key}' appears a second time"
                found = problem("duplicate-key", message, hint="keep one of the two", notes=[note])
                self._report(found, event, (*path, key))
            values[key] = self._value(next(events), events, (*path, key), mark)
        return values

    def _key(self, event: yaml.Event, events: Iterator[yaml.Event], path: KeyPath) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            hint = "write a name: no list, mapping or alias"
            if self._layout.is_template(event):
                hint = "write the value itself; templates are not expanded in a config"
            self._report(problem("key", "a key must be text", hint=hint), event, path)
            self._value(event, events, (*path, "?"), None)
            return "?"
        self._check_layout(event, path)
        self._refuse_tag(event, path)
        value = self._scalar(event, path) if event.value != "<<" else None
        if event.value == "<<":
            hint = "inherit with `defaults:` instead"
            self._report(problem("merge-key", "the merge key << is not allowed", hint=hint), event, path)
        elif not isinstance(value, str):
            hint = Hint(f"write '{event.value}' in quotes if this is a name", f"'{event.value}'", wrong=event.value)
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                more = "in a number the decimal sign is a point, and a list is written in [brackets]"
                hint = joined("; ", hint, more)
            message = f"a key must be text, got {event.value or 'nothing'}"
            self._report(problem("key", message, hint=hint), event, path)
        elif (fault := key_fault(value)) is not None:
            self._report(fault, event, path)
        self._name(event, value)
        return str(event.value)

    def _sequence(self, events: Iterator[yaml.Event], path: KeyPath) -> list[Any]:
        values: list[Any] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                self._check_layout(event, path)
                break
            values.append(self._value(event, events, (*path, len(values)), None))
        return values

    def _alias(self, event: yaml.AliasEvent, path: KeyPath) -> Any:
        name = str(event.anchor)
        if name in self._unfinished:
            message = f"the alias *{name[:80]} refers to itself"
            self._report(problem("alias", message, hint="write the value itself"), event, path)
            return None
        if name not in self._anchors:
            message = f"nothing before this place is named &{name[:80]}"
            self._report(problem("alias", message, hint=did_you_mean(name, self._anchors)), event, path)
            return None
        value = self._anchors[name]
        self._count(event, path, _size(value), _depth(value))
        set_places(self.places, path, value, self.places[path])
        return value

    def _scalar(self, event: yaml.ScalarEvent, path: KeyPath) -> Any:
        try:
            value = read_plain(event.value) if event.implicit[0] else event.value  # else quoted, or a block of text
        except ArchError as refused:
            self._report(refused.problems[0], event, path)
            return 0
        if (fault := fault_of(value)) is not None:
            self._report(fault, event, path)
            return ""
        return value

    def _check_layout(self, event: yaml.Event, path: KeyPath) -> None:
        for found in self._layout.slips(event):
            self.problems.add(not_yaml(found, self.file, dotted(path)))

    def _count(self, event: yaml.Event, path: KeyPath, nodes: int = 1, depth: int = 0) -> None:
        self._nodes += nodes
        if self._nodes > self.budget.values:
            raise self._beyond(too_many_values(self.budget), event, path)
        if len(path) + depth > MAX_DEPTH:
            raise self._beyond(problem("depth", f"nested deeper than {MAX_DEPTH}"), event, path[:8])

    def _beyond(self, found: Problem, event: yaml.Event, path: KeyPath) -> ArchError:
        return ArchError([found.at(self._mark(event), dotted(path)), *self.problems])

    def _mark(self, event: yaml.Event) -> Mark:
        start = event.start_mark
        return Mark(self.file, start.line + 1, start.column + 1) if start else Mark(self.file)

    def _report(self, found: Problem, event: yaml.Event, path: KeyPath) -> None:
        self.problems.add(found.at(self._mark(event), dotted(path)))


def _size(value: Any) -> int:
    """Number of values in `value`, itself included."""
    if isinstance(value, dict):
        return 1 + sum(map(_size, value.values()))
    return 1 + sum(map(_size, value)) if isinstance(value, list) else 1


def _depth(value: Any) -> int:
    """How deep the mappings and lists of `value` are nested; aliases cannot make it more than MAX_DEPTH."""
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if items is None else 1 + max(map(_depth, items), default=0)
