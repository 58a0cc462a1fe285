"""What several commands share: the CONFIG and OVERRIDE arguments, image sizes, printing, progress."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from archdsl.blocks.plugins import load_plugins
from archdsl.frontend.budget import BUDGET_KEYS, Budget, read_budget
from archdsl.frontend.compose.overrides import override_name

if TYPE_CHECKING:
    from archdsl.frontend.compose.config import Config
    from archdsl.frontend.sema.composite import Composite
from archdsl.tools.cli.completion import complete_config, complete_override

Size = tuple[int | None, int | None]
Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def config_argument(function: Decorated) -> Decorated:
    """CONFIG, completed with preset names and files."""
    return click.argument("config", shell_complete=complete_config)(function)


def overrides_argument(function: Decorated) -> Decorated:
    """Any number of OVERRIDEs, completed with the keys of the config."""
    return click.argument(
        "overrides", nargs=-1, metavar="[OVERRIDE]...", shell_complete=complete_override, callback=_remember
    )(function)


def size_option(function: Decorated) -> Decorated:
    """--size 640, --size 480x640, --size any; without it None, for at_size."""
    help_text = "Image size: a side, HEIGHTxWIDTH, or 'any'; by default the config's, 640 if it has none."
    return click.option("--size", callback=_size, help=help_text)(function)


def at_size(config: Config, size: Size | None) -> Config:
    """The config for images of `size`; without one, of the size it says itself, else of 640 × 640."""
    if size is not None:
        return config.with_size(*size)
    given = config.values.get("input") or {}
    shape = given.get("shape", [None, None]) if isinstance(given, dict) else given
    return config.with_size(640, 640) if isinstance(shape, list) and shape[:2] == [None, None] else config


def plugin_option(function: Decorated) -> Decorated:
    """--plugin my_blocks.py, loaded before anything else of the command."""
    help_text = "A Python file or module whose blocks may be used. Its code is run."
    return click.option("--plugin", multiple=True, callback=_load, expose_value=False, is_eager=True, help=help_text)(
        function
    )


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


def _load(context: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> None:
    if not context.resilient_parsing:  # a line that is being completed is not a command yet
        load_plugins(value)


def _size(context: click.Context, parameter: click.Parameter, value: str | None) -> Size | None:
    if value is None:
        return None
    if value == "any":
        return None, None
    sides = value.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() and 0 < int(side) <= 65_536 for side in sides):
        raise click.BadParameter(f"'{value}' is no image size; expected such as 640, 480x640 or any")
    return int(sides[0]), int(sides[-1])


def own_blocks(config: str | None) -> dict[str, Composite]:
    """The blocks that a config defines itself. Raises ArchError for what is wrong in them."""
    from archdsl.frontend.compose.config import load
    from archdsl.frontend.sema import resolve

    return resolve.own_blocks(load(config)) if config else {}
