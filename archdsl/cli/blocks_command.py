"""archdsl blocks [NAME]"""

from __future__ import annotations

import inspect

import click
from click.shell_completion import CompletionItem

from archdsl.cli.common import console, plugin_option
from archdsl.registry import Block, all_blocks, get_block


def complete_block(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name, help=block.summary) for name, block in all_blocks().items() if incomplete in name]


@click.command("blocks")
@plugin_option
@click.argument("name", required=False, shell_complete=complete_block)
def command(name: str | None) -> None:
    """The blocks there are, or the block NAME with its arguments."""
    if name is None:
        print_all()
    else:
        print_block(get_block(name))


def print_all() -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("block", no_wrap=True)
    table.add_column("what it is")
    for name, block in sorted(all_blocks().items()):
        table.add_row(name, block.summary)
    console().print(table)


def print_block(block: Block) -> None:
    from rich.table import Table

    console().print(f"{block.name}\n\n{inspect.getdoc(block.function) or ''}\n")
    table = Table(box=None, pad_edge=False)
    for header in ("argument", "default", "expected"):
        table.add_column(header)
    for name, field in block.schema.model_json_schema()["properties"].items():
        required = name in block.schema.model_json_schema().get("required", [])
        table.add_row(name, "needed" if required else yaml_text(field.get("default")), expected(field))
    if table.row_count:
        console().print(table)


def yaml_text(value: object) -> str:
    """A default as it would be written in a config."""
    import json

    return json.dumps(value)


def expected(field: dict[str, object]) -> str:
    """A JSON Schema of one argument in words: `integer, 1 to 255`."""
    choices = field.get("anyOf")
    if isinstance(choices, list):
        return " or ".join(expected(choice) for choice in choices)
    if "enum" in field and isinstance(field["enum"], list):
        return ", ".join(map(str, field["enum"]))
    kind = str(field.get("type", "any"))
    items = field.get("items")
    if isinstance(items, dict):
        return f"list of {expected(items)}"
    low = field.get("minimum", field.get("exclusiveMinimum"))
    high = field.get("maximum", field.get("exclusiveMaximum"))
    return kind if low is None and high is None else f"{kind}, {low} to {high}"
