"""archdsl diff A B"""

from __future__ import annotations

from typing import Any

import click

from archdsl.analysis.differences import Change, differences, table
from archdsl.analysis.report import report
from archdsl.diagnostics.terminal import say
from archdsl.frontend.budget import Budget
from archdsl.frontend.compose.config import load
from archdsl.frontend.lower import compile_graph
from archdsl.frontend.source import ABSENT
from archdsl.tools.cli.options import (
    ConfigArgument,
    Size,
    at_size,
    budget_option,
    config_argument,
    plugin_option,
    size_option,
)
from archdsl.tools.cli.output import print_json, print_table


@click.command("diff")
@plugin_option
@config_argument("first", "A")
@config_argument("second", "B")
@size_option
@budget_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(first: ConfigArgument, second: ConfigArgument, size: Size | None, budget: Budget, as_json: bool) -> None:
    """What differs between the configs A and B, in values, layers and costs."""
    configs = [load(name, (), budget) for name in (first, second)]
    reports = [report(compile_graph(at_size(config, size), budget)) for config in configs]
    found = differences(configs, reports)
    if as_json:
        print_json({f"{kind}s": [as_data(change) for change in rows] for kind, rows in found.items()})
        return
    names = [name if isinstance(name, str) else name.file for name in (first, second)]
    for kind, rows in found.items():
        print_changes(kind, names, rows)


def as_data(change: Change) -> dict[str, Any]:
    """Plain data, without the side that has no such key."""
    return {name: value for name, value in change._asdict().items() if value is not ABSENT}


def print_changes(kind: str, names: list[str], rows: list[Change]) -> None:
    if not rows:
        say(f"no {kind} differs")
        return
    print_table(table(kind, names, rows))
    say()
