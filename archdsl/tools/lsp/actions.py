"""Fixes as code actions: one for each problem, and one for the whole text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lsprotocol import types

from archdsl.analysis.text import counted
from archdsl.diagnostics.fixes import Edit
from archdsl.diagnostics.problems import Problem
from archdsl.tools.editing.fixing import together
from archdsl.tools.lsp.diagnostics import diagnostic, location
from archdsl.tools.lsp.open_texts import Opened

KINDS = [types.CodeActionKind.QuickFix, types.CodeActionKind.SourceFixAll]


def code_actions(opened: Opened, params: types.CodeActionParams) -> list[types.CodeAction]:
    """The fixes of the problems in the range, and an action for all problems that have only one fix."""
    problems = [each for each in opened.document.problems if each.fixes]
    found = [*_quick_fixes(opened, problems, params.range), *_fix_all(opened, problems)]
    wanted = params.context.only
    return [each for each in found if not wanted or any(_is_of(each.kind, kind) for kind in wanted)]


def _is_of(kind: str | None, wanted: str) -> bool:
    return kind == wanted or f"{kind}".startswith(f"{wanted}.")


def _quick_fixes(opened: Opened, problems: Sequence[Problem], asked: types.Range) -> Iterator[types.CodeAction]:
    for problem in problems:
        told = diagnostic(problem, opened)
        if told.range.end < asked.start or asked.end < told.range.start:
            continue
        for fix in problem.fixes:
            yield types.CodeAction(
                title=fix.title,
                kind=types.CodeActionKind.QuickFix,
                diagnostics=[told],
                is_preferred=len(problem.fixes) == 1,
                edit=workspace_edit(opened, fix.edits),
            )


def _fix_all(opened: Opened, problems: Sequence[Problem]) -> Iterator[types.CodeAction]:
    """The edits of this text that do not overlap; the others are offered again afterwards."""
    edits = [edit for each in together(problems, opened.name) for edit in each.fixes[0].edits]
    if edits:
        title = f"fix {counted(len(edits), 'problem')}"
        yield types.CodeAction(title, types.CodeActionKind.SourceFixAll, edit=workspace_edit(opened, edits))


def workspace_edit(opened: Opened, edits: Sequence[Edit]) -> types.WorkspaceEdit:
    changes: dict[str, list[types.TextEdit]] = {}
    for edit in edits:
        place = location(edit.range, opened)
        changes.setdefault(place.uri, []).append(types.TextEdit(place.range, edit.text))
    return types.WorkspaceEdit(changes=changes)
