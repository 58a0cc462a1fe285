"""Changes of a text that fix a problem: for editors, and for programs that apply them."""

from __future__ import annotations

from typing import NamedTuple


class Range(NamedTuple):
    """A piece of a text. Lines and columns (in characters) start at 1, the end is the first place after it."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int


class Edit(NamedTuple):
    """What a piece of a text becomes; an empty piece is a place where text is put in."""

    range: Range
    text: str


class Fix(NamedTuple):
    """One way to fix a problem, in words and as edits that do not overlap."""

    title: str
    edits: tuple[Edit, ...]
