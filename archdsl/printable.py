"""The one place where user text is made fit to be printed."""

from __future__ import annotations


def printable(text: str) -> str:
    """`text` on one line, with whatever could move the cursor, turn the writing around or be unseen written out.

    Control characters, line ends, marks of writing direction, lone surrogates become ``\\x1b``, ``\\n``, ``\\u202e``,
    ``\\udc80``.
    """
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(letter: str) -> str:
    return letter if letter.isprintable() else letter.encode("unicode_escape").decode()
