"""archdsl search DIR --report, --sql, --plot: other views of the results of a search than the front."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from archdsl.analysis.text import Table
from archdsl.backends.atomic_write import written_whole
from archdsl.diagnostics.problems import Mark, fail
from archdsl.diagnostics.terminal import say
from archdsl.tools.cli.output import print_table, progress
from archdsl.tools.output_file import check_output

if TYPE_CHECKING:
    from archdsl.tools.search.parts import Results

Decorated = TypeVar("Decorated", bound=Any)
_BY_USER = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
_OF_SPACE = (
    *("compiles_all", "sample", "seed", "engine", "scheduler", "slurm", "workers"),
    *("trials", "objective", "direction"),
)
_OF_RESULTS = ("take", "sql", "plot")
PAGES = (".html", ".htm")
_OPTIONS = (
    click.option("--report", type=click.Path(path_type=Path), help="Write a page of the results: .html."),
    click.option("--sql", metavar="SELECT", help="Ask the results: a SELECT of the view 'variants', by DuckDB."),
    click.option("--plot", metavar="FIGURE", help="Draw how a figure is distributed over the variants; -o names it."),
    click.option(
        "--band",
        "bands",
        multiple=True,
        metavar="FIGURE=LEAST:MOST",
        help="Of --plot: only the variants in it, such as params=3e6:4e6; several are drawn together.",
    ),
    click.option("--force", is_flag=True, help="Replace the file of --take, --report or --plot if it exists."),
)


def results_options(function: Decorated) -> Decorated:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def show_otherwise(results: Results, output: Path | None, asked: dict[str, Any]) -> bool:
    """Answer --sql, --plot or --report; False where none of them is asked for."""
    if asked["sql"] is not None:
        print_answer(results, asked["sql"])
    elif asked["plot"] is not None:
        write_plot(results, asked["plot"], asked["bands"], output, asked["force"])
    elif asked["report"] is not None:
        write_report(results, asked["report"], asked["force"])
    else:
        return False
    return True


def check_asked(context: click.Context, is_folder: bool) -> None:
    """Raise UsageError for options that have no meaning with the others, before anything is done."""
    given = [each for each in context.command.params if context.get_parameter_source(each.name or "") in _BY_USER]
    flags = {str(each.name): each.opts[0] for each in given if isinstance(each, click.Option)}
    of_space, of_results = [[flags[name] for name in names if name in flags] for names in (_OF_SPACE, _OF_RESULTS)]
    if is_folder and of_space:
        raise click.UsageError(f"{of_space[0]} is for a space, and this is the folder of a search")
    if not is_folder and of_results:
        raise click.UsageError(f"{of_results[0]} is for the folder of a search: archdsl search DIR {of_results[0]} …")
    if is_folder and "output" in flags and not {"take", "plot"} & {*flags}:
        raise click.UsageError("-o is for --take and --plot, where there are results")
    for name in ("csv", "report"):
        if name in flags and not is_folder and ("output" not in flags or "trials" in flags):
            raise click.UsageError(f"--{name} is for results: -o DIR, without --trials")
    if "bands" in flags and "plot" not in flags:
        raise click.UsageError("--band needs --plot")
    if "report" in flags:
        check_report(context.params["report"], context.params["force"])


def check_report(path: Path, force: bool) -> None:
    if path.suffix.lower() not in PAGES:
        raise fail("output", f"no page ends in '{path.suffix}'; expected .html", mark=Mark(str(path)))
    check_output(path, force=force)


def print_answer(results: Results, query: str) -> None:
    """The first rows of what a SELECT gives, and how the same view is made elsewhere."""
    from archdsl.tools.search.query import ask, view_of

    found = ask(results, query)
    cells = [[_cell(value) for value in row] for row in found.rows]
    texts = [name for place, name in enumerate(found.names) if any(isinstance(row[place], str) for row in found.rows)]
    print_table(Table(found.names, cells, [name for name in found.names if name not in texts]))
    if found.is_cut:
        say(f"… and more than these {len(cells)}: LIMIT and OFFSET show others")
    say("", "The same view in a DuckDB of your own:", view_of(results), err=True)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def write_plot(results: Results, figure: str, bands: Sequence[str], output: Path | None, force: bool) -> None:
    from archdsl.tools.search.distribution import MOST_BANDS, check_picture, curves, read_band, write_picture

    if output is None:
        hint = f"archdsl search {results.folder} --plot {figure} -o plot.png"
        raise fail("output", "--plot needs a file to write", hint=hint)
    if len(bands) > MOST_BANDS:
        raise click.UsageError(f"{len(bands)} bands; a picture has room for {MOST_BANDS}")
    check_picture(output)
    check_output(output, force=force)
    write_picture(curves(results, figure, [*map(read_band, bands)]), figure, output)
    say(f"wrote {output}")


def write_report(results: Results, path: Path, force: bool) -> None:
    from archdsl.tools.search.found.page import page_of

    check_report(path, force)
    with progress("drawing networks"):
        page = page_of(results)
    with written_whole(path) as unfinished:
        unfinished.write_text(page, encoding="utf-8")
    say(f"wrote {path}")
