"""archdsl resolve CONFIG [OVERRIDE…]"""

from __future__ import annotations

import click
import yaml

from archdsl.budget import Budget
from archdsl.cli.common import budget_option, config_argument, overrides_argument, plugin_option
from archdsl.compiler import compile_graph
from archdsl.loader import load


@click.command("resolve")
@plugin_option
@config_argument
@overrides_argument
@budget_option
def command(config: str, overrides: tuple[str, ...], budget: Budget) -> None:
    """The whole of CONFIG as one YAML file, parents and overrides merged in."""
    loaded = load(config, overrides, budget)
    compile_graph(loaded, budget)  # what is printed can be built
    click.echo(yaml.safe_dump(loaded.resolved, sort_keys=False, default_flow_style=None, width=120), nl=False)
