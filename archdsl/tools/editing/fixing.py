"""Applies fixes to a text: those of problems that have only one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from archdsl.diagnostics.fixes import Edit, Range
from archdsl.diagnostics.problems import MAX_PROBLEMS, Mark, Problem
from archdsl.frontend.yaml.conformance import LINE_END
from archdsl.tools.editing.document import Document


class Fixed(NamedTuple):
    """A change that was made: where, the text before and the text after."""

    mark: Mark
    wrong: str
    right: str


def applied(text: str, edits: Iterable[Edit]) -> str:
    """The text after the edits, which must not overlap."""
    for edit in sorted(edits, key=lambda each: each.range[1:], reverse=True):
        piece = _piece(text, edit.range)
        text = text[: piece.start] + edit.text + text[piece.stop :]
    return text


def _piece(text: str, place: Range) -> slice:
    starts = [0, *[found.end() for found in LINE_END.finditer(text)]]
    return slice(starts[place.line - 1] + place.column - 1, starts[place.end_line - 1] + place.end_column - 1)


def sure(problems: Iterable[Problem], file: str) -> list[Problem]:
    """The problems with exactly one fix, all of it in `file`."""
    single = [each for each in problems if len(each.fixes) == 1]
    return [each for each in single if all(edit.range.file == file for edit in each.fixes[0].edits)]


def fixed(document: Document) -> tuple[str, list[Fixed]]:
    """Applies the fix of each problem that has only one. Returns the new text and the changes.

    A fix is skipped if its problem would remain, or if the text could then no longer be composed.
    """
    done: list[Fixed] = []
    tried: set[object] = set()
    while found := next((each for each in sure(document.problems, document.name) if each[:6] not in tried), None):
        tried.add(found[:6])
        edits = found.fixes[0].edits
        after = document.with_text(applied(document.text, edits))
        is_gone = found[:6] not in [each[:6] for each in after.problems]
        if is_gone and (after.config is not None or document.config is None) and len(done) < MAX_PROBLEMS:
            done += [Fixed(found.mark, document.text[_piece(document.text, each.range)], each.text) for each in edits]
            document = after
    return document.text, done
