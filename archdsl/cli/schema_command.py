"""archdsl schema"""

from __future__ import annotations

import click

from archdsl.cli.common import print_json
from archdsl.json_schema import json_schema


@click.command("schema")
def command() -> None:
    """JSON Schema of config files, for editors."""
    print_json(json_schema())
