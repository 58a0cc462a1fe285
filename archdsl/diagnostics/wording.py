"""The words of messages: the nearest names, what is expected, what was received."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import islice
from typing import Any

from archdsl.diagnostics.hint import Hint
from archdsl.diagnostics.nearest import nearest
from archdsl.diagnostics.unicode import ascii_form, named

_COMPARED = 200  # letters of a word


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint with the nearest known words, or nothing; characters that only look like ASCII are named."""
    word = word[:_COMPARED]
    plain = ascii_form(word)
    near = nearest(plain, known)
    names = " or ".join([f"'{name}'" for name in near])
    hint = Hint(f"did you mean {names}?", *near, wrong=word) if near else ""
    return joined(" ", hint, f"({named(word)})" if plain != word else "")


def meant(name: str, wrong: str | None = None) -> Hint:
    """The hint that `name` was meant, by `wrong` or by the whole value."""
    return Hint(f"did you mean '{name}'?", name, wrong=wrong)


def write(text: str, more: str = "", *, wrong: str | None = None) -> Hint:
    """The hint to write `text`, for `wrong` or for the whole value."""
    return Hint(f"write {text}{more}", text, wrong=wrong)


def joined(separator: str, *hints: str) -> str:
    """The words of all that are not empty, with the change that the first of them knows."""
    words = separator.join(filter(None, hints))
    change = next((hint for hint in hints if isinstance(hint, Hint)), None)
    return words if change is None else Hint(words, *change.right, wrong=change.wrong)


def one_of(known: Collection[str], limit: int = 40) -> str:
    """`expected one of: a, b, c`; a long list is cut, with its count."""
    if not known:
        return "there are none"
    more = f", … ({len(known)} in all)" if len(known) > limit else ""
    return f"expected one of: {', '.join(islice(known, limit))}{more}"


def first_line(error: BaseException) -> str:
    """What another library says of an error, without the rest of the page."""
    return str(error).strip().partition("\n")[0]


def describe(value: Any) -> str:
    """A received value in words, short enough for a message."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return _number(value)
    if isinstance(value, str):
        return f"text '{value}'" if len(value) <= 60 else f"text '{value[:57]}…'"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    return f"a Python {type(value).__name__}"


def _number(value: float) -> str:
    if isinstance(value, int) and abs(value) >= 10**40:  # Python refuses to print the largest
        return f"a number of about {round(value.bit_length() * 0.30103)} digits"
    return f"the number {value}"
