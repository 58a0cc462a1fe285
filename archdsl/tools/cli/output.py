"""All that the command line prints goes through here, so that no text of a file can act on a terminal or on CI."""

from __future__ import annotations

import json
import math
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from archdsl.diagnostics.unicode import printable_line, printable_lines

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, ConsoleRenderable
    from rich.segment import Segment


import importlib
import os
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from archdsl.diagnostics.problems import fail
from archdsl.diagnostics.unicode import printable


class Styled(NamedTuple):
    """A piece of a line in a style of its own."""

    text: str
    colour: str | None = None
    bold: bool = False


Line = Sequence[str | Styled]

_format_warning = warnings.formatwarning


def say(*lines: object, err: bool = False) -> None:
    """Print each on a line."""
    say_styled([[str(line)] for line in lines], err=err, colours=False)


def say_styled(lines: Iterable[Line], *, err: bool, colours: bool) -> None:
    """Print lines of pieces, with or without their styles."""
    click.echo("\n".join(["".join(map(_piece, line)) for line in lines]), err=err, color=colours)


def _piece(piece: str | Styled) -> str:
    text, colour, bold = (piece, None, False) if isinstance(piece, str) else piece
    return click.style(printable_line(text), fg=colour, bold=bold or None, reset=bool(colour or bold))


def format_warning(*arguments: Any, **options: Any) -> str:
    """As Python's own, and printable."""
    return printable_lines(_format_warning(*arguments, **options))


def print_json(value: Any) -> None:
    """Print plain data; JSON has no infinite number, so that is a text, as YAML writes it."""
    text = json.dumps(_finite(value), indent=2, allow_nan=False)  # ASCII, and all that a file says is between quotes
    click.echo(re.sub("\x7f|#(?=#)", lambda found: f"\\u{ord(found[0]):04x}", text))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    is_finite = not isinstance(value, float) or math.isfinite(value)
    return value if is_finite else f"{value}".replace("inf", ".inf").replace("nan", ".nan")


@lru_cache(maxsize=2)
def console(err: bool = False) -> Console:
    """Standard output or error for rich. A pipe gets the width that every table fits into."""
    from rich.console import Console

    stream = sys.stderr if err else sys.stdout
    width = None if stream.isatty() else 140
    made = Console(stderr=err, highlight=False, emoji=False, markup=False, width=width)
    made.push_render_hook(_Hook())  # type: ignore[arg-type]  # its base class takes rich to be imported
    return made


class _Hook:
    """Stands between what is to be printed and rich, which only takes five control characters out."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Printable(renderable) for renderable in renderables]


class _Printable(NamedTuple):
    renderable: ConsoleRenderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for segment in console.render(self.renderable, options):
            yield segment if segment.control else segment._replace(text=printable_lines(segment.text))


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
