"""Numbers and words of plain YAML text, as YAML 1.2 people mean them: `1e-3` is a number, `no` is text."""

from __future__ import annotations

import re
from typing import Any

from archdsl.diagnostics.problems import fail
from archdsl.diagnostics.wording import describe, write

MAX_DIGITS = 40

_WORDS: dict[str, bool | None] = dict.fromkeys(("", "~", "null", "Null", "NULL"))
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(("false", "False", "FALSE"), False)
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*(?:_[0-9]+)*)")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)


def read_plain(text: str) -> Any:
    """The value of unquoted text: null, true, false, a number, or the text itself.

    Raises ArchError for a leading zero, which is octal to some, and for more than MAX_DIGITS digits.
    """
    if text in _WORDS:
        return _WORDS[text]
    if _LEADING_ZERO.fullmatch(text):
        number = "-" * text.startswith("-") + (text.replace("_", "").lstrip("+-0") or "0")
        hint = write(number, ", or quote it") if len(text) <= MAX_DIGITS else ""
        raise fail("leading-zero", f"{describe(text)} has a leading zero", hint=hint)
    if _INTEGER.fullmatch(text) or _OTHER_BASE.fullmatch(text):
        if len(text) > MAX_DIGITS:
            raise fail("range", f"a number of {len(text)} digits; expected at most {MAX_DIGITS}")
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text
