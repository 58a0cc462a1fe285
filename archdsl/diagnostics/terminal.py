"""Lines on standard output and standard error, and an ArchError among them; on a terminal with excerpts and colours.

Everything is printed through here, so that no text of a file can act on a terminal or on a CI system.
"""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TextIO

import click

from archdsl.diagnostics.problems import ArchError, Mark, Problem
from archdsl.diagnostics.texts import LINE_END, text_of
from archdsl.diagnostics.unicode import columns, printable, printable_line

_MAX_EXCERPT = 100
_INDENT = "    "


class Styled(NamedTuple):
    """A piece of a line in a style of its own."""

    text: str
    colour: str | None = None
    bold: bool = False


Line = Sequence[str | Styled]


def say(*lines: object, err: bool = False) -> None:
    """Print each on a line."""
    say_styled([[str(line)] for line in lines], err=err, colours=False)


def say_wrapped(*lines: str) -> None:
    """Print each on standard error, broken between words where a terminal is narrower."""
    width = width_of(sys.stderr)
    say_styled([part for line in lines for part in _wrapped((), line, width)], err=True)


def say_styled(lines: Iterable[Line], *, err: bool = False, colours: bool | None = None) -> None:
    """Print lines of pieces, with or without their styles; by default with them on a terminal."""
    if colours is None:
        colours = has_colours((sys.stderr if err else sys.stdout).isatty())
    click.echo("\n".join(["".join(map(_piece, line)) for line in lines]), err=err, color=colours)


def _piece(piece: str | Styled) -> str:
    text, colour, bold = (piece, None, False) if isinstance(piece, str) else piece
    return click.style(printable_line(text), fg=colour, bold=bold or None, reset=bool(colour or bold))


def width_of(stream: TextIO) -> int | None:
    """The columns of a terminal; None for what is not one, or does not know."""
    return os.get_terminal_size(stream.fileno()).columns or None if stream.isatty() else None


def has_colours(terminal: bool) -> bool:
    """Whether to colour: NO_COLOR (no-color.org) forbids it, then FORCE_COLOR asks for it, as in CPython 3.13."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (terminal and os.environ.get("TERM") != "dumb")


def print_error(error: ArchError, texts: Mapping[str, str]) -> None:
    """All that is wrong. `texts` holds what is in no file: overrides, by the name that marks know them by."""
    shown = texts if sys.stderr.isatty() else None
    width = width_of(sys.stderr)
    lines = [line for problem in error.problems[: error.SHOWN] for line in _lines(problem, shown, width)]
    say_styled([*lines, *[[text] for text in error.rest]], err=True)


def _lines(problem: Problem, texts: Mapping[str, str] | None, width: int | None) -> Iterator[Line]:
    """As str(problem), with colours, wrapped, and with an excerpt where there are `texts`."""
    place: Line = [Styled(printable(str(problem.mark)), bold=True), ": "] if problem.file else []
    yield from _wrapped([*place, Styled(f"error[{problem.code}]", "red", bold=True), ": "], problem.fact, width)
    if texts is not None:
        yield from excerpt(problem.mark, texts)
    for remark in problem.remarks:
        kind, _, text = remark.partition(": ")
        yield from _wrapped(["  ", Styled(kind, "cyan"), ": "], text, width)


def _wrapped(start: Line, text: str, width: int | None) -> Iterator[Line]:
    """`text` after `start`, broken between words where it does not fit into `width`."""
    if width is None:
        yield [*start, text]
        return
    taken = sum(columns(piece if isinstance(piece, str) else piece.text) for piece in start)
    first, *others = textwrap.wrap(
        text,
        width,
        initial_indent=" " * taken,
        subsequent_indent=_INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [""]
    yield [*start, first[taken:]]
    yield from [[line] for line in others]


def excerpt(mark: Mark, texts: Mapping[str, str]) -> list[Line]:
    """The line at `mark`, cut to what is around it, and a caret under the place; nothing when it cannot be read."""
    text = texts.get(mark.file) or text_of(mark.file)
    lines = LINE_END.split(text)
    if not text or not 1 <= mark.line <= len(lines):
        return []
    line, place = lines[mark.line - 1], mark.column - 1
    start = max(0, min(place - _MAX_EXCERPT // 2, len(line) - _MAX_EXCERPT))
    before, after = printable(line[start:place]), printable(line[place : start + _MAX_EXCERPT])
    margin = f"  {mark.line} | "
    indent = " " * (len(margin) - 2) + "| " + " " * columns(before)
    return [[margin + before + after], [indent, Styled("^", "red", bold=True)]]
