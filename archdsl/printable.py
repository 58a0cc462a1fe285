"""The one place where user text is made fit to be printed."""

from __future__ import annotations

import re

# What a CI system takes for a command in a log: `::error::` where a line begins (GitHub), `##[` or `##vso[` anywhere.
_COMMAND = re.compile(r"^(?P<indent>\s*):(?=:)|#(?=#\w*\[)")


def printable(text: str) -> str:
    """`text` on one line, with whatever could move the cursor, turn the writing around or be unseen written out.

    Control characters, line ends, marks of writing direction, lone surrogates become ``\\x1b``, ``\\n``, ``\\u202e``,
    ``\\udc80``.
    """
    return text if text.isprintable() else "".join(map(_shown, text))


def printable_line(text: str) -> str:
    """`text` printable, and no command to a CI system: ``\\x3a:error::``; the same inside the double quotes of YAML."""
    return _COMMAND.sub(_as_text, printable(text))


def printable_lines(text: str) -> str:
    """`text` with its line ends kept and each of its lines printable."""
    return "\n".join(map(printable_line, text.split("\n")))


def _as_text(found: re.Match[str]) -> str:
    return "\\x23" if found["indent"] is None else f"{found['indent']}\\x3a"


def _shown(letter: str) -> str:
    return letter if letter.isprintable() else letter.encode("unicode_escape").decode()
