"""Explains PyYAML's syntax errors: the most likely slip, its place and its fix."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import yaml

from archdsl.diagnostics.hint import Hint
from archdsl.diagnostics.problems import Problem
from archdsl.diagnostics.unicode import is_invisible, named
from archdsl.frontend.yaml.conformance import not_yaml, slip

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_OPENING = (yaml.FlowSequenceStartToken, yaml.FlowMappingStartToken)
_CLOSING = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken)
COLON = re.compile(r"(\s*(?:- )*[\w.-]+:)[^\s:/]")
DASH = re.compile(r"(\s*)-[^\s-]")


class _Scene(NamedTuple):
    """A syntax error and the text around it. `context` is where what could not be read began."""

    problem: str
    context: str
    at: tuple[int, int]
    began: tuple[int, int]
    lines: Sequence[str]

    @property
    def text(self) -> str:
        """The whole text, with one kind of line end."""
        return "\n".join(self.lines)

    @property
    def line(self) -> str:
        return self.lines[self.at[0]] if self.at[0] < len(self.lines) else ""

    @property
    def letter(self) -> str:
        """The character at the place of the error; empty at the end of a line."""
        return self.line[self.at[1] : self.at[1] + 1]

    def near(self) -> Iterator[int]:
        """Numbers of the lines that the slip may be in: the error's, the one where it began, the one above."""
        above = self.at[0] - 1
        while above > 0 and not self.lines[above].strip():
            above -= 1
        yield from [line for line in dict.fromkeys((self.at[0], self.began[0], above)) if 0 <= line < len(self.lines)]


def syntax_problem(error: yaml.MarkedYAMLError, file: str, lines: Sequence[str]) -> Problem:
    """PyYAML's error as one sentence at the place of the slip, and what to do."""
    mark, context = error.problem_mark or error.context_mark, error.context_mark or error.problem_mark
    at, began = [(found.line, found.column) if found else (0, 0) for found in (mark, context)]
    scene = _Scene(error.problem or "", error.context or "", at, began, lines)
    found = not_yaml(next(filter(None, (look(scene) for look in _LOOKS))), file)
    return found._replace(code="tag") if "tag" in f"{scene.problem} {scene.context}" else found


# Other kinds of text, by a line that only they have: pattern, message, hint.
_OTHER_TEXTS = (
    (r"^(?:<{7}|>{7}|\|{7})(?: .*)?$|^={7}$", "merge conflict marker at line {line}", "keep one of the two versions"),
    (r"^(?:@@ -\d|diff --git |\+\+\+ |index [0-9a-f]{7})", "this is a diff, not a config", "apply it to the file"),
    (r"\A\s*<[!?a-zA-Z]", "this is HTML or XML, not YAML", "a config is lines of `key: value`"),
    (
        r"^\[[\w.\"-]+\][ ]*$(?=\s*^\w+ *=)",
        "this is TOML or INI, not YAML",
        "write `stages:`, and its keys indented below",
    ),
    (r"^(?:from \S+ )?import \w|^class \w+[:(]|^def \w+\(", "this is Python, not YAML", "a config is `key: value`"),
    (r"^#include\b", "other files are not included in a config", "inherit with `defaults:`"),
)
# Lines of other languages that YAML cannot read.
_OTHER_LINES = (
    (r"\s*(?://|/\*)", "a comment begins with #", Hint("write # for // or /*", "#", wrong="//")),
    (r".*?(?:\{%|\{\{)", "templates are not expanded in a config", "write the value itself"),
    (r"\w+[ ]*=[ ]", "YAML has no =", Hint("write key: value", ":", wrong="=")),
)


def other_text(text: str) -> Problem | None:
    """The slip when a line shows that the text is in another language."""
    for pattern, message, hint in _OTHER_TEXTS:
        if found := re.search(pattern, text, re.MULTILINE):
            start = found.end() - len(found[0].lstrip())
            line = text.count("\n", 0, start)
            return slip(line, start - text.rfind("\n", 0, start) - 1, message.format(line=line + 1), hint)
    return None


def _other_text(scene: _Scene) -> Problem | None:
    return other_text(scene.text)


def _other_line(scene: _Scene) -> Problem | None:
    return other_line(scene.lines, scene.near())


def other_line(lines: Sequence[str], numbers: Iterator[int]) -> Problem | None:
    """The first of the lines that is written in another language."""
    for number in numbers:
        for pattern, message, hint in _OTHER_LINES:
            if found := re.match(pattern, lines[number]):
                return slip(number, found.end() - len(found[0].lstrip()), message, hint)
    return None


def _tab(scene: _Scene) -> Problem | None:
    for number in scene.near():
        line = scene.lines[number]
        column = line.find("\t")
        if column >= 0 and not line[:column].strip(" -?:"):
            hint = Hint("indent with spaces, not tabs", "  ", wrong="\t")
            return slip(number, column, f"tab at line {number + 1} column {column + 1}", hint)
    return None


def _strange_space(scene: _Scene) -> Problem | None:
    return next(filter(None, (strange_space(scene.lines[number], number) for number in scene.near())), None)


def strange_space(line: str, number: int) -> Problem | None:
    """The first invisible character, or colon of another alphabet, in a line."""
    for column, letter in enumerate(line):
        if is_invisible(letter) or letter in "：﹕":
            plain = " " if is_invisible(letter) else ": "
            hint = Hint("write an ordinary space or colon, or nothing", plain, wrong=letter)
            return slip(number, column, named(letter), hint)
    return None


def _missing_space(scene: _Scene) -> Problem | None:
    if "mapping values" in scene.problem or "':'" in scene.problem or "expected key" in scene.problem:
        return missing_space(scene.lines, scene.near())
    return None


def missing_space(lines: Sequence[str], numbers: Iterator[int]) -> Problem | None:
    """`key:1` or `-1` in one of the lines."""
    for number in numbers:
        if found := COLON.match(lines[number]):
            hint = Hint("put a space after the colon", " ", wrong="")
            return slip(number, found.end(1), "there is no space after the colon", hint)
        if found := DASH.match(lines[number]):
            hint = Hint("put a space after the dash", "- ", wrong="-")
            return slip(number, found.end(1), "a list item without a space", hint)
    return None


def _quote(scene: _Scene) -> Problem | None:
    """A quote that is never closed, or only by the next one."""
    line, column = scene.began
    if "quoted scalar" in scene.context and "unexpected" in scene.problem:
        return slip(line, column, f"the quote {scene.lines[line][column]} is never closed", "close the quote")
    if "expected key" not in scene.problem and "expected ','" not in scene.problem:
        return None
    for token in _tokens(scene):
        start, end = token.start_mark, token.end_mark
        if isinstance(token, yaml.ScalarToken) and token.style in ("'", '"') and (end.line, end.column) == scene.at:
            if start.line != end.line:
                return slip(start.line, start.column, "this quote is closed only by a later one", "close the quote")
            hint = "in single quotes write '' for a quote, in double quotes \\\""
            return slip(*scene.at, "text follows a closed quote", hint)
    return None


def _reference(scene: _Scene) -> Problem | None:
    """`${…}` inside brackets, where its own brace opens a mapping."""
    if not scene.line[: scene.at[1] + 1].endswith("${"):
        return None
    return slip(*scene.at, "a reference inside brackets", "put quotes around a reference inside brackets: '${…}'")


def _bracket(scene: _Scene) -> Problem | None:
    """A bracket that is never closed, closed by another kind, or closes nothing."""
    opened = _open_brackets(scene)
    if scene.letter in ("]", "}"):
        if not opened:
            return slip(*scene.at, f"'{scene.letter}' closes nothing", "take it out")
        line, column = opened[-1]
        fact = f"'{scene.letter}' cannot close the '{scene.lines[line][column]}' of line {line + 1}"
        return slip(*scene.at, fact, "close a bracket with its own kind")
    if "flow" in scene.context and opened and scene.letter != ",":
        line, column = opened[-1]
        if line == scene.at[0] and scene.letter not in ("", "#"):
            return slip(*scene.at, f"a comma is missing before '{scene.letter}'", "put a comma or a colon between")
        return slip(line, column, f"the '{scene.lines[line][column]}' is never closed", "close this bracket")
    return None


def _open_brackets(scene: _Scene) -> list[tuple[int, int]]:
    opened: list[tuple[int, int]] = []
    for token in _tokens(scene):
        if isinstance(token, _OPENING):
            opened.append((token.start_mark.line, token.start_mark.column))
        elif isinstance(token, _CLOSING) and opened:
            opened.pop()
    return opened


def _tokens(scene: _Scene) -> Iterator[yaml.Token]:
    """The tokens before the error."""
    try:
        for token in yaml.scan(scene.text, Loader=_Loader):
            if (token.start_mark.line, token.start_mark.column) >= scene.at:
                return
            yield token
    except yaml.YAMLError:
        return


def _colon(scene: _Scene) -> Problem | None:
    """A colon in a line that cannot take one."""
    if "mapping values" not in scene.problem:
        return None
    if re.search(r":\s", scene.line[: scene.at[1]]):
        return slip(*scene.at, "a second colon in one line", "quote the value, or put it on a line of its own")
    above = next((number for number in scene.near() if number < scene.at[0]), None)
    start = len(scene.line) - len(scene.line.lstrip())
    if above is not None and ":" not in scene.lines[above]:
        column = len(scene.lines[above].rstrip())
        return slip(above, column, "there is no colon after this key", "write key: value")
    return slip(scene.at[0], start, "this key is indented deeper than its neighbour above", "indent both the same")


def _missing_key(scene: _Scene) -> Problem | None:
    before = scene.line[: scene.at[1]].strip()[-1:]
    if (
        scene.letter == ":"
        and before in ("", "{", ",")
        and any(words in scene.problem for words in ("expected key", "expected ','", "node content"))
    ):
        return slip(*scene.at, "a key must be text, got nothing before the colon", "write key: value")
    return None


def _indentation(scene: _Scene) -> Problem | None:
    """A line that fits no indentation above it."""
    if not scene.context.startswith("while parsing a block") or scene.line[: scene.at[1]].strip():
        return None
    if "'-'" in scene.problem or scene.letter == "-":
        return slip(*scene.at, "keys and list items at one indentation", "write `key: value`, or `- item`")
    if "expected key" in scene.problem:
        return slip(*scene.at, f"an indentation of {scene.at[1]} that fits no line above", "align it")
    return None


_BACKSLASH = "write \\\\ for a backslash, or use single quotes"
# The rest by PyYAML's words: a part of them, message, hint. `{letter}` and `{line}` are those at the error.
_WORDS = (
    ("unexpected ':'", "a colon without a space in brackets", "put a space after the colon"),
    ("cannot start any token", "'{letter}' cannot begin a value", "quote the value"),
    ("unknown escape", "a backslash sequence that YAML does not have", _BACKSLASH),
    ("hexdecimal", "an incomplete \\x or \\u sequence", _BACKSLASH),
    ("Unicode character escape", "a \\u sequence that is not a character", "write the character itself"),
    ("alphabetic or numeric", "* and & need a name", "quote a value that begins with * or &"),
    ("tag", "tags are not allowed; a config is plain data", "leave the tag out"),
    ("incompatible YAML", "'{line}' is not supported; expected YAML 1.2", "leave this line out"),
    ("directive", "'{line}' is not a known directive", "leave this line out; quote a value that begins with %"),
    ("<document start>", "text after the end of the document", "leave out lines of `...` and `%`"),
    ("block sequence entries", "a list cannot begin here", "put `- item` on a line of its own, or write [a, b]"),
    ("mapping keys", "'?' is not allowed here", "write key: value"),
    ("comment or line break", "text follows | or >", "begin the text on the next line"),
    ("indentation indicator", "an indentation of 0", "leave the number out"),
    ("could not find expected ':'", "there is no colon after this key", "write key: value"),
    ("expected key", "text follows a complete value", "begin a new line, or quote the whole value"),
    ("node content", "a value is missing before '{letter}'", "write the value, or take the '{letter}' out"),
)
_AT_BEGINNING = ("could not find expected ':'", "alphabetic or numeric", "tag", "directive")
_ESCAPES = ("unknown escape", "hexdecimal", "Unicode character escape")


def _by_words(scene: _Scene) -> Problem:
    for words, message, hint in _WORDS:
        if words in f"{scene.problem} {scene.context}":
            place = scene.began if words in _AT_BEGINNING else scene.at
            if words in _ESCAPES:
                place = (scene.at[0], max(0, scene.line.rfind("\\", 0, scene.at[1] + 1)))
            known = {"letter": scene.letter, "line": scene.line.strip()[:40]}
            return slip(*place, message.format(**known), hint.format(**known))
    return slip(*scene.at, scene.problem or scene.context or "it cannot be read")


_LOOKS: Sequence[Callable[[_Scene], Problem | None]] = (
    _other_text,
    _tab,
    _quote,
    _strange_space,
    _other_line,
    _missing_space,
    _missing_key,
    _reference,
    _bracket,
    _colon,
    _indentation,
    _by_words,
)
