"""Characters that look like ASCII and are not: their names, and the ASCII that was meant. Text made printable."""

from __future__ import annotations

import re
import unicodedata

# Letters of other alphabets that a font draws like these.
_CYRILLIC = dict(zip("аАВсСеЕһНіІјЈкКМоОрРѕЅТԛԝхХуУ", "aABcCeEhHiIjJkKMoOpPsSTqwxXyY", strict=True))
_GREEK = dict(zip("αΑΒΕΗιΙκΚΜνΝοΟρΡΤυΥΧΖ", "aABEHiIkKMvNoOpPTuYXZ", strict=True))
_SIGNS = {"−": "-", "‐": "-", "‑": "-", "–": "-", "—": "-", "×": "*", "’": "'", "‘": "'", "“": '"', "”": '"', "٫": "."}
_ASCII = str.maketrans(_CYRILLIC | _GREEK | _SIGNS)


def is_invisible(letter: str) -> bool:
    """Whether nothing, or only a gap, is seen of it: a no-break space, a zero-width joiner, a direction mark."""
    return not letter.isascii() and unicodedata.category(letter)[0] in "ZC"


def ascii_form(text: str) -> str:
    """The ASCII text that `text` looks like, as far as that is known: digits as digits, invisible characters gone."""
    if text.isascii():
        return text
    folded = unicodedata.normalize("NFKC", text.translate(_ASCII))
    return folded.translate({ord(letter): _seen(letter) for letter in set(folded)}).strip()


def _seen(letter: str) -> str:
    return "" if is_invisible(letter) else str(unicodedata.digit(letter, letter))


def named(text: str, limit: int = 2) -> str:
    """The characters of `text` that are not ASCII, by name and code point: `'а' is U+0430 CYRILLIC SMALL LETTER A`."""
    found = list(dict.fromkeys(letter for letter in text if not letter.isascii()))
    return ", ".join(map(_named, found[:limit])) + (", …" if len(found) > limit else "")


def _named(letter: str) -> str:
    seen = "an invisible character" if is_invisible(letter) else f"'{letter}'"
    return f"{seen} is U+{ord(letter):04X} {unicodedata.name(letter, '')}".rstrip()


# Commands to a CI system in a log: `::error::` where a line begins (GitHub), `##[` or `##vso[` anywhere.
_COMMAND = re.compile(r"^(?P<indent>\s*):(?=:)|#(?=#\w*\[)")


def printable(text: str) -> str:
    """`text` on one line, with anything that could move the cursor, reverse the writing or be invisible written out.

    Control characters, line ends, marks of writing direction, lone surrogates become ``\\x1b``, ``\\n``, ``\\u202e``,
    ``\\udc80``.
    """
    return text if text.isprintable() else "".join(map(_shown, text))


def printable_line(text: str) -> str:
    """`text` printable, and no command to a CI system: ``\\x3a:error::``; the same inside the double quotes of YAML."""
    return _COMMAND.sub(_as_text, printable(text))


def columns(text: str) -> int:
    """How many columns of a terminal the text fills."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


def printable_lines(text: str) -> str:
    """`text` with its line ends kept and each of its lines printable."""
    return "\n".join(map(printable_line, text.split("\n")))


def _as_text(found: re.Match[str]) -> str:
    return "\\x23" if found["indent"] is None else f"{found['indent']}\\x3a"


def _shown(letter: str) -> str:
    return letter if letter.isprintable() else letter.encode("unicode_escape").decode()
