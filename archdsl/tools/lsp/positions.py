"""Converts archdsl's places (from 1, in characters) to the protocol's (from 0, often in UTF-16 units), and back."""

from __future__ import annotations

from collections.abc import Callable

from lsprotocol import types

from archdsl.diagnostics.fixes import Range
from archdsl.frontend.yaml.conformance import LINE_END

_WIDTHS: dict[str, Callable[[str], int]] = {
    "utf-8": lambda text: len(text.encode(errors="surrogatepass")),
    "utf-16": lambda text: len(text) + sum(letter > "\uffff" for letter in text),
    "utf-32": len,
}


class Positions:
    """The positions of one text, for a client that counts in `encoding`."""

    def __init__(self, text: str, encoding: str = "utf-16"):
        self._lines = LINE_END.split(text)
        self._width = _WIDTHS[encoding]

    def position(self, line: int, column: int) -> types.Position:
        """The position of a place, or of the nearest one that exists."""
        number = max(0, min(line, len(self._lines)) - 1)
        before = self._lines[number][: max(0, column - 1)] if line <= len(self._lines) else self._lines[number]
        return types.Position(number, len(before) if before.isascii() else self._width(before))

    def range(self, found: Range) -> types.Range:
        end = self.position(found.end_line, found.end_column)
        return types.Range(self.position(found.line, found.column), end)

    def place(self, position: types.Position) -> tuple[int, int]:
        """The line and the column of a position."""
        if position.line >= len(self._lines):
            return len(self._lines), len(self._lines[-1]) + 1
        line, width = self._lines[position.line], 0
        if line.isascii():
            return position.line + 1, min(position.character, len(line)) + 1
        for index, letter in enumerate(line):
            if width >= position.character:
                return position.line + 1, index + 1
            width += self._width(letter)
        return position.line + 1, len(line) + 1
