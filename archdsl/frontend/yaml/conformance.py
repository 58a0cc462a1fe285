"""Rules of YAML 1.2 about lines, indentation and comments that libyaml does not enforce."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import yaml

from archdsl.diagnostics.problems import Mark, Problem, problem

LINE_END = re.compile(r"\r\n|\r|\n")
_BLOCK_HEADER = re.compile(r"(?:[&!]\S*\s+)*[|>]([-+0-9]*)(#?)")
_ENDS = (yaml.MappingEndEvent, yaml.SequenceEndEvent)
_STARTS = (yaml.MappingStartEvent, yaml.SequenceStartEvent)


def slip(line: int, column: int, message: str, hint: str = "") -> Problem:
    """What is wrong at a place, whose file is filled in later; line and column start at 0, as PyYAML's do."""
    return problem("syntax", message, mark=Mark("", line + 1, column + 1), hint=hint)


def not_yaml(found: Problem, file: str, path: str = "") -> Problem:
    """A slip that makes a file something else than YAML."""
    return found._replace(file=file, path=path, message=f"not valid YAML: {found.message}")


@dataclass
class _Collection:
    """One that is open: the indentation of the block it is in (-1: none, None: not known yet), and its brackets."""

    indent: int | None
    bracket_line: int | None = None


class Layout:
    """Follows the events of one text and finds what is at a wrong place."""

    def __init__(self, lines: Sequence[str]):
        self.lines = [*lines, ""]  # the parser may put the end of a text below its last line
        self._open = [_Collection(-1)]

    def slips(self, event: yaml.Event) -> Iterator[Problem]:
        """The slips at this event, which follows those that were given before."""
        if isinstance(event, _ENDS):
            if self._open.pop().bracket_line is not None:
                yield from self._comment_after(event)
        elif isinstance(event, yaml.NodeEvent):
            yield from self._outside_brackets(event)
            if isinstance(event, yaml.ScalarEvent):
                yield from self._scalar(event)
            elif isinstance(event, _STARTS):
                around = self._open[-1].indent
                self._open.append(_Collection(around, _start(event)[0]) if event.flow_style else _Collection(None))

    def is_template(self, event: yaml.Event) -> bool:
        """Whether `{{` is there."""
        line, column = _start(event)
        return self.lines[line][max(0, column - 1) : column + 1] == "{{"

    def _outside_brackets(self, event: yaml.Event) -> Iterator[Problem]:
        around, (line, column) = self._open[-1], _start(event)
        if around.indent is None:
            around.indent = _spaces(self.lines[line])
        elif around.bracket_line is not None and line > around.bracket_line and column <= around.indent:
            message = f"this line belongs to the bracket opened in line {around.bracket_line + 1}"
            yield slip(line, column, message, "indent it, or close the bracket before")

    def _scalar(self, event: yaml.ScalarEvent) -> Iterator[Problem]:
        if event.style in ("'", '"'):
            yield from self._comment_after(event)
            yield from self._quoted_lines(_start(event)[0], _end(event)[0])
        elif event.style in ("|", ">"):
            yield from self._block_text(*_start(event))

    def _quoted_lines(self, first: int, last: int) -> Iterator[Problem]:
        for number in range(first + 1, last + 1):
            line = self.lines[number]
            if line.strip() and _spaces(line) <= (self._open[-1].indent or 0):
                hint = "close the quote, or indent this line with spaces"
                yield slip(number, 0, f"this line belongs to the quote opened in line {first + 1}", hint)
                return

    def _block_text(self, number: int, column: int) -> Iterator[Problem]:
        header = _BLOCK_HEADER.match(self.lines[number], column)
        if header and header[2]:
            yield slip(number, header.start(2), "a comment begins right after the sign", "put a space before the #")
        blank = 0
        for below in range(number + 1, len(self.lines)):
            line = self.lines[below]
            if line.strip(" "):
                if header and not header[1].strip("+-") and (self._open[-1].indent or 0) < _spaces(line) < blank:
                    yield slip(number, column, "a blank line is indented deeper than the text", "shorten it")
                return
            blank = max(blank, len(line))

    def _comment_after(self, event: yaml.Event) -> Iterator[Problem]:
        line, column = _end(event)
        if self.lines[line][column : column + 1] == "#":
            yield slip(line, column, "a comment begins right after a value", "put a space before the #")


def _start(event: yaml.Event) -> tuple[int, int]:
    return (event.start_mark.line, event.start_mark.column) if event.start_mark else (0, 0)


def _end(event: yaml.Event) -> tuple[int, int]:
    return (event.end_mark.line, event.end_mark.column) if event.end_mark else (0, 0)


def _spaces(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
