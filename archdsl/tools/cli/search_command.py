"""archdsl search SPACE [-o DIR]"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archdsl.analysis.text import Table
from archdsl.backends.atomic_write import make_folder, written_whole
from archdsl.diagnostics.packages import require
from archdsl.diagnostics.problems import Mark, fail
from archdsl.diagnostics.terminal import say
from archdsl.tools.cli.options import plugins_option
from archdsl.tools.cli.output import print_table, progress
from archdsl.tools.cli.search_results import check_asked, results_options, show_otherwise, write_report
from archdsl.tools.cli.trials_option import print_trials, search_by_trials, trials_options
from archdsl.tools.output_file import check_output

if TYPE_CHECKING:
    from archdsl.tools.search.parts import Job, Results
    from archdsl.tools.search.trials import Trials
    from archdsl.tools.search.variants import Variants

ENGINES = ("processes", "dask", "ray", "slurm")


@click.command("search")
@click.argument("space", type=click.Path(path_type=Path))
@click.option("--all", "compiles_all", is_flag=True, help="Compile every variant, also where sums would do.")
@click.option("--sample", type=click.IntRange(1, 1_000_000), metavar="N", help="Compile so many variants at random.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the sample.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder of the results; file of --take, --plot.")
@click.option("--engine", type=click.Choice(ENGINES), default="processes", show_default=True, help="What runs it.")
@click.option("--scheduler", metavar="ADDRESS", help="Of a Dask scheduler, a Ray cluster; a Slurm partition.")
@click.option("--workers", type=click.IntRange(1), help="Processes, or jobs of the engine; by default one a core.")
@click.option("--slurm", multiple=True, metavar="OPTION", help="Of sbatch, for its jobs: time=240 (minutes), mem=4G …")
@click.option("--take", type=click.IntRange(0), metavar="ROW", help="Write the config of a row of the results.")
@click.option("--csv", type=click.Path(path_type=Path), help="Write the front as a CSV file too.")
@results_options
@trials_options
@plugins_option
def command(space: Path, output: Path | None, take: int | None, csv: Path | None, **asked: Any) -> None:
    """The networks of SPACE, a file with choices and a budget, that are within the budget.

    Without -o it says how many variants there are, and how long each way takes. With the folder of a search in place of
    SPACE it shows its results. A search that was stopped goes on where it was. With --trials and --objective it builds
    networks of the space, and gives each to a function of yours; the same command may run several times at once.
    """
    require("numpy", "pyarrow")
    _check_engine(asked)
    is_folder = os.path.isdir(space)  # noqa: PTH112  (where pathlib raises, it answers)
    check_asked(click.get_current_context(), is_folder)
    by_trials = {name: asked.pop(name) for name in ("trials", "objective", "direction")}
    if is_folder:
        from archdsl.tools.search.parts import results_in
        from archdsl.tools.search.trials import trials_in

        trials = trials_in(space)
        results: Any = trials or results_in(space)
        if take is not None:
            write_taken(results, take, output, asked["force"])
        elif trials is not None:
            if any(asked[name] is not None for name in ("sql", "plot", "report")) or csv:
                raise click.UsageError(f"the trials of a search are in {space / 'trials.csv'}, and have no other views")
            print_trials(trials)
        elif not show_otherwise(results, output, asked):
            print_results(results, csv)
    elif by_trials["trials"]:
        search_by_trials(checked(space).space, output, seed=asked["seed"], **by_trials)
    elif by_trials["objective"] or by_trials["direction"]:
        raise click.UsageError("--objective and --direction are of --trials N")
    elif found := searched(checked(space), output, **asked):
        print_results(found, csv)
        if asked["report"] is not None:
            write_report(found, asked["report"], asked["force"])


def _check_engine(asked: dict[str, Any]) -> None:
    """Raise UsageError for options of another engine; those of Slurm become a mapping, `time` in minutes."""
    if asked["slurm"] and asked["engine"] != "slurm":
        raise click.UsageError("--slurm is for --engine slurm")
    if asked["scheduler"] is not None and asked["engine"] == "processes":
        raise click.UsageError("--scheduler is for --engine dask, ray or slurm")
    options = [each.removeprefix("--").partition("=") for each in asked["slurm"]]
    given: dict[str, Any] = {key.replace("-", "_"): value if equals else True for key, equals, value in options}
    if "time" in given:
        if not re.fullmatch(r"[1-9]\d{0,6}", str(given["time"]), re.ASCII):
            raise click.UsageError(f"--slurm time={given['time']}; expected minutes")
        given["time"] = int(given["time"])
    asked["slurm"] = given


def checked(path: Path) -> Variants:
    """The networks of a space; what is wrong with it is told before anything is imported that takes long."""
    from archdsl.tools.search.space import read_space
    from archdsl.tools.search.variants import Variants

    variants = Variants(read_space(path))
    variants.check()
    return variants


def searched(variants: Variants, folder: Path | None, **asked: Any) -> Results | None:
    """Go through the space; without a folder only say what that takes."""
    from archdsl.tools.search.engines import ENGINES, Cluster
    from archdsl.tools.search.parts import Job, begin, results_in
    from archdsl.tools.search.planning import plan

    if folder is not None:
        make_folder(folder)  # which is told first where it cannot be
    with progress("analysing") as tell:
        planned = plan(variants, asked["compiles_all"], asked["sample"], asked["seed"], say, tell)
    if folder is None:
        say(*filter(None, [variants.space.latency_text]), "", "-o DIR goes through them")
        return None
    job = Job(variants.space, planned.way, folder, asked["plugins"])
    begin(job, planned.kind)
    cluster = Cluster(asked["scheduler"], asked["workers"], asked["slurm"])
    _run(job, ENGINES[asked["engine"]](job, job.missing, cluster))
    if missing := len(job.missing):
        hint = "they need to see the same folder under the same name"
        raise fail("output", f"workers wrote {missing} parts elsewhere", mark=Mark(str(folder)), hint=hint)
    return results_in(folder)


def _run(job: Job, done: Any) -> None:
    """Show how far it is, and how long it may still take."""
    from archdsl.tools.search.planning import duration

    missing, begun = len(job.missing), time.monotonic()
    with progress(f"{missing} of {job.way.ranges} parts to go") as tell:
        for count, _ in enumerate(done, 1):
            left = (time.monotonic() - begun) / count * (missing - count)
            tell(f"{missing - count} of {job.way.ranges} parts to go, about {duration(left)}")


def print_results(results: Results, csv: Path | None) -> None:
    """How many rows there are, and the front, or the first of them."""
    from archdsl.tools.search.front import SHOWN, front

    count = results.rows
    found = f"{count:,} variants within the budget, in {results.folder}{os.sep}*.parquet"
    say(*filter(None, [found, results.space.latency_text]))
    if (missing := results.ranges - len(results.parts)) > 0:
        say(f"{missing:,} of {results.ranges:,} parts are not done: the command that began it goes on")
    if not count:
        return
    numbers = front(results) if results.space.objectives else list(range(min(count, SHOWN)))
    rows = list(zip(numbers, results.taken(numbers), strict=True))
    names = list(results.kinds)
    print_table(Table(("row", *names), [_cells(number, row, names) for number, row in rows[:SHOWN]], ("row", *names)))
    if len(rows) > SHOWN:
        say(f"… and {len(rows) - SHOWN:,} more")
    say(f"`archdsl search {results.folder} --take ROW -o mine.yaml` writes the config of one")
    if csv is not None:
        _write_csv(csv, names, rows)


def _cells(number: int, row: dict[str, Any], names: Sequence[str]) -> list[str]:
    values = [row[name] for name in names]
    return [str(number), *[f"{each:,}" if isinstance(each, int) else _text(each) for each in values]]


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _write_csv(path: Path, names: Sequence[str], rows: Sequence[tuple[int, dict[str, Any]]]) -> None:
    import csv

    check_output(path, force=True)
    with written_whole(path) as partial, partial.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["row", *names])
        writer.writerows([[number, *[row[name] for name in names]] for number, row in rows])


def write_taken(results: Results | Trials, number: int, output: Path | None, force: bool) -> None:
    """The config of a row."""
    from archdsl.frontend.lower import outline
    from archdsl.tools.search.taken import check_costs, text_of

    if output is None:
        hint = f"archdsl search {results.folder} --take {number} -o mine.yaml"
        raise fail("output", "--take needs a file to write", hint=hint)
    check_output(output, force=force)
    row = results.row(number)
    config = results.space.base(results.choices(row))
    check_costs(row, outline(config), Mark(str(results.folder)))
    text = text_of(results, number, row, config)
    with written_whole(output) as partial:
        partial.write_text(text, encoding="utf-8")
    say(f"wrote {output}")
