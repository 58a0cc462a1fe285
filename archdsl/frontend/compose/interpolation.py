"""`${scale.width}`: references to keys of the same composed config, replaced by the values there.

They mean what they mean in OmegaConf: a whole value keeps its type and may be a mapping or a list, inside a text
the value is written out, `${.key}` starts at the mapping that holds the reference and each further dot one above,
and `\\${` is the text `${` itself. Nothing else of OmegaConf's grammar is supported: no resolver, no
reference in a reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, NamedTuple

from archdsl.diagnostics.codes import CodeName
from archdsl.diagnostics.problems import ArchError, Gathered, fail, problem
from archdsl.diagnostics.wording import describe, did_you_mean
from archdsl.frontend.budget import DEFAULT, Budget, allow_more
from archdsl.frontend.source import KeyPath, Place, dotted, nearest_place
from archdsl.frontend.values import MAX_DEPTH, MAX_SCALAR, too_many_values

MAX_CHAIN = 32

_MAX_INDEX_DIGITS = 9
_OPENING = re.compile(r"(?<!\\)(\\*)\$\{")  # looked for once in a row of backslashes
_KEY = r"""[^\\{}()\[\]:. \t'"]+"""
_BODY = re.compile(rf"(\.*)((?:{_KEY}|\[{_KEY}\])(?:\.{_KEY}|\[{_KEY}\])*)")


class Reference(NamedTuple):
    """One `${…}`: its text as messages quote it, how many dots it begins with, and the keys it follows."""

    quoted: str
    dots: int
    keys: tuple[str, ...]

    def written_at(self, path: KeyPath) -> str:
        """As it is written with dots in a value at `path`."""
        return f"${{{'.' * (self.dots or len(path))}{'.'.join(self.keys)}}}"


class _Exhausted(ArchError):
    """A limit was passed, so that the other references are not looked at."""


def has_reference(value: Any) -> bool:
    """Whether `value` is a text that is not taken as it is written."""
    return isinstance(value, str) and "${" in value


def escaped(value: Any) -> Any:
    """The value as it is written in a config: a deep copy in which no text can be taken for a reference."""
    if isinstance(value, dict):
        return {key: escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [escaped(item) for item in value]
    return _OPENING.sub(r"\1\1\\${", value) if has_reference(value) else value


def relative(value: Any, path: KeyPath = ()) -> Any:
    """A deep copy with relative references, which hold under any key that the config is put."""
    if isinstance(value, dict):
        return {key: relative(item, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [relative(item, (*path, index)) for index, item in enumerate(value)]
    if not has_reference(value):
        return value
    return "".join(escaped(piece) if isinstance(piece, str) else piece.written_at(path) for piece in parse(value))


def parse(text: str) -> list[str | Reference]:
    """The literal pieces of a text, unescaped, and the references between them.

    Raises ArchError, without a place, for text that begins like a reference and is not one.
    """
    pieces: list[str | Reference] = []
    literal, position = "", 0
    while opening := _OPENING.search(text, position):
        slashes = opening[1]
        literal += text[position : opening.start()] + slashes[: len(slashes) // 2]
        position = opening.end()
        if len(slashes) % 2:
            literal += "${"
            continue
        end = text.find("}", position)
        pieces += [literal, _reference(text[position - 2 :], text[position:end] if end >= 0 else None)]
        literal, position = "", end + 1
    return [piece for piece in (*pieces, literal + text[position:]) if piece]


def _reference(rest: str, inner: str | None) -> Reference:
    """The reference that `rest` begins with; `inner` is what its braces hold, None where they are not closed."""
    if "${" in (rest[2:] if inner is None else inner):
        raise _fault(rest, "holds another reference; expected the key itself", "write the whole key in one reference")
    if inner is None:
        raise _fault(rest, "has no closing brace", r"close it with }, or write \${ for the text itself")
    text = f"${{{inner}}}"
    if not inner.strip():
        raise _fault(text, "names no key", r"name one, such as ${scale.width}, or write \${ for the text itself")
    if ":" in inner:
        raise _fault(text, "calls a resolver; expected a key of this config", "write the value itself")
    found = _BODY.fullmatch(inner.strip(" \t"))
    if found is None:
        raise _fault(text, "is not a reference; expected keys joined by dots, such as ${scale.width}")
    return Reference(_quoted(text), len(found[1]), tuple(re.findall(_KEY, found[2])))


def _fault(text: str, fact: str, hint: str = "") -> ArchError:
    return fail("reference", f"{_quoted(text)} {fact}", hint=hint)


def _quoted(text: str) -> str:
    return describe(text).removeprefix("text ")


def resolve_references(
    values: dict[str, Any], places: dict[KeyPath, Place], file: str, budget: Budget = DEFAULT
) -> dict[str, Any]:
    """`values` with references replaced by what they refer to, and `places` by the places of that.

    Raises ArchError for every reference that leads nowhere or back to itself, and beyond the limits.
    """
    resolver = _Resolver(values, places, file, budget)
    resolved: dict[str, Any] = resolver.value(values, (), ())
    if resolver.problems:
        raise ArchError(dict.fromkeys(resolver.problems))
    return resolved


def refuse_extending(values: Any, addition: Any, places: Mapping[KeyPath, Place], path: KeyPath = ()) -> None:
    """Refuses to merge a mapping into a reference, whose value is known only when everything is composed.

    (Hydra takes its value in the files read so far.) `places` are those of `addition`.
    """
    for key, item in addition.items():
        present, inner = values.get(key), (*path, key)
        if isinstance(item, dict) and has_reference(present):
            message = f"a mapping cannot extend {describe(present)}, which a parent sets"
            mark = nearest_place(places, inner, "").value
            hint = "write all of it, or change what it refers to"
            raise fail("reference", message, mark=mark, path=dotted(inner), hint=hint)
        if isinstance(item, dict) and isinstance(present, dict):
            refuse_extending(present, item, places, inner)


class _Step(NamedTuple):
    """A reference that is being followed: its path, and the path it leads to."""

    at: KeyPath
    target: KeyPath


class _Resolver:
    """Walks a config and what its references refer to; the path of a result may differ from where it was written."""

    def __init__(self, values: dict[str, Any], places: dict[KeyPath, Place], file: str, budget: Budget):
        self.values = values
        self.budget = budget
        self.places = places
        self.file = file
        self.problems = Gathered()
        self._parsed: dict[str, list[str | Reference]] = {}  # a text may appear in thousands of places
        self._steps: list[_Step] = []  # whose values are being made
        self._passed: list[_Step] = []  # that are only passed through, on the way to a key
        self._followed = 0
        self._expanded = 0

    def value(self, raw: Any, at: KeyPath, path: KeyPath) -> Any:
        """The value of `raw`, which is written at `at`, when it is put at `path`."""
        if self._steps:
            self._count(path)
        if isinstance(raw, dict):
            return {key: self._item(item, (*at, key), (*path, key)) for key, item in raw.items()}
        if isinstance(raw, list):
            return [self._item(item, (*at, index), (*path, index)) for index, item in enumerate(raw)]
        if not has_reference(raw):
            return raw
        try:
            return self._text(raw, at, path)
        except _Exhausted:
            raise
        except ArchError as error:
            if self._steps:
                raise
            self.problems.add(*error.problems)
            return None

    def _item(self, raw: Any, at: KeyPath, path: KeyPath) -> Any:
        """The value of an entry of a mapping or list; what a reference brings keeps the place where it is written."""
        if at != path and at in self.places:
            self.places[path] = self.places[at]
        return self.value(raw, at, path)

    def _count(self, path: KeyPath) -> None:
        self._expanded += 1
        if self._expanded > self.budget.values:
            found = too_many_values(self.budget)
            raise self._exhausted(found.code, f"references expand to {found.message}", self._steps[0].at, found.hint)
        if len(path) > MAX_DEPTH:
            raise self._exhausted("depth", f"references nest deeper than {MAX_DEPTH}", self._steps[0].at)

    def _text(self, raw: str, at: KeyPath, path: KeyPath) -> Any:
        pieces = self._parse(raw, at)
        if len(pieces) == 1 and isinstance(pieces[0], Reference):
            return self._result(pieces[0], at, path)
        text = ""
        for piece in pieces:
            text += piece if isinstance(piece, str) else self._written_out(piece, at, path)
            if len(text) > MAX_SCALAR:
                raise self._error("limit", f"becomes a text of more than {MAX_SCALAR} characters", at)
        return text

    def _parse(self, raw: str, at: KeyPath) -> list[str | Reference]:
        if raw in self._parsed:
            return self._parsed[raw]
        try:
            return self._parsed.setdefault(raw, parse(raw))
        except ArchError as error:
            (found,) = error.problems
            raise self._error(found.code, found.message, at, found.hint) from None

    def _result(self, reference: Reference, at: KeyPath, path: KeyPath) -> Any:
        with self._following(reference, at, self._steps):
            raw, target = self._find(reference, at)
            return self.value(raw, target, path)

    def _written_out(self, reference: Reference, at: KeyPath, path: KeyPath) -> str:
        with self._following(reference, at, self._steps):
            raw, target = self._find(reference, at)
            # The content of a mapping is not resolved: it may contain this very text.
            value = raw if isinstance(raw, (dict, list)) else self.value(raw, target, path)
        if isinstance(value, (dict, list)):
            message = f"{reference.quoted} is {describe(value)}; expected a value that can stand inside text"
            raise self._error("reference", message, at)
        return str(value)

    @contextmanager
    def _following(self, reference: Reference, at: KeyPath, steps: list[_Step]) -> Iterator[None]:
        self._followed += 1
        if self._followed > self.budget.references:
            most = self.budget.references
            hint = allow_more("references", 2 * most)
            raise self._exhausted("limit", f"more than {most:.0f} references are followed", at, hint)
        if at in (step.at for step in steps):
            raise self._loop(steps, at)
        if len(steps) >= MAX_CHAIN:
            raise self._error("limit", f"a chain of more than {MAX_CHAIN} references", at)
        steps.append(_Step(at, (*self._start(reference, at), *reference.keys)))
        try:
            yield
        finally:
            steps.pop()

    def _start(self, reference: Reference, at: KeyPath) -> KeyPath:
        """The path of the mapping or list that the keys of a reference begin in."""
        if reference.dots > len(at):
            message = f"{reference.quoted} leads above the top of the config"
            raise self._error("reference", message, at, "take fewer dots")
        return at[: -reference.dots] if reference.dots else ()

    def _find(self, reference: Reference, at: KeyPath) -> tuple[Any, KeyPath]:
        """The raw value that a reference leads to, and its path."""
        target = self._start(reference, at)
        raw: Any = self.values
        for step in target:
            raw = raw[step]
        for key in reference.keys:
            if has_reference(raw):
                raw, target = self._end(raw, target)
            inner = self._key(raw, key)
            if inner is None:
                raise self._nothing(reference, at, raw, target, key)
            raw, target = raw[inner], (*target, inner)
        return raw, target

    def _end(self, raw: str, at: KeyPath) -> tuple[Any, KeyPath]:
        """Where the references end that begin with the one at `at`; a text that holds more than one is an end."""
        pieces = self._parse(raw, at)
        if len(pieces) > 1 or not isinstance(pieces[0], Reference):
            return raw, at
        with self._following(pieces[0], at, self._passed):
            found, target = self._find(pieces[0], at)
            return self._end(found, target) if has_reference(found) else (found, target)

    def _key(self, holder: Any, key: str) -> str | int | None:
        if isinstance(holder, dict):
            return key if key in holder else None
        if isinstance(holder, list) and key.isascii() and key.isdecimal() and len(key) <= _MAX_INDEX_DIGITS:
            return int(key) if int(key) < len(holder) else None
        return None

    def _nothing(self, reference: Reference, at: KeyPath, holder: Any, place: KeyPath, key: str) -> ArchError:
        wanted = dotted((*place, key))
        if key == "defaults" and not place:
            message, hint = f"{reference.quoted} is the list of parents, which no value can refer to", ""
        elif isinstance(holder, dict):
            message = f"{reference.quoted}: there is no {_quoted(wanted)} in this config"
            hint = did_you_mean(wanted, _names(self.values, ""))
            if at[:1] == ("blocks",) and len(reference.keys) == 1:
                hint = hint or f"an argument of a block has no braces: ${wanted}"
        else:
            where = f"{_quoted(dotted(place))}, which is {describe(holder)}"
            message = f"{reference.quoted}: there is no {_quoted(key)} in {where}"
            hint = "take an item by its number, counted from 0" if isinstance(holder, list) else ""
        return self._error("reference", message, at, hint)

    def _loop(self, steps: list[_Step], at: KeyPath) -> ArchError:
        """The same error wherever in the loop it was entered: it begins with the key that comes first."""
        steps = steps[[step.at for step in steps].index(at) :]
        first = min(range(len(steps)), key=lambda index: dotted(steps[index].at))
        steps = [*steps[first:], *steps[:first], steps[first]]
        paths = [path for step, following in pairwise(steps) for path in dict.fromkeys((step.target, following.at))]
        names = " -> ".join([dotted(path[:8]) for path in (steps[0].at, *paths)])
        message = f"the reference leads back to itself: {names}"
        return self._error("reference", message, steps[0].at, "write the value in one of these places")

    def _error(self, code: CodeName, message: str, at: KeyPath, hint: str = "") -> ArchError:
        return fail(code, message, mark=nearest_place(self.places, at, self.file).value, path=dotted(at), hint=hint)

    def _exhausted(self, code: CodeName, message: str, at: KeyPath, hint: str = "") -> _Exhausted:
        mark = nearest_place(self.places, at, self.file).value
        hint = f"write the values themselves, {hint}".rstrip(", ")
        return _Exhausted([problem(code, message, mark=mark, path=dotted(at), hint=hint)])


def _names(value: Any, path: str) -> Iterator[str]:
    """Dotted keys of every entry of a mapping."""
    for key, item in value.items():
        name = f"{path}.{key}" if path else key
        yield name
        if isinstance(item, dict):
            yield from _names(item, name)
