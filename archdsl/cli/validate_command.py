"""archdsl validate FILE…"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click

from archdsl.budget import DEFAULT, Budget
from archdsl.cli.common import budget_option, complete_config, plugin_option
from archdsl.cli.output import print_json, say
from archdsl.cli.rendering import print_error
from archdsl.compiler import compile_graph
from archdsl.errors import ArchError, Problem
from archdsl.expect import check_expectations
from archdsl.loader import load
from archdsl.printable import printable
from archdsl.report import report


class Verdict(NamedTuple):
    """What came out for one file: its parameters, or what is wrong with it."""

    file: str
    params: int | None = None
    error: ArchError | None = None

    @property
    def problems(self) -> list[Problem]:
        return self.error.problems if self.error else []


@click.command("validate")
@plugin_option
@budget_option
@click.argument("files", nargs=-1, required=True, metavar="FILE...", shell_complete=complete_config)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="For people, for programs, or as annotations of a GitHub workflow.",
)
def command(files: tuple[str, ...], form: str, budget: Budget) -> None:
    """Check config FILEs, their costs against their `expect:` included. Nothing is built."""
    printers = {"text": print_text, "json": print_as_json, "github": print_for_github}
    if printers[form](verdict(file, budget) for file in files):
        sys.exit(2)


def verdict(file: str, budget: Budget = DEFAULT) -> Verdict:
    try:
        config = load(file, (), budget)
        costs = report(compile_graph(config, budget))
        check_expectations(config, costs)
    except ArchError as error:
        return Verdict(file, error=error)
    return Verdict(file, costs.params)


def print_text(verdicts: Iterable[Verdict]) -> bool:
    """A line on standard output for each valid file, the rest on standard error. Whether there is a problem."""
    found = False
    for each in verdicts:
        if each.error is None:
            say(f"{each.file}: valid, {each.params:,} parameters")
        else:
            print_error(each.error, {})
            found = True
    return found


def print_as_json(verdicts: Iterable[Verdict]) -> bool:
    """One list with an entry for each file. Whether there is a problem."""
    files = [verdict_data(each) for each in verdicts]
    print_json(files)
    return not all(file["valid"] for file in files)


def verdict_data(found: Verdict) -> dict[str, Any]:
    params = {} if found.error else {"params": found.params}
    problems = [problem_data(problem) for problem in found.problems]
    return {"file": found.file, "valid": found.error is None, **params, "problems": problems}


def problem_data(problem: Problem) -> dict[str, Any]:
    return {**problem._asdict(), "notes": [{**note.mark._asdict(), "message": str(note)} for note in problem.notes]}


def print_for_github(verdicts: Iterable[Verdict]) -> bool:
    """A workflow command for each problem, which GitHub shows at its line. Whether there is a problem."""
    commands = [github_command(problem) for each in verdicts for problem in each.problems]
    for text in commands:
        click.echo(text)
    return bool(commands)


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
