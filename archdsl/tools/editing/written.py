"""A YAML text with its lines, its entries, and the role of each place."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import Literal, NamedTuple

from archdsl.frontend.source import KeyPath
from archdsl.frontend.values import MAX_SCALAR
from archdsl.frontend.yaml.conformance import LINE_END

Role = Literal["key", "value", ""]
"""What a place in a text is for; empty where neither a key nor a value can be."""
Kind = Literal["mapping", "sequence", "text", "quoted", "long text", "nothing"]

QUOTED = {'"': re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL), "'": re.compile(r"'(?:[^']|'')*'")}
QUOTED_COLON = re.compile(r"[ \t]*:")
_SPACES = re.compile(r"[ \t]*")


class Spot(NamedTuple):
    """The role of the text from `start` to `end`, or to the next spot if that is None; `is_word` if it is a word.

    The path of a key, and of the room for one, is that of its mapping. `starts_line` is for words before which there
    is nothing in their line.
    """

    start: int
    end: int | None
    role: Role
    path: KeyPath
    is_word: bool = False
    is_flow: bool = False
    starts_line: bool = False


@dataclass(slots=True)
class Entry:
    """A key with its value, or an item of a list, whose key is empty. All places are offsets in the text."""

    path: KeyPath
    key_start: int
    key_end: int
    indent: int
    is_flow: bool = False
    kind: Kind = "nothing"
    start: int = 0
    end: int = 0


class Written:
    """A text with its lines, and the entries and spots found in it, in order; `top` is the whole text."""

    def __init__(self, text: str):
        self.text = text
        ends = [found.span() for found in LINE_END.finditer(text)]
        self.starts = [0, *[end for _, end in ends]]
        self.ends = [*[start for start, _ in ends], len(text)]
        self.top = Entry((), 0, 0, -1)
        self.entries: list[Entry] = []
        self.spots: list[Spot] = []

    def line_of(self, offset: int) -> int:
        """The line that an offset is in, counted from 0."""
        return bisect_right(self.starts, offset) - 1

    def spot(self, start: int, end: int | None, role: Role, path: KeyPath, **more: bool) -> None:
        self.spots.append(Spot(start, end, role, path, **more))

    def skip(self, start: int, end: int) -> int:
        """The position after blanks."""
        return _SPACES.match(self.text, start, end).end()  # type: ignore[union-attr]

    def quoted_end(self, position: int, number: int, indent: int) -> int:
        """The end of a quoted scalar; one that is left open ends with its line."""
        most = min(len(self.text), position + MAX_SCALAR)
        quoted = QUOTED[self.text[position]].match(self.text, position, most)
        if quoted:
            below = range(number + 1, self.line_of(quoted.end()) + 1)
            if all(self.is_deeper(line, indent) for line in below):
                return quoted.end()
        return position + len(self.text[position : self.ends[number]].rstrip())

    def is_deeper(self, number: int, indent: int) -> bool:
        """Whether a line is blank, or indented deeper than `indent`."""
        begin = self.skip(self.starts[number], self.ends[number])
        return begin == self.ends[number] or begin - self.starts[number] > indent
