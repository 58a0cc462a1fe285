"""What several commands share: the CONFIG and OVERRIDE arguments, image sizes, printing, progress."""

from __future__ import annotations

import importlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from archdsl.budget import BUDGET_KEYS, Budget, read_budget
from archdsl.cli.output import console, say
from archdsl.composition.overrides import override_name
from archdsl.errors import ArchError, fail
from archdsl.plugins import load_plugins
from archdsl.printable import printable

if TYPE_CHECKING:
    from archdsl.composite import Composite
    from archdsl.loader import Config

Size = tuple[int | None, int | None]
_COMPLETED = re.compile(r"[~+]?[\w.-]+", re.ASCII)
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
    from archdsl import resolver
    from archdsl.loader import load

    return resolver.own_blocks(load(config)) if config else {}


def completions(helps: Mapping[str, str], end: str = "") -> list[CompletionItem]:
    """The names in `helps`, but for those that are more than a name to a shell, which puts them in as they are."""
    safe = {name: printable(text) for name, text in helps.items() if _COMPLETED.fullmatch(name)}
    return [CompletionItem(f"{name}{end}", help=text or None) for name, text in safe.items()]


def complete_config(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from archdsl.composition.folders import preset_names

    names = [name for name in preset_names() if name.startswith(incomplete)]
    return completions(dict.fromkeys(names, "")) or [CompletionItem(incomplete, type="file")]


def complete_override(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """`scale.wi` → `scale.width=`, from the keys that the config has."""
    sign = incomplete[:1] if incomplete[:1] in ("~", "+") else ""
    keys = [f"{sign}{key}" for key in _keys(context, incomplete[len(sign) :])]
    return completions(dict.fromkeys(keys, ""), "" if sign == "~" else "=")


def complete_key(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return completions(dict.fromkeys(_keys(context, incomplete), ""))


def _keys(context: click.Context, start: str) -> list[str]:
    """Dotted keys of the config that was named before, those that begin so."""
    from archdsl.loader import load
    from archdsl.source import dotted

    try:
        config = load(context.params["config"])
    except (ArchError, KeyError):
        return []
    keys = {dotted(path) for path in config.places if path and path[0] != "defaults"}
    return sorted([key for key in keys if key.startswith(start)])


def import_keras() -> None:
    """Import Keras and its backend without the log lines that TensorFlow writes past Python's standard error.

    Raises ArchError when no backend is installed.
    """
    with progress("importing Keras"), tempfile.TemporaryFile() as log:
        standard_error = os.dup(2)
        os.dup2(log.fileno(), 2)
        try:
            importlib.import_module("keras").ops.zeros(1)  # TensorFlow writes more with the first array
        except ImportError as error:
            hint = "pip install 'archdsl[tensorflow]'"
            raise fail("no-backend", f"Keras cannot be used: {error}", hint=hint) from None
        finally:
            os.dup2(standard_error, 2)
            os.close(standard_error)


@contextmanager
def progress(message: str) -> Iterator[None]:
    """A line on standard error while something takes over a second; it goes away on a terminal."""
    from rich.text import Text

    if console(err=True).is_terminal:
        with console(err=True).status(Text(printable(message))):
            yield
    else:
        say(message, err=True)
        yield
