"""Which known words a word was most likely meant to be. One report may compare so many letters, and no more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

LETTERS = 500_000
"""Letters of known words that one report may look at: hundreds of typical hints, in a tenth of a second."""

_NAMED = 3
_NEAR = 0.6  # of the letters in common
_PUNCTUATION = str.maketrans("", "", "_-. ")
_SUFFIX = "_backbone"  # most presets end so, and nobody types it; keras_cv's do not

_left: ContextVar[list[int] | None] = ContextVar("letters that are left", default=None)


@contextmanager
def one_report() -> Iterator[None]:
    """All words that are looked for inside share LETTERS; outside, each has as many for itself."""
    if _left.get() is not None:
        yield
        return
    token = _left.set([LETTERS])
    try:
        yield
    finally:
        _left.reset(token)


def nearest(word: str, known: Iterable[str]) -> list[str]:
    """What `word` is but for case and punctuation (yolov8s: yolo_v8_s_backbone), or one slip away; else the nearest."""
    known = list(_affordable(known))
    if word.casefold() in known:
        return [word.casefold()]
    word = word.casefold().removesuffix(_SUFFIX)
    letters, masks = _letters(word), _masks(word)
    ranks = {name: max(_rank(word, letters, masks, form) for form in _forms(name)) for name in known}
    best = sorted(ranks, key=ranks.__getitem__, reverse=True)
    same, slips = ([name for name in best if ranks[name][place]] for place in (0, 1))
    return same[:_NAMED] or slips[:_NAMED] or [name for name in best[:1] if ranks[name][2] >= _NEAR]


def _affordable(known: Iterable[str]) -> Iterator[str]:
    left = _left.get() or [LETTERS]
    for name in known:
        left[0] -= len(name) + 1
        if left[0] < 0:
            return
        yield name


def _forms(name: str) -> set[str]:
    return {name, name.removesuffix(_SUFFIX)}


def _letters(word: str) -> str:
    return word.casefold().translate(_PUNCTUATION)


def _rank(word: str, letters: str, masks: dict[str, int], name: str) -> tuple[bool, bool, float]:
    """The nearest name is the highest: whether it has the same letters, is one slip away, and what they share.

    A slip is a letter left out, added, mistaken or moved, and shares fall in this order.
    """
    common = _in_common(len(word), masks, name)
    is_slip = common > 0 and max(len(word), len(name)) - common <= 1
    return _letters(name) == letters, is_slip, 2 * common / max(1, len(word) + len(name))


def _masks(word: str) -> dict[str, int]:
    """Where each letter of a word is, as the bits of a number."""
    masks: dict[str, int] = {}
    for place, letter in enumerate(word):
        masks[letter] = masks.get(letter, 0) | 1 << place
    return masks


def _in_common(length: int, masks: dict[str, int], name: str) -> int:
    """Letters that a word and a name have in the same order: their longest common subsequence.

    In a few operations for each letter of the name, with a bit for each of the word (Hyyrö, "Bit-parallel
    LCS-length computation revisited", 2004).
    """
    every = row = (1 << length) - 1
    for letter in name:
        found = row & masks.get(letter, 0)
        row = (row + found | row - found) & every
    return length - row.bit_count()
