"""archdsl diff A B"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from archdsl.budget import Budget
from archdsl.cli.common import Size, at_size, budget_option, complete_config, plugin_option, size_option
from archdsl.cli.output import console
from archdsl.compiler import compile_graph
from archdsl.loader import load
from archdsl.printable import printable
from archdsl.report import Report, count_text, report, shape_text

ABSENT = "–"


@click.command("diff")
@plugin_option
@click.argument("first", metavar="A", shell_complete=complete_config)
@click.argument("second", metavar="B", shell_complete=complete_config)
@size_option
@budget_option
def command(first: str, second: str, size: Size | None, budget: Budget) -> None:
    """What differs between the configs A and B, in values, layers and costs."""
    configs = [load(name, (), budget) for name in (first, second)]
    reports = [report(compile_graph(at_size(config, size), budget)) for config in configs]
    values = [dict(flat({**config.resolved, "name": None})) for config in configs]
    print_changes("value", first, second, changes(*values))
    print_changes("layer", first, second, changes(*[layer_texts(costs) for costs in reports]))
    print_changes("cost", first, second, changes(*[cost_texts(costs) for costs in reports]))


def flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every single value of a config under its dotted key."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from flat(item, f"{path}.{key}" if path else str(key))
    else:
        yield path, printable(str(value))


def layer_texts(costs: Report) -> dict[str, str]:
    return {layer.path: f"{layer.block}, {shape_text(layer.shape)}, {layer.params:,}" for layer in costs.layers}


def cost_texts(costs: Report) -> dict[str, str]:
    outputs = {f"outputs.{level}": shape_text(info.shape) for level, info in costs.outputs.items()}
    return {"params": f"{costs.params:,}", "MACs": count_text(costs.macs), **outputs}


def changes(before: dict[str, str], after: dict[str, str]) -> list[tuple[str, str, str]]:
    """(key, before, after) of what is not the same, in the order of the first, then what only the second has."""
    keys = list(before) + [key for key in after if key not in before]
    pairs = [(key, before.get(key, ABSENT), after.get(key, ABSENT)) for key in keys]
    return [(key, old, new) for key, old, new in pairs if old != new]


def print_changes(kind: str, first: str, second: str, rows: list[tuple[str, str, str]]) -> None:
    from rich.table import Table

    if not rows:
        console().print(f"no {kind} differs")
        return
    table = Table(box=None, pad_edge=False)
    for header in (kind, first, second):
        table.add_column(printable(header))
    for row in rows:
        table.add_row(*row)
    console().print(table, "")
