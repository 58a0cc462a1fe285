"""archdsl blocks [--config FILE] [NAME]"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter

import click
from click.shell_completion import CompletionItem

from archdsl.analysis.text import Table, yaml_text
from archdsl.blocks.registry import EXACT, Block, all_blocks, get_block
from archdsl.diagnostics.problems import ArchError
from archdsl.diagnostics.terminal import say
from archdsl.tools.cli.completion import completions
from archdsl.tools.cli.options import ConfigArgument, own_blocks, own_blocks_option, plugin_option
from archdsl.tools.cli.output import print_table

BOUNDS = {"exclusiveMinimum": "above", "minimum": "at least", "exclusiveMaximum": "below", "maximum": "at most"}


def complete_block(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    try:
        own = own_blocks(context.params.get("config"))
    except ArchError:
        own = {}
    known: dict[str, Block] = {**all_blocks(), **own}
    return completions({name: block.summary for name, block in known.items() if incomplete in name})


@click.command("blocks")
@plugin_option
@own_blocks_option
@click.argument("name", required=False, shell_complete=complete_block)
def command(name: str | None, config: ConfigArgument | None) -> None:
    """The blocks there are, or the block NAME with its arguments."""
    own = own_blocks(config)
    if name is None:
        print_all(own)
    else:
        print_block(own.get(name) or get_block(name, own))


def print_all(own: Mapping[str, Block]) -> None:
    """The registered blocks; before them a config's own, with their arguments and where they are defined."""
    if own:
        rows = [(name, signature(block), block.summary, block.source) for name, block in sorted(own.items())]
        print_table(Table(("block", "arguments", "what it is", "defined in"), rows))
        say()
    print_table(Table(("block", "what it is"), [(name, block.summary) for name, block in sorted(all_blocks().items())]))


def signature(block: Block) -> str:
    """`width, hidden, depth=2`."""
    defaults = {name: parameter.default for name, parameter in block.parameters.items() if name != EXACT}
    return ", ".join(
        name if default is Parameter.empty else f"{name}={yaml_text(default)}" for name, default in defaults.items()
    )


def print_block(block: Block) -> None:
    from archdsl.schemas.json_form import json_schema_of  # imports pydantic, which takes a while

    schema = json_schema_of(block.schema)
    needed = schema.get("required", [])
    say(block.name, "", *block.documentation.split("\n"), "", f"defined in {block.source}", "")
    rows = [
        (name, "needed" if name in needed else yaml_text(field.get("default")), expected(field))
        for name, field in schema["properties"].items()
    ]
    if rows:
        print_table(Table(("argument", "default", "expected"), rows))


def expected(field: dict[str, object]) -> str:
    """A JSON Schema of one argument in words: `integer, 1 to 255`, `list of 2 × (number, above 0)`."""
    choices = field.get("anyOf")
    if isinstance(choices, list):
        return " or ".join(expected(choice) for choice in choices)
    if "enum" in field and isinstance(field["enum"], list):
        return ", ".join(map(str, field["enum"]))
    kind = str(field.get("type", "any"))
    several = field.get("prefixItems")
    if isinstance(several, list):
        each = [expected(item) for item in several]
        return f"list of {len(each)} × ({each[0]})" if len(set(each)) == 1 else "list of " + "; ".join(each)
    items = field.get("items")
    if isinstance(items, dict):
        return f"list of {expected(items)}"
    if "minimum" in field and "maximum" in field:
        return f"{kind}, {field['minimum']} to {field['maximum']}"
    return ", ".join([kind, *[f"{word} {field[key]}" for key, word in BOUNDS.items() if key in field]])
