"""archdsl list"""

from __future__ import annotations

import click

from archdsl.cli.output import console, print_json
from archdsl.presets import PresetInfo, list_presets


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """The shipped presets, with parameters and trained weights."""
    presets = list_presets()
    if as_json:
        print_json([preset._asdict() for preset in presets])
    else:
        print_table(presets)


def print_table(presets: list[PresetInfo]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("preset", no_wrap=True)
    table.add_column("params", justify="right", no_wrap=True)
    table.add_column("trained")
    table.add_column("description")
    for preset in presets:
        params = f"{preset.params:,}" if preset.params is not None else "?"
        table.add_row(preset.name, params, "yes" if preset.has_weights else "", preset.description)
    console().print(table)
