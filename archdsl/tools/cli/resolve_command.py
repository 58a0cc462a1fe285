"""archdsl resolve CONFIG [OVERRIDE…]"""

from __future__ import annotations

import click
import yaml

from archdsl.diagnostics.terminal import say
from archdsl.frontend.budget import Budget
from archdsl.frontend.compose.config import load
from archdsl.frontend.lower import outline
from archdsl.tools.cli.options import ConfigArgument, config_options


@click.command("resolve")
@config_options
def command(config: ConfigArgument, overrides: tuple[str, ...], budget: Budget) -> None:
    """The whole of CONFIG as one YAML file, parents and overrides merged in."""
    loaded = load(config, overrides, budget)
    outline(loaded, budget)  # what is printed can be built
    text = yaml.dump(loaded.resolved, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=120)
    say(*text.removesuffix("\n").split("\n"))


class _Dumper(yaml.SafeDumper):
    """Puts texts that may have to be escaped in double quotes."""


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = '"' if "::" in text or "##" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _text)
