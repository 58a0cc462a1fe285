"""How wide texts are in the fonts of the stack, and texts cut to a width."""

from __future__ import annotations

from functools import lru_cache

from archdsl.diagnostics.unicode import columns, printable

FONTS = "'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
_LETTERS = {  # thousandths of the size, in Helvetica and what has its measures
    222: "ijl'",
    278: " !,./:;I[]\\ft·|",
    333: '()-r`{}"',
    500: "ckvsxyzJ",
    611: "FTZ",
    667: "&ABEKPSVXY",
    722: "CDHNRUw",
    778: "GOQ",
    833: "mM",
    944: "W%",
    1000: "@…—",
}
_WIDTHS = {letter: width for width, letters in _LETTERS.items() for letter in letters}
_OTHER, _BOLD, _MARGIN = 556, 1.06, 1.04


@lru_cache(10_000)
def text_width(text: str, size: float, bold: bool = False) -> float:
    """The width in pixels: an estimate that is rarely too small."""
    thousandths = sum(
        [_WIDTHS.get(letter) or _OTHER * (1 if letter < "\u1100" else columns(letter)) for letter in text]
    )
    return thousandths * size / 1000 * _MARGIN * (_BOLD if bold else 1)


def cut(text: str, width: float, size: float, bold: bool = False) -> str:
    """The text, printable and on one line; … stands for its middle where it is too wide."""
    text = printable(text[:400])
    if text_width(text, size, bold) <= width:
        return text
    kept = len(text) - 1
    while kept > 1 and text_width(_shortened(text, kept), size, bold) > width:
        kept -= 1
    return _shortened(text, kept)


def _shortened(text: str, kept: int) -> str:
    end = kept // 3
    return f"{text[: kept - end]}…{text[len(text) - end :]}"
