"""The problems of a text as diagnostics, which are never older than the text."""

from __future__ import annotations

from lsprotocol import types
from pygls.uris import from_fs_path

from archdsl.diagnostics.fixes import Range
from archdsl.diagnostics.problems import Problem
from archdsl.frontend.sections import STAGES
from archdsl.tools.lsp.open_texts import Opened

SOURCE = "archdsl"
_TAGS = {"unused": [types.DiagnosticTag.Unnecessary]}


def diagnostics_of(opened: Opened) -> list[types.Diagnostic]:
    """One for each problem. Those of a parent are placed at `defaults`, and point to the parent."""
    return [diagnostic(problem, opened) for problem in opened.document.problems]


def diagnostic(problem: Problem, opened: Opened) -> types.Diagnostic:
    is_here = problem.file == opened.name
    return types.Diagnostic(
        range=opened.positions.range(problem.range if is_here else _at_defaults(opened)),
        message="\n".join([problem.fact, *problem.remarks]),
        severity=types.DiagnosticSeverity.Information if _is_only_a_part(problem) else types.DiagnosticSeverity.Error,
        code=problem.code,
        source=SOURCE,
        tags=_TAGS.get(problem.code),
        related_information=_elsewhere(problem, opened, is_here) or None,
    )


def _is_only_a_part(problem: Problem) -> bool:
    """Whether the only problem is that the text is not a whole network, as in a parent or a group's option."""
    return problem.code == "missing-key" and problem.path in ("", STAGES.name)


def _at_defaults(opened: Opened) -> Range:
    return opened.document.index.key_range(("defaults",)) or Range(opened.name, 1, 1, 1, 1)


def _elsewhere(problem: Problem, opened: Opened, is_here: bool) -> list[types.DiagnosticRelatedInformation]:
    """The places of its notes, and its own place if that is in another file."""
    own = [] if is_here or not problem.line else [(problem.mark, problem.message)]
    places = [*own, *[(note.mark, note.text) for note in problem.notes if note.mark.line]]
    return [
        types.DiagnosticRelatedInformation(location(Range(*mark, mark.line, mark.column), opened), text)
        for mark, text in places
    ]


def location(place: Range, opened: Opened) -> types.Location:
    """The location of a place in this text or in one of its parents."""
    uri = opened.uri if place.file == opened.name else from_fs_path(place.file) or place.file
    return types.Location(uri, opened.positions_of(place.file).range(place))
