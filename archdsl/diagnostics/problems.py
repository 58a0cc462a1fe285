"""Problems of an input: the fact, its place and its fix."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from archdsl.diagnostics.unicode import printable

if TYPE_CHECKING:
    from archdsl.diagnostics.codes import CodeName
    from archdsl.diagnostics.fixes import Fix, Range

MAX_PROBLEMS = 200
"""So many are looked for in one config, which can hold thousands."""
MAX_TEXT = 700
"""Characters of a message, a hint or a key path. They quote what they are about, and that may be as long as a file."""


class Mark(NamedTuple):
    """A place in a text. Lines and columns start at 1; 0 means unknown (a value that came from Python)."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Note(NamedTuple):
    """Another place that concerns a problem. `text` describes how, and is followed by the place."""

    mark: Mark
    text: str

    def __str__(self) -> str:
        return f"{self.text} {self.mark}"


class Problem(NamedTuple):
    """One thing that the user has to change.

    `path` is the key path in the config (``stages.p3.body.block``), `code` a stable name of the kind of problem (see
    archdsl.diagnostics.codes), `message` the fact with the received value and what was expected, `hint` the fix when
    one is known, `notes` other places that concern it. The end of what is wrong, and `fixes` that an editor can apply,
    are found in the text when they are asked for (archdsl.frontend.yaml.extents); until then `end_line` is 0.
    """

    file: str
    line: int
    column: int
    path: str
    code: CodeName
    message: str
    hint: str = ""
    notes: tuple[Note, ...] = ()
    end_line: int = 0
    end_column: int = 0
    fixes: tuple[Fix, ...] = ()

    @property
    def mark(self) -> Mark:
        return Mark(self.file, self.line, self.column)

    @property
    def range(self) -> Range:
        """What is wrong, from its place to its end; nothing but the place while the end is not known."""
        from archdsl.diagnostics.fixes import Range  # which a command for a terminal does without

        end = (self.end_line, self.end_column) if self.end_line else (self.line, self.column)
        return Range(self.file, self.line, self.column, *end)

    def at(self, mark: Mark, path: str = "") -> Problem:
        """The same problem with a place, for one that was found in a value without one."""
        return self._replace(file=mark.file, line=mark.line, column=mark.column, path=path)

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
    """The problems found so far. Raises TooManyProblems, which holds them, when there are MAX_PROBLEMS."""

    def add(self, *found: Problem) -> None:
        self += found
        if len(self) >= MAX_PROBLEMS:
            raise TooManyProblems(by_place(self))


def problem(
    code: CodeName,
    message: str,
    *,
    mark: Mark | None = None,
    path: str = "",
    hint: str = "",
    notes: Iterable[Note] = (),
) -> Problem:
    """A Problem at `mark`, or at no place in particular. Codes are documented in archdsl.diagnostics.codes."""
    return Problem(*(mark or Mark("")), path=path, code=code, message=message, hint=hint, notes=tuple(notes))


def fail(
    code: CodeName,
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
    """In the order of their places, each once: a value that is used in several places is wrong in all of them."""
    unique: dict[tuple[str | Mark, ...], Problem] = {}
    for each in problems:
        unique.setdefault((each.mark, each.code, each.message, "" if each.line else each.path), each)
    return sorted(unique.values(), key=lambda each: each.mark)
