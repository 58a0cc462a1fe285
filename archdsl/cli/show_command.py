"""archdsl show CONFIG [OVERRIDE…]"""

from __future__ import annotations

import click

from archdsl.budget import Budget
from archdsl.cli.common import (
    budget_option,
    config_argument,
    console,
    overrides_argument,
    plugin_option,
    print_json,
    size_option,
)
from archdsl.compiler import compile_graph
from archdsl.loader import load
from archdsl.passes import run_passes
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
    size: tuple[int | None, int | None],
    budget: Budget,
    as_json: bool,
    as_graph: bool,
    fuse: bool,
) -> None:
    """Layers, outputs, parameters and MACs of CONFIG. Nothing is built."""
    loaded = load(config, overrides)
    graph = compile_graph(loaded.with_size(*size), budget)
    if fuse:
        graph, _ = run_passes(graph)
    if as_graph:
        click.echo(graph)
    elif as_json:
        print_json(report(graph).to_dict())
    else:
        costs = report(graph)
        console().print(costs.table(), "", costs.outputs_table(), costs.totals())
