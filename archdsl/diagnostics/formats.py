"""Problems for programs: as JSON data, and as annotations of a GitHub workflow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from archdsl.diagnostics.fixes import Fix
from archdsl.diagnostics.problems import Problem
from archdsl.diagnostics.unicode import printable


def problem_data(problem: Problem) -> dict[str, Any]:
    """The problem as plain data; its fixes as edits of the text, each with the piece that it replaces."""
    notes = [{**note.mark._asdict(), "message": str(note)} for note in problem.notes]
    return {**problem._asdict(), "notes": notes, "fixes": [_fix_data(fix) for fix in problem.fixes]}


def _fix_data(fix: Fix) -> dict[str, Any]:
    return {"title": fix.title, "edits": [{**edit.range._asdict(), "text": edit.text} for edit in fix.edits]}


def github_command(problem: Problem) -> str:
    """`::error file=…,line=…,col=…,title=…::message` (docs.github.com, workflow commands, setting an error message)."""
    properties = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in _properties(problem))
    return f"::error {properties}::{_escaped(chr(10).join([problem.fact, *problem.remarks]))}"


def _properties(problem: Problem) -> Iterator[tuple[str, str]]:
    if problem.file:
        yield "file", printable(_within_workspace(problem.file))
    if problem.line:
        yield "line", str(problem.line)
        yield "col", str(problem.column)
    yield "title", problem.code


def _within_workspace(file: str) -> str:
    """GitHub knows files by their path from the folder that it starts in."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file


def _escaped(text: str, separators: str = "") -> str:
    """As GitHub's own toolkit escapes data, and properties with their separators (actions/toolkit, command.ts)."""
    for letter in "%\r\n" + separators:
        text = text.replace(letter, f"%{ord(letter):02X}")
    return text
