"""archdsl schema"""

from __future__ import annotations

import click

from archdsl.frontend.sema.json_schema import json_schema
from archdsl.tools.cli.options import ConfigArgument, own_blocks, own_blocks_option, plugin_option
from archdsl.tools.cli.output import print_json


@click.command("schema")
@plugin_option
@own_blocks_option
def command(config: ConfigArgument | None) -> None:
    """JSON Schema of config files, for editors."""
    print_json(json_schema(own_blocks(config)))
