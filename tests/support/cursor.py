"""Texts with a place in them, for what an editor asks there."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from archdsl.tools.editing.document import Document

MARK = "§"


class Cursor(NamedTuple):
    """A document, and a line and a column in it."""

    document: Document
    line: int
    column: int


def cursor(text: str, name: str = "/nowhere/net.yaml", folder: Path | None = None) -> Cursor:
    """The place that is marked in a text."""
    before, _, after = text.partition(MARK)
    return Cursor(Document(name, before + after, folder=folder), *place(before, len(before)))


def place(text: str, offset: int) -> tuple[int, int]:
    """The line and the column of an offset in a text."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
