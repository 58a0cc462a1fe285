"""What commands print: data, tables, progress."""

from __future__ import annotations

import math
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from archdsl.analysis.text import Table
from archdsl.diagnostics.terminal import Styled, say, say_styled, width_of
from archdsl.diagnostics.unicode import printable, printable_lines
from archdsl.models import registration

_format_warning = warnings.formatwarning


def format_warning(*arguments: Any, **options: Any) -> str:
    """As Python's own, and printable."""
    return printable_lines(_format_warning(*arguments, **options))


def print_json(value: Any) -> None:
    """Print plain data; JSON has no infinite number, so that is a text, as YAML writes it."""
    import json

    text = json.dumps(_finite(value), indent=2, allow_nan=False)  # ASCII, and every text of a file is between quotes
    click.echo(re.sub("\x7f|#(?=#)", lambda found: f"\\u{ord(found[0]):04x}", text))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    is_finite = not isinstance(value, float) or math.isfinite(value)
    return value if is_finite else f"{value}".replace("inf", ".inf").replace("nan", ".nan")


def print_table(table: Table) -> None:
    """Print a table, its headers bold; on a terminal it is as wide as that at most, where its words allow it."""
    headers, *rows = table.lines(width_of(sys.stdout))
    say_styled([[Styled(headers, bold=True)], *[[row] for row in rows]])


def import_keras() -> None:
    """As registration.import_keras, without the log lines that TensorFlow writes past Python's standard error."""
    with progress("importing Keras"), without_logs():
        registration.import_keras()


@contextmanager
def without_logs() -> Iterator[None]:
    """Nothing gets to standard error in the block, also of what is written past Python's; errors are raised."""
    import tempfile

    with tempfile.TemporaryFile() as log:
        standard_error = os.dup(2)
        os.dup2(log.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(standard_error, 2)
            os.close(standard_error)


@contextmanager
def progress(message: str) -> Iterator[Callable[[str], None]]:
    """A line on standard error while something takes over a second; it goes away on a terminal.

    What is yielded puts another text there; where no terminal is, nothing.
    """
    if not sys.stderr.isatty():
        say(message, err=True)
        yield lambda text: None
        return
    from rich.console import Console
    from rich.text import Text

    with os.fdopen(os.dup(2), "w", encoding=sys.stderr.encoding, errors="replace") as terminal:  # 2 may be redirected
        console = Console(file=terminal, highlight=False, emoji=False, markup=False)
        with console.status(Text(printable(message))) as status:
            yield lambda text: status.update(Text(printable(text)))
