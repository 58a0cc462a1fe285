"""archdsl schema"""

from __future__ import annotations

import click

from archdsl.cli.common import complete_config, own_blocks, plugin_option
from archdsl.cli.output import print_json
from archdsl.language.json_schema import json_schema


@click.command("schema")
@plugin_option
@click.option("--config", help="A config whose own blocks are known too.", shell_complete=complete_config)
def command(config: str | None) -> None:
    """JSON Schema of config files, for editors."""
    print_json(json_schema(own_blocks(config)))
