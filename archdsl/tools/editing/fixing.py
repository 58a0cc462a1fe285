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


def together(problems: Iterable[Problem], file: str) -> list[Problem]:
    """The problems with exactly one fix, all of it in `file`, whose edits do not overlap; in the order of the text."""
    single = [each for each in problems if len(each.fixes) == 1]
    inside = [each for each in single if all(edit.range.file == file for edit in each.fixes[0].edits)]
    found: list[Problem] = []
    for each in sorted(inside, key=lambda each: each.fixes[0].edits[0].range):
        if not found or found[-1].fixes[0].edits[-1].range[3:] <= each.fixes[0].edits[0].range[1:3]:
            found.append(each)
    return found


def fixed(document: Document) -> tuple[str, list[Fixed]]:
    """Applies the fix of each problem that has only one. Returns the new text and the changes.

    A fix is skipped if its problem would remain, or if the text could then no longer be composed.
    """
    done: list[Fixed] = []
    tried: set[object] = set()
    while batch := [each for each in together(document.problems, document.name) if each[:6] not in tried]:
        after = _without(document, batch)
        while after is None and len(batch) > 1:  # one of them is wrong
            batch = batch[: len(batch) // 2]
            after = _without(document, batch)
        tried.update(each[:6] for each in batch)
        if after is not None and len(done) < MAX_PROBLEMS:
            for edit in _edits(batch):
                done.append(Fixed(Mark(*edit.range[:3]), document.text[_piece(document.text, edit.range)], edit.text))
            document = after
    return document.text, done


def _without(document: Document, problems: Iterable[Problem]) -> Document | None:
    """The document after the fixes of some problems; None if that does not help."""
    after = document.with_text(applied(document.text, _edits(problems)))
    left = {each[:6] for each in after.problems}
    is_composed = after.config is not None or document.config is None
    return after if is_composed and not any(each[:6] in left for each in problems) else None


def _edits(problems: Iterable[Problem]) -> list[Edit]:
    return [edit for each in problems for edit in each.fixes[0].edits]
