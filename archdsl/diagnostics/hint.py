"""Hints that know the change they are about. It is made into edits of a text only where somebody asks for them."""

from __future__ import annotations


class Hint(str):
    """The words of a hint that knows its change too: what is `wrong` becomes one of `right`.

    `wrong` is a piece of the text at the place of the problem. None is the whole value there; where it is empty,
    `right` is put in at the place.
    """

    right: tuple[str, ...]
    wrong: str | None

    def __new__(cls, words: str, *right: str, wrong: str | None = None) -> Hint:
        hint = super().__new__(cls, words)
        hint.right, hint.wrong = right, wrong
        return hint
