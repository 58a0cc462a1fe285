"""archdsl validate FILE…"""

from __future__ import annotations

import sys
from codecs import BOM_UTF8
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import click

from archdsl.analysis.expect import check_expectations
from archdsl.analysis.report import report
from archdsl.diagnostics.formats import github_command, problem_data
from archdsl.diagnostics.problems import ArchError, Problem
from archdsl.diagnostics.terminal import print_error, say
from archdsl.diagnostics.texts import text_of
from archdsl.diagnostics.unicode import printable
from archdsl.frontend.budget import DEFAULT, Budget
from archdsl.frontend.compose.config import load, root_of
from archdsl.frontend.compose.search_path import find_config
from archdsl.frontend.lower import outline
from archdsl.frontend.yaml.extents import with_extents
from archdsl.frontend.yaml.files import real
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
@click.option("--fix", is_flag=True, help="Apply to the FILEs what has one fix, and say what was changed.")
def command(files: tuple[str, ...], form: str, budget: Budget, fix: bool) -> None:
    """Check config FILEs, their costs against their `expect:` included. Nothing is built.

    With --fix a FILE with a mistake that has one fix only, such as a misspelt key, is written anew without it; all
    others stay as they are, and so do parents that are not among the FILEs.
    """
    for file in files if fix else ():
        fix_file(file, form, budget)
    printers = {"text": print_text, "json": print_as_json, "github": print_for_github}
    if printers[form](verdict(file, budget) for file in files):
        sys.exit(2)


def fix_file(file: str, form: str, budget: Budget) -> None:
    """Writes a file without the problems that have one fix only, and prints the changes; beside data as errors."""
    from archdsl.backends.atomic_write import written_whole
    from archdsl.tools.editing.document import Document
    from archdsl.tools.editing.fixing import fixed

    path = _text_file(file)
    if path is None:
        return
    data = path.read_bytes()
    mark = BOM_UTF8 if data.startswith(BOM_UTF8) else b""
    before = Document(str(path), text_of(str(path)), folder=root_of(path), budget=budget)
    text, changes = fixed(before)
    if not changes or data != mark + before.text.encode():  # it is not UTF-8, or has changed meanwhile
        return
    with written_whole(real(path)) as partial:
        partial.write_bytes(mark + text.encode())
    for each in changes:
        wrong, right = [f"'{printable(piece)}'" if piece else "nothing" for piece in (each.wrong, each.right)]
        say(f"{each.mark}: fixed: {wrong} is now {right}", err=form != "text")


def _text_file(file: str) -> Path | None:
    """The file that is meant, if there is a small one that can be read; what is wrong with any other is told later."""
    with suppress(ArchError, OSError):
        path = find_config(file)
        return path if text_of(str(path)) else None
    return None


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
