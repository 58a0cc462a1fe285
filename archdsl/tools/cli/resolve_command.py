"""archdsl resolve CONFIG [OVERRIDE…]"""

from __future__ import annotations

import click

from archdsl.diagnostics.terminal import say
from archdsl.frontend.budget import Budget
from archdsl.frontend.compose.config import load
from archdsl.frontend.lower import outline
from archdsl.frontend.yaml.writing import yaml_document
from archdsl.tools.cli.options import ConfigArgument, config_options


@click.command("resolve")
@config_options
def command(config: ConfigArgument, overrides: tuple[str, ...], budget: Budget) -> None:
    """The whole of CONFIG as one YAML file, parents and overrides merged in."""
    loaded = load(config, overrides, budget)
    outline(loaded, budget)  # what is printed can be built
    say(*yaml_document(loaded.resolved).removesuffix("\n").split("\n"))
