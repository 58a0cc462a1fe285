"""`archdsl search SPACE --trials N --objective module:function`: the options, and what is printed."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from archdsl.analysis.text import Table
from archdsl.backends.atomic_write import written_whole
from archdsl.diagnostics.problems import Mark, fail
from archdsl.diagnostics.terminal import say
from archdsl.tools.cli.output import import_keras, print_table

if TYPE_CHECKING:
    from archdsl.tools.search.space import Space
    from archdsl.tools.search.trials import Trials

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
TABLE = "trials.csv"
_TRIALS = "Build so many networks, chosen by Optuna, in all: run again, it goes on to N."
_OBJECTIVE = "Of each, what function(model, trial) gives: a number, or one for each --direction. Its code is run."
_DIRECTION = "Of a number that the function gives; without it one, which is better the larger."


def trials_options(function: Decorated) -> Decorated:
    """--trials, --objective and --direction, which only mean something together."""
    trials = click.option("--trials", type=click.IntRange(1), metavar="N", help=_TRIALS)
    objective = click.option("--objective", metavar="MODULE:FUNCTION", help=_OBJECTIVE)
    direction = click.option("--direction", multiple=True, type=click.Choice(["maximize", "minimize"]), help=_DIRECTION)
    return trials(objective(direction(function)))


def search_by_trials(
    space: Space, folder: Path | None, trials: int, objective: str | None, direction: Sequence[str], seed: int
) -> None:
    """Build and judge networks until there are so many, and print the best."""
    from archdsl.diagnostics.packages import require
    from archdsl.tools.search.objective import find_objective, read_objective

    if folder is None or objective is None:
        raise click.UsageError("--trials needs --objective MODULE:FUNCTION and -o DIR")
    require("optuna", "keras")
    named = find_objective(objective)
    import_keras()
    function = read_objective(named)

    from archdsl.tools.search.trials import MISSES, begun

    study = begun(space, folder, function.name, tuple(direction) or ("maximize",))
    try:
        for trial in study.run(function, trials, seed):
            _write_table(study)
            say(f"trial {trial.number}: {trial.user_attrs.get('why') or _values(study, trial)}")
    finally:
        _write_table(study)
    count = len(study.tried())
    if count < trials:
        message = f"{count:,} trials; the next {MISSES:,} variants were outside the budget, or tried before"
        if not count:
            raise fail("limit", message, mark=Mark(str(folder)))
        say(message)
    print_trials(study)


def _values(study: Trials, trial: Any) -> str:
    row = study.values(trial)
    told = [*study.names, *[choice.key for choice in study.space.choices]]
    return ", ".join([f"{name} {_cell(row[name])}" for name in told])


def print_trials(study: Trials) -> None:
    """How many trials there are, and those of the front."""
    from archdsl.tools.search.front import SHOWN

    best = study.best()
    say("", f"{len(study.tried()):,} trials, in {study.folder / TABLE}")
    if not best:
        return
    say("the front:" if len(study.study.directions) > 1 else "the best:")
    rows = [(trial.number, study.values(trial)) for trial in best[:SHOWN]]
    names = list(rows[0][1])
    cells = [[str(number), *[_cell(row[name]) for name in names]] for number, row in rows]
    print_table(Table(("trial", *names), cells, ("trial", *names)))
    say(f"`archdsl search {study.folder} --take TRIAL -o mine.yaml` writes the config of one")


def _cell(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _write_table(study: Trials) -> None:
    """All trials as a CSV file, those too that were not built."""
    trials = study.study.get_trials(deepcopy=False)
    rows = [
        {
            "trial": trial.number,
            "state": trial.state.name,
            "why": trial.user_attrs.get("why", ""),
            **study.values(trial),
        }
        for trial in trials
        if trial.params
    ]
    names = list(dict.fromkeys([name for row in rows for name in row]))
    with written_whole(study.folder / TABLE) as partial, partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
