"""archdsl schema"""

from __future__ import annotations

import click

from archdsl.frontend.sema.json_schema import json_schema
from archdsl.tools.cli.completion import complete_config
from archdsl.tools.cli.options import ConfigArgument, own_blocks, plugin_option, read_stdin
from archdsl.tools.cli.output import print_json


@click.command("schema")
@plugin_option
@click.option(
    "--config", help="A config whose own blocks are known too.", shell_complete=complete_config, callback=read_stdin
)
def command(config: ConfigArgument | None) -> None:
    """JSON Schema of config files, for editors."""
    print_json(json_schema(own_blocks(config)))
