"""archdsl report CONFIG… -o FILE"""

from __future__ import annotations

from pathlib import Path

import click

from archdsl.analysis.report import report
from archdsl.backends.atomic_write import written_whole
from archdsl.diagnostics.problems import Mark, fail
from archdsl.diagnostics.terminal import say
from archdsl.frontend.budget import Budget
from archdsl.frontend.lower import outline
from archdsl.tools.cli.options import Size, at_size, budget_option, output_options, plugin_option, size_option
from archdsl.tools.cli.several import configs_argument, configs_with_overrides, label, loaded_each
from archdsl.tools.output_file import check_output

PAGES = (".html", ".htm")


@click.command("report")
@plugin_option
@configs_argument
@output_options("A page: .html.")
@size_option
@budget_option
@click.pass_context
def command(
    context: click.Context, configs: tuple[str, ...], output: Path, force: bool, size: Size | None, budget: Budget
) -> None:
    """CONFIGs as one page to look at: diagram, operations, tables, maps, costs; of several, what differs.

    An OVERRIDE among the CONFIGs changes the one before it: `report yolo_v8_s_backbone scale.width=0.375`. The page
    works offline and needs no other file.
    """
    if output.suffix.lower() not in PAGES:
        raise fail("output", f"no page ends in '{output.suffix}'; expected .html", mark=Mark(str(output)))
    check_output(output, configs, force)
    from archdsl.tools.pictures.report.data import Network
    from archdsl.tools.pictures.report.page import page_of

    groups = [*configs_with_overrides(configs)]
    networks = [
        Network(label(config, group), config, report(outline(at_size(config, size), budget)))
        for group, config in zip(groups, loaded_each(context, groups, budget), strict=True)
    ]
    with written_whole(output) as unfinished:
        unfinished.write_text(page_of(networks), encoding="utf-8")
    say(f"wrote {output}")
