"""What went wrong, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import islice
from typing import Any, NamedTuple

from archdsl.characters import ascii_form, named
from archdsl.nearest import nearest
from archdsl.printable import printable

MAX_PROBLEMS = 200
"""So many are looked for in one config, which can hold thousands."""
MAX_TEXT = 700
"""Characters of a message, a hint or a key path. They quote what they are about, and that may be as long as a file."""

_COMPARED = 200  # letters of a word


class Mark(NamedTuple):
    """A place in a text. Lines and columns start at 1; 0 means unknown (a value that came from Python)."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Note(NamedTuple):
    """Another place that a problem has to do with. `text` says in what way, and ends where the place follows."""

    mark: Mark
    text: str

    def __str__(self) -> str:
        return f"{self.text} {self.mark}"


class Problem(NamedTuple):
    """One thing that the user has to change.

    `path` is the key path in the config (``stages.p3.body.block``), `code` a stable name of the kind of problem (see
    archdsl.codes), `message` the fact with the received value and what was expected, `hint` the fix when one is
    known, `notes` what stands elsewhere and has to do with it.
    """

    file: str
    line: int
    column: int
    path: str
    code: str
    message: str
    hint: str = ""
    notes: tuple[Note, ...] = ()

    @property
    def mark(self) -> Mark:
        return Mark(self.file, self.line, self.column)

    @property
    def fact(self) -> str:
        """The message under its key path, as one printable line."""
        return printable(f"{self.path}: {self.message}" if self.path else self.message)

    @property
    def remarks(self) -> list[str]:
        """A printable line for each note, then the hint."""
        hints = [f"hint: {self.hint}"] if self.hint else []
        return [printable(line) for line in (*[f"note: {note}" for note in self.notes], *hints)]

    def __str__(self) -> str:
        place = f"{printable(str(self.mark))}: " if self.file else ""
        return "\n  ".join([f"{place}error[{self.code}]: {self.fact}", *self.remarks])

    @property
    def shortened(self) -> Problem:
        """The same with no text longer than MAX_TEXT."""
        notes = tuple([note._replace(text=_cut(note.text)) for note in self.notes])
        return self._replace(path=_cut(self.path), message=_cut(self.message), hint=_cut(self.hint), notes=notes)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"


class ArchError(ValueError):
    """The user's input cannot be used. `problems` lists every independent reason."""

    SHOWN = 20

    def __init__(self, problems: Iterable[Problem]):
        self.problems = [each.shortened for each in problems]
        super().__init__(str(self))

    def __str__(self) -> str:
        return "\n".join([*map(str, self.problems[: self.SHOWN]), *self.rest])

    @property
    def rest(self) -> list[str]:
        """How many more problems there are than are shown, as a line, or no line."""
        more = len(self.problems) - self.SHOWN
        return [f"… and {more} more problem{'s' * (more > 1)}"] if more > 0 else []

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.problems,)


class TooManyProblems(ArchError):
    """There are MAX_PROBLEMS, and it was not looked for more."""


class Gathered(list[Problem]):
    """What is wrong so far. Raises TooManyProblems, which holds all of it, with the last that is looked for."""

    def add(self, *found: Problem) -> None:
        self += found
        if len(self) >= MAX_PROBLEMS:
            raise TooManyProblems(by_place(self))


def problem(
    code: str,
    message: str,
    *,
    mark: Mark | None = None,
    path: str = "",
    hint: str = "",
    notes: Iterable[Note] = (),
) -> Problem:
    """A Problem at `mark`, or at no place in particular. Its code stands in archdsl.codes."""
    return Problem(*(mark or Mark("")), path=path, code=code, message=message, hint=hint, notes=tuple(notes))


def fail(
    code: str,
    message: str,
    *,
    mark: Mark | None = None,
    path: str = "",
    hint: str = "",
    notes: Iterable[Note] = (),
) -> ArchError:
    """The error for a single problem, to be raised by the caller."""
    return ArchError([problem(code, message, mark=mark, path=path, hint=hint, notes=notes)])


def by_place(problems: Iterable[Problem]) -> list[Problem]:
    """In their order, each told once: what is written in one place may be wrong wherever it is taken from there."""
    unique: dict[tuple[str | Mark, ...], Problem] = {}
    for each in problems:
        unique.setdefault((each.mark, each.code, each.message, "" if each.line else each.path), each)
    return sorted(unique.values(), key=lambda each: each.mark)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint with the nearest known words, or nothing; characters that only look like ASCII are named."""
    word = word[:_COMPARED]
    plain = ascii_form(word)
    near = " or ".join([f"'{name}'" for name in nearest(plain, known)])
    meant = f"did you mean {near}?" if near else ""
    return " ".join(filter(None, [meant, f"({named(word)})" if plain != word else ""]))


def one_of(known: Collection[str], limit: int = 40) -> str:
    """`expected one of: a, b, c`; a long list is cut, with its count."""
    more = f", … ({len(known)} in all)" if len(known) > limit else ""
    return f"expected one of: {', '.join(islice(known, limit))}{more}"


def describe(value: Any) -> str:
    """A received value in words, short enough for a message."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return _number(value)
    if isinstance(value, str):
        return f"text '{value}'" if len(value) <= 60 else f"text '{value[:57]}…'"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    return f"a Python {type(value).__name__}"


def _number(value: float) -> str:
    if isinstance(value, int) and abs(value) >= 10**40:  # Python refuses to print the largest
        return f"a number of about {round(value.bit_length() * 0.30103)} digits"
    return f"the number {value}"
