"""Shapes, fields, counts and values as texts; tables of them."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterator, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

from archdsl.diagnostics.unicode import columns, printable
from archdsl.frontend.yaml.writing import yaml_line

_UNITS = ("", " k", " M", " G", " T", " P", " E")
_GAP = "  "
_JOINED = "\xa0"  # a blank that no line ends at


def shape_text(shape: tuple[int | None, ...]) -> str:
    """`80 × 80 × 128`; an unknown side is a question mark."""
    return " × ".join("?" if side is None else str(side) for side in shape)


def field_text(pixels: int | None) -> str:
    """A receptive field, as in OutputInfo."""
    return "the whole image" if pixels is None else f"{pixels} px"


def count_text(count: int | None) -> str:
    """A count with three figures: 5.09 M, 6.22 G."""
    if count is None:
        return "?"
    sizes = [(unit, float(f"{count / 1000**power:.3g}")) for power, unit in enumerate(_UNITS)]
    unit, size = next(((unit, size) for unit, size in sizes if size < 1000), sizes[-1])
    return f"{size:#.3g}".rstrip(".") + unit if unit else str(count)


def bytes_text(count: int | None) -> str:
    """`512 KiB`, `8.20 MiB`, `1.53 GiB`."""
    if count is None:
        return "?"
    power = next((power for power in (1, 2, 3) if count < 1000 * 1024**power), 4)
    size = f"{count / 1024**power:#.3g}".rstrip(".")
    return f"{size} {('KiB', 'MiB', 'GiB', 'TiB')[power - 1]}"


def yaml_text(value: Any) -> str:
    """A value on one line, as a config would have it."""
    return printable(yaml_line(value))


def counted(count: int, noun: str) -> str:
    """`1 layer`, `2 layers`, `12,000 layers`."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


class Table(NamedTuple):
    """Texts in columns. `right` names the headers of columns of numbers, which are aligned on the right."""

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: Collection[str] = ()

    def lines(self, width: int | None = None) -> Iterator[str]:
        """The headers, then the rows. What does not fit into `width` columns is wrapped between words."""
        cells = [[printable(cell) for cell in row] for row in (self.headers, *self.rows)]
        widths = self._widths(cells, width)
        for row in cells:
            wrapped = [_wrapped(cell, most) for cell, most in zip(row, widths, strict=True)]
            for line in zip_longest(*wrapped, fillvalue=""):
                yield _GAP.join(map(self._aligned, self.headers, line, widths)).rstrip()

    def _widths(self, cells: Sequence[Sequence[str]], width: int | None) -> list[int]:
        """Columns as wide as their texts; while that is too wide, the widest that can be wrapped becomes narrower."""
        texts = list(zip(*cells, strict=True))
        widths = [max(map(columns, column)) for column in texts]
        least = [max(columns(word) for cell in column for word in [column[0], *_words(cell)]) for column in texts]
        excess = 0 if width is None else sum(widths) + len(_GAP) * (len(widths) - 1) - width
        for _ in range(excess):
            widest = max(range(len(widths)), key=lambda index: (widths[index] > least[index]) * widths[index])
            widths[widest] -= widths[widest] > least[widest]
        return widths

    def _aligned(self, header: str, text: str, width: int) -> str:
        blank = " " * (width - columns(text))
        return blank + text if header in self.right else text + blank


def _words(text: str) -> list[str]:
    """What a line may end after; that is not the sign in `× 27`."""
    return text.replace("× ", f"×{_JOINED}").split(" ")


def _wrapped(text: str, width: int) -> list[str]:
    if columns(text) <= width:
        return [text]
    lines = textwrap.wrap(" ".join(_words(text)), width, break_long_words=False, break_on_hyphens=False)
    return [line.replace(_JOINED, " ") for line in lines]
