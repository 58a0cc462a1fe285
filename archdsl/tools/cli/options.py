"""Arguments and options that several commands share: CONFIG, OVERRIDE, --size, --budget, --plugin, --output."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from archdsl.blocks.plugins import load_plugins
from archdsl.diagnostics.problems import fail
from archdsl.frontend.budget import BUDGET_KEYS, DEFAULT, Budget, allow_more, read_budget
from archdsl.frontend.compose.override_grammar import override_name
from archdsl.frontend.source import Source
from archdsl.tools.cli.completion import complete_config, complete_override

if TYPE_CHECKING:
    from archdsl.frontend.compose.config import Config
    from archdsl.frontend.sema.composite import Composite

ConfigArgument = str | Source
"""A preset's name or a path, or what was read from standard input."""
Size = tuple[int | None, int | None]
Decorated = TypeVar("Decorated", bound=Callable[..., Any])

STDIN = "-"
STDIN_NAME = "<standard input>"


def config_options(function: Decorated) -> Decorated:
    """CONFIG, any number of OVERRIDEs, --budget and --plugin, for a command on one config."""
    return plugin_option(config_argument("config")(overrides_argument(budget_option(function))))


def config_argument(name: str, metavar: str | None = None) -> Callable[[Decorated], Decorated]:
    """CONFIG under another name, completed with preset names and files."""
    return click.argument(name, metavar=metavar, shell_complete=complete_config, callback=read_stdin)


def own_blocks_option(function: Decorated) -> Decorated:
    """--config, for own_blocks."""
    help_text = "A config, for the blocks that it defines itself."
    option = click.option(
        "--config", is_eager=True, help=help_text, shell_complete=complete_config, callback=read_stdin
    )
    return option(function)


def read_stdin(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """The config on standard input for `-`, any other value as it is; of several values, each."""
    if isinstance(value, tuple):
        return tuple(read_stdin(context, parameter, each) for each in value)
    if value != STDIN or context.resilient_parsing:
        return value
    context.ensure_object(dict)[STDIN_NAME] = _standard_input()
    return config_given(value)


def config_given(name: str) -> ConfigArgument:
    """The config on standard input for `-`, any other name as it is. Raises ArchError for a text that is not YAML."""
    if name != STDIN:
        return name
    from archdsl.frontend.yaml.parser import read_text

    return read_text(_standard_input(), STDIN_NAME)


@cache
def _standard_input() -> str:
    """The text there, which can be read only once."""
    from archdsl.frontend.yaml.files import decoded

    most = int(DEFAULT.file_bytes)
    data = sys.stdin.buffer.read(most + 1) if sys.stdin else b""
    if len(data) > most:
        message = f"more than {most} bytes on standard input"
        raise fail("limit", message, hint=f"write it into a file; {allow_more('file_bytes', 2 * most)}")
    return decoded(data, STDIN_NAME)


def overrides_argument(function: Decorated) -> Decorated:
    """Any number of OVERRIDEs, completed with the keys of the config."""
    return click.argument(
        "overrides", nargs=-1, metavar="[OVERRIDE]...", shell_complete=complete_override, callback=_remember
    )(function)


def size_option(function: Decorated) -> Decorated:
    """--size 640, --size 480x640, --size any; without it None, for at_size."""
    help_text = (
        "Image size: a side, HEIGHTxWIDTH, or 'any'; by default the config's, 640 for a side that it leaves open."
    )
    return click.option("--size", callback=_size, help=help_text)(function)


def batch_option(function: Decorated) -> Decorated:
    """--batch 8, for memory."""
    help_text = "Images at a time, for the memory."
    return click.option("--batch", type=click.IntRange(1, 4096), default=1, show_default=True, help=help_text)(function)


def at_size(config: Config, size: Size | None) -> Config:
    """The config for images of `size`; without one, of its own size, as far as it is known."""
    return config.at_known_size() if size is None else config.with_size(*size)


def output_options(help_text: str) -> Callable[[Decorated], Decorated]:
    """-o FILE and --force, for archdsl.tools.output_file.check_output."""
    output = click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help=help_text)
    force = click.option("--force", is_flag=True, help="Replace the output file if it exists.")
    return lambda function: output(force(function))


def plugin_option(function: Decorated) -> Decorated:
    """--plugin my_blocks.py, loaded before anything else of the command."""
    return _plugins(expose_value=False)(function)


def plugins_option(function: Decorated) -> Decorated:
    """The same, whose names the command gets too."""
    return _plugins(expose_value=True)(function)


def _plugins(expose_value: bool) -> Callable[[Decorated], Decorated]:
    help_text = "A Python file or module whose blocks may be used. Its code is run."
    return click.option(
        "--plugin",
        "plugins",
        multiple=True,
        callback=_load,
        expose_value=expose_value,
        is_eager=True,
        help=help_text,
    )


def names(context: click.Context, parameter: click.Parameter, value: str | None) -> list[str] | None:
    """For an option that takes names with commas between them."""
    return None if value is None else [name.strip() for name in value.split(",") if name.strip()]


def _remember(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Keeps the overrides under the names that marks know them by, for excerpts beside errors."""
    context.ensure_object(dict).update({override_name(number): text for number, text in enumerate(value, 1)})
    return value


def budget_option(function: Decorated) -> Decorated:
    """--budget params=5e9,macs=1e15, as often as one likes."""
    help_text = f"Allow more than a config may cost by default: {', '.join(BUDGET_KEYS)}."
    option = click.option("--budget", multiple=True, metavar="KEY=NUMBER[,...]", callback=_budget, help=help_text)
    return option(function)


def _budget(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> Budget:
    return read_budget(",".join(value))


def _load(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    if not context.resilient_parsing:  # a line that is being completed is not a command yet
        load_plugins(value)
    return value


def _size(context: click.Context, parameter: click.Parameter, value: str | None) -> Size | None:
    return read_size(value)


def read_size(value: str | None) -> Size | None:
    """640, 480x640 or any. Raises BadParameter."""
    if value is None:
        return None
    if value == "any":
        return None, None
    sides = value.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() and 0 < int(side) <= 65_536 for side in sides):
        raise click.BadParameter(f"'{value}' is not an image size; expected one such as 640, 480x640 or any")
    return int(sides[0]), int(sides[-1])


def own_blocks(config: ConfigArgument | None) -> dict[str, Composite]:
    """The blocks that a config defines itself. Raises ArchError for what is wrong in them."""
    from archdsl.frontend.compose.config import load
    from archdsl.frontend.sema import resolve

    return resolve.own_blocks(load(config)) if config else {}
