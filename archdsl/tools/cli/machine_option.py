"""--machine FILE: how fast a machine is, and what a network takes there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from archdsl.analysis.report import Report
from archdsl.diagnostics.problems import fail
from archdsl.tools.cli.options import Decorated


def machine_option(help_text: str) -> Callable[[Decorated], Decorated]:
    return click.option("--machine", type=click.Path(path_type=Path), metavar="FILE", help=help_text)


def layer_times(costs: Report, file: Path) -> tuple[dict[str, float], list[str]]:
    """Seconds by entry of the config, and lines that say the most of it. Raises ArchError for an unknown size."""
    from archdsl.analysis.roofline import latency_text, seconds_by_layer
    from archdsl.tools.machine_file import read_machine

    machine = read_machine(file)
    if None in costs.input_shape:
        raise fail("bench", "the image has no size, so nothing has a time", hint="add --size 640")
    return seconds_by_layer(costs.fused, machine), latency_text(costs.fused, machine).split("\n")
