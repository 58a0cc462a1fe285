"""archdsl show CONFIG [OVERRIDE…]"""

from __future__ import annotations

import click

from archdsl.budget import Budget
from archdsl.checks import Design, Question, warnings
from archdsl.cli.common import (
    Size,
    at_size,
    budget_option,
    config_argument,
    overrides_argument,
    plugin_option,
    size_option,
)
from archdsl.cli.output import console, print_json, say
from archdsl.loader import load
from archdsl.report import report


@click.command("show")
@plugin_option
@config_argument
@overrides_argument
@size_option
@budget_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every operation.")
@click.option("--graph", "as_graph", is_flag=True, help="Print every operation as text.")
@click.option("--fuse", is_flag=True, help="Count what is left when batch norms and branches are folded away.")
def command(
    config: str,
    overrides: tuple[str, ...],
    size: Size | None,
    budget: Budget,
    as_json: bool,
    as_graph: bool,
    fuse: bool,
) -> None:
    """Layers, outputs, parameters and MACs of CONFIG. Nothing is built."""
    design = Design(at_size(load(config, overrides, budget), size), Question(fuse=fuse), budget)
    costs = report(design.graph)
    if as_graph:
        say(*str(design.graph).split("\n"))
    elif as_json:
        print_json(costs.to_dict())
    else:
        console().print(costs.table(), "", costs.outputs_table(), costs.totals())
        print_warnings(design)


def print_warnings(design: Design) -> None:
    """What is likely a slip, a line each on standard error."""
    found = warnings(design)
    for finding in found:
        say(*str(finding).split("\n"), err=True)
    if found:
        say("  hint: `archdsl check`, with the same words, says what to change", err=True)
