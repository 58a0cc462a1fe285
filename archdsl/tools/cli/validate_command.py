"""archdsl validate FILE…"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

import click

from archdsl.analysis.expect import check_expectations
from archdsl.analysis.report import report
from archdsl.diagnostics.formats import github_command, problem_data
from archdsl.diagnostics.problems import ArchError, Problem
from archdsl.diagnostics.terminal import print_error, say
from archdsl.diagnostics.texts import text_of
from archdsl.frontend.budget import DEFAULT, Budget
from archdsl.frontend.compose.config import load
from archdsl.frontend.lower import outline
from archdsl.frontend.yaml.extents import with_extents
from archdsl.tools.cli.completion import complete_config
from archdsl.tools.cli.options import budget_option, config_given, plugin_option
from archdsl.tools.cli.output import print_json


class Verdict(NamedTuple):
    """The result for one file: its parameters, or what is wrong with it."""

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
        config = load(config_given(file), (), budget)
        costs = report(outline(config, budget))
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
    problems = [problem_data(problem) for problem in with_extents(found.problems, text_of)]
    return {"file": found.file, "valid": found.error is None, **params, "problems": problems}


def print_for_github(verdicts: Iterable[Verdict]) -> bool:
    """A workflow command for each problem, which GitHub shows at its line. Whether there is a problem."""
    commands = [github_command(problem) for each in verdicts for problem in each.problems]
    for text in commands:
        click.echo(text)
    return bool(commands)
