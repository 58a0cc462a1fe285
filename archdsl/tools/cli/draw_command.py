"""archdsl draw CONFIG [OVERRIDE…] -o net.svg"""

from __future__ import annotations

from pathlib import Path

import click

from archdsl.diagnostics.terminal import say
from archdsl.frontend.budget import Budget
from archdsl.frontend.compose.config import load
from archdsl.frontend.lower import outline
from archdsl.tools.cli.options import ConfigArgument, Size, at_size, config_options, output_options, size_option
from archdsl.tools.output_file import check_output
from archdsl.tools.pictures.diagram import format_of, write_picture


@click.command("draw")
@config_options
@size_option
@output_options("The picture to write: .svg, .png or .pdf.")
@click.option(
    "--theme", type=click.Choice(["light", "dark", "print"]), default="light", show_default=True, help="Its colours."
)
def command(
    config: ConfigArgument,
    overrides: tuple[str, ...],
    budget: Budget,
    size: Size | None,
    output: Path,
    force: bool,
    theme: str,
) -> None:
    """Draw the architecture of CONFIG, as for a paper. Nothing is built.

    Rows are sizes of maps; backbone, neck and head stand beside each other. Boxes are layers, as wide as they have
    channels, with bars for their parameters and MACs. Stages of a very large network are one box each.
    """
    format_of(output)
    check_output(output, [config] if isinstance(config, str) else [], force)
    graph = outline(at_size(load(config, overrides, budget), size), budget)
    write_picture(graph, output, theme)
    say(f"{output}: {graph.name}")
