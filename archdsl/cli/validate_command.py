"""archdsl validate FILE…"""

from __future__ import annotations

import sys

import click

from archdsl.cli.common import complete_config, plugin_option
from archdsl.compiler import compile_graph
from archdsl.errors import ArchError
from archdsl.expect import check_expectations
from archdsl.loader import load
from archdsl.report import report


@click.command("validate")
@plugin_option
@click.argument("files", nargs=-1, required=True, metavar="FILE...", shell_complete=complete_config)
def command(files: tuple[str, ...]) -> None:
    """Check config FILEs, their costs against their `expect:` included. Nothing is built."""
    failed = [file for file in files if not is_valid(file)]
    if failed:
        sys.exit(2)


def is_valid(file: str) -> bool:
    """Prints the verdict on one file."""
    try:
        config = load(file)
        costs = report(compile_graph(config))
        check_expectations(config, costs)
    except ArchError as error:
        click.echo(error, err=True)
        return False
    click.echo(f"{file}: valid, {costs.params:,} parameters")
    return True
