"""Where what is wrong ends: the YAML token at the place of a problem, found in the text once a problem is shown."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from functools import cache

from archdsl.diagnostics.fixes import Edit, Fix, Range
from archdsl.diagnostics.hint import Hint
from archdsl.diagnostics.problems import Problem
from archdsl.frontend.values import MAX_SCALAR
from archdsl.frontend.yaml.conformance import LINE_END

_QUOTED = r"'(?:[^']|'')*'|\"(?:[^\"\\]|\\.)*\""
_PROPERTIES = re.compile(r"(?:[&!][^\s,\[\]{}]*[ \t]+)+", re.ASCII)  # an anchor, a tag
_IS_KEY = re.compile(r"[ \t]*:(?=[\s,\[\]{}]|$)")  # what follows the first key of a mapping without brackets
_TOKENS = (
    re.compile(_QUOTED, re.DOTALL),
    re.compile(r"[|>][-+0-9]*"),  # of a block of text its sign
    re.compile(r"-(?=\s)|[\[\]{},\s]"),
)
_BARE_IN_BRACKETS = re.compile(r"(?:[^\s,\[\]{}#:]|(?<=\S)#|:(?![\s,\[\]{}])|[ \t]+(?![\s#]))+", re.ASCII)
_BARE = re.compile(r"(?:[^\s#:]|(?<=\S)#|:(?!\s)|[ \t]+(?![\s#]))+", re.ASCII)
# What matters to brackets: quotes, where a value may begin, and comments, where nothing is before them.
_BRACKETS = re.compile(
    rf"(?:(?<=[\s,:\[{{])|^)(?:{_QUOTED})|(?:(?<=\s)|^)#[^\r\n]*|[\[\]{{}}]", re.DOTALL | re.MULTILINE
)


class Extents:
    """The tokens of one text, which may be broken. Places are those of marks."""

    def __init__(self, text: str):
        self.text = text
        lengths = [match.end() for match in LINE_END.finditer(text)]
        self._starts = [0, *lengths]
        self._closed: dict[int, int] = {}
        self._depths: list[tuple[int, int]] = [(0, 0)]
        self._follow_brackets()

    def _follow_brackets(self) -> None:
        opened: list[int] = []
        for found in _BRACKETS.finditer(self.text):
            if found[0] in ("[", "{"):
                opened.append(found.start())
            elif found[0] in ("]", "}") and opened:
                self._closed[opened.pop()] = found.end()
            else:
                continue
            self._depths.append((found.end(), len(opened)))

    def offset(self, line: int, column: int) -> int:
        """How many characters are before a place; one that the text does not have is the nearest that it has."""
        if line > len(self._starts):
            return len(self.text)
        end = self._starts[line] if line < len(self._starts) else len(self.text)
        return max(0, min(self._starts[line - 1] + column - 1, end))

    def place(self, offset: int) -> tuple[int, int]:
        """The line and the column that so many characters are before."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def token(self, line: int, column: int) -> tuple[int, int, int]:
        """The offsets of the token at a place: its beginning, that of its value after an anchor or a tag, its end.

        It is a whole value or key, a list with its brackets, else one character. Of a list or a mapping without
        brackets it is the first token.
        """
        start = self.offset(line, column)
        properties = _PROPERTIES.match(self.text, start)
        value = properties.end() if properties else start
        return start, value, self._end(value)

    def _end(self, start: int) -> int:
        if start in self._closed:
            return self._closed[start]
        depth = self._depths[bisect_right(self._depths, (start, 1 << 30)) - 1][1]
        for token in (*_TOKENS, _BARE_IN_BRACKETS if depth else _BARE):
            if found := token.match(self.text, start, start + MAX_SCALAR):
                return found.end()
        return self._after(start)

    def _after(self, start: int) -> int:
        """The end of one character, or of the line."""
        is_seen = start < len(self.text) and self.text[start] not in "\r\n"
        return start + is_seen

    def range(self, file: str, start: int, end: int) -> Range:
        return Range(file, *self.place(start), *self.place(end))


def with_extents(problems: Iterable[Problem], text_of: Callable[[str], str]) -> tuple[Problem, ...]:
    """The same problems with their ends and fixes, where `text_of` has a text of their file; it is asked once."""
    extents = cache(lambda file: Extents(text_of(file)))
    return tuple([_extended(each, extents(each.file)) if each.line else each for each in problems])


def _extended(problem: Problem, extents: Extents) -> Problem:
    if not extents.text:
        return problem
    token = extents.token(problem.line, problem.column)
    end_line, end_column = extents.place(token[2])
    fixes = _fixes(problem.hint, extents, token, problem.file) if isinstance(problem.hint, Hint) else ()
    return problem._replace(end_line=end_line, end_column=end_column, fixes=fixes)


def _fixes(hint: Hint, extents: Extents, token: tuple[int, int, int], file: str) -> tuple[Fix, ...]:
    """A fix for each change that the hint knows."""
    piece = _wrong(hint.wrong, extents.text, *token)
    if piece is None:
        return ()
    place = extents.range(file, *piece)
    return tuple([Fix(_title(hint, right), (Edit(place, right),)) for right in hint.right])


def _title(hint: Hint, right: str) -> str:
    return f"write {right}" if right.strip() == right != "" and hint.wrong != "" else str(hint)


def _wrong(word: str | None, text: str, start: int, value: int, end: int) -> tuple[int, int] | None:
    """The offsets of what is wrong with a token; None where it is not sure which piece of it that is."""
    if word is None:
        is_all = text[value:end] != "-" and not _IS_KEY.match(text, end)
        return (value, end) if is_all else None
    if text.startswith(word, value):
        return value, value + len(word)
    before, after = [r"\b" if edge.isalnum() else "" for edge in (word[0], word[-1])]
    found = [match.span() for match in re.compile(f"{before}{re.escape(word)}{after}").finditer(text, start, end)]
    return found[0] if len(found) == 1 else None
