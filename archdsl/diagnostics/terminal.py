"""An ArchError on standard error; on a terminal with the line that each problem is about, and in colours."""

from __future__ import annotations

import os
import re
import stat
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path

from archdsl.diagnostics.problems import ArchError, Mark, Problem
from archdsl.diagnostics.unicode import printable
from archdsl.frontend.budget import DEFAULT
from archdsl.tools.cli.output import Line, Styled, say_styled

_LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # what YAML takes for one
_MAX_EXCERPT = 100


def print_error(error: ArchError, texts: Mapping[str, str]) -> None:
    """All that is wrong. `texts` holds what is in no file: overrides, by the name that marks know them by."""
    terminal = sys.stderr.isatty()
    lines = [line for problem in error.problems[: error.SHOWN] for line in _lines(problem, texts if terminal else None)]
    say_styled([*lines, *[[text] for text in error.rest]], err=True, colours=has_colours(terminal))


def has_colours(terminal: bool) -> bool:
    """Whether to colour: NO_COLOR (no-color.org) forbids it, then FORCE_COLOR asks for it, as in CPython 3.13."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (terminal and os.environ.get("TERM") != "dumb")


def _lines(problem: Problem, texts: Mapping[str, str] | None) -> Iterator[Line]:
    """As str(problem) says it, with colours, and with an excerpt where there are `texts`."""
    place: Line = [Styled(str(problem.mark), bold=True), ": "] if problem.file else []
    yield [*place, Styled(f"error[{problem.code}]", "red", bold=True), f": {problem.fact}"]
    if texts is not None:
        yield from excerpt(problem.mark, texts)
    for remark in problem.remarks:
        kind, _, text = remark.partition(": ")
        yield ["  ", Styled(kind, "cyan"), f": {text}"]


def excerpt(mark: Mark, texts: Mapping[str, str]) -> list[Line]:
    """The line at `mark`, cut to what is around it, and a caret under the place; nothing when it cannot be read."""
    text = texts.get(mark.file) or _content(Path(mark.file))
    lines = _LINE_END.split(text)
    if not text or not 1 <= mark.line <= len(lines):
        return []
    line, place = lines[mark.line - 1], mark.column - 1
    start = max(0, min(place - _MAX_EXCERPT // 2, len(line) - _MAX_EXCERPT))
    before, after = printable(line[start:place]), printable(line[place : start + _MAX_EXCERPT])
    margin = f"  {mark.line} | "
    indent = " " * (len(margin) - 2) + "| " + " " * _columns(before)
    return [[margin + before + after], [indent, Styled("^", "red", bold=True)]]


def _columns(text: str) -> int:
    """How many columns of a terminal the text fills."""
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


def _content(path: Path) -> str:
    """The text of a small regular file, else nothing: what is read again may have changed since."""
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode) or state.st_size > DEFAULT.file_bytes:
            return ""
        return path.read_bytes().decode("utf-8-sig", "replace")
    except (OSError, ValueError):
        return ""
