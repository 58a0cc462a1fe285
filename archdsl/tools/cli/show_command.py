"""archdsl show CONFIG [OVERRIDE…]"""

from __future__ import annotations

from pathlib import Path

import click

from archdsl.analysis.lint import Design, Question, warnings
from archdsl.analysis.report import report
from archdsl.diagnostics.terminal import Styled, say, say_styled, say_wrapped
from archdsl.frontend.budget import Budget
from archdsl.frontend.compose.config import load
from archdsl.tools.cli.machine_option import layer_times, machine_option
from archdsl.tools.cli.options import ConfigArgument, Size, at_size, batch_option, config_options, size_option
from archdsl.tools.cli.output import print_json, print_table


@click.command("show")
@config_options
@size_option
@batch_option
@machine_option("Predict how long it takes on the machine in this file, which `bench --machine` writes.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every operation.")
@click.option(
    "--format", "form", type=click.Choice(["model-explorer"]), help="Print the JSON that Model Explorer opens."
)
@click.option("--graph", "as_graph", is_flag=True, help="Print every operation as text.")
@click.option("--fuse", is_flag=True, help="Count what is left when batch norms and branches are folded away.")
def command(
    config: ConfigArgument,
    overrides: tuple[str, ...],
    size: Size | None,
    batch: int,
    budget: Budget,
    machine: Path | None,
    as_json: bool,
    form: str | None,
    as_graph: bool,
    fuse: bool,
) -> None:
    """Layers, outputs, parameters, MACs and memory of CONFIG. Nothing is built."""
    design = Design(at_size(load(config, overrides, budget), size), Question(fuse=fuse), budget)
    costs = report(design.graph)
    seconds, times = layer_times(costs, machine) if machine else ({}, [])
    if form:
        from archdsl.analysis.model_explorer import explorer_data

        print_json(explorer_data(costs))
    elif as_graph:
        say(*str(design.graph).split("\n"))
    elif as_json:
        print_json(costs.to_dict(batch) | ({"seconds": seconds} if machine else {}))
    else:
        say_styled([[Styled(costs.name, bold=True)]])
        print_table(costs.table())
        say()
        print_table(costs.outputs_table())
        say(*costs.totals(batch).split("\n"), *times)
        print_warnings(design)


def print_warnings(design: Design) -> None:
    """Prints likely slips on standard error, each on a line."""
    found = list(map(str, warnings(design)))
    if found:
        say_wrapped(*found, "  hint: `archdsl check`, with the same arguments, shows what to change")
