"""How wide texts are, whatever font of the stack draws them, and texts cut to a width."""

from __future__ import annotations

from archdsl.diagnostics.unicode import columns, printable

FONTS = "Inter, 'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif"
_NARROW, _WIDE = set("iljI.,:;|!'()[] "), set("mwMW@%×…")
_EM = 0.62  # of the widest font in the stack, DejaVu Sans; 0.56 of Helvetica
_BOLD = 1.1


def text_width(text: str, size: float, bold: bool = False) -> float:
    """At most so many pixels."""
    ems = sum([_letter(letter) for letter in text])
    return ems * size * (_BOLD if bold else 1)


def _letter(letter: str) -> float:
    if letter in _NARROW:
        return 0.40
    return 0.95 if letter in _WIDE else _EM * max(1, columns(letter))


def cut(text: str, width: float, size: float, bold: bool = False) -> str:
    """The text on one line, printable; its middle left out where it would be wider."""
    text = printable(text[:400])
    if text_width(text, size, bold) <= width:
        return text
    kept = len(text)
    while kept > 1 and text_width(_shortened(text, kept), size, bold) > width:
        kept -= 1
    return _shortened(text, kept)


def _shortened(text: str, kept: int) -> str:
    end = kept // 3
    return f"{text[: kept - end]}…{text[len(text) - end :]}"
