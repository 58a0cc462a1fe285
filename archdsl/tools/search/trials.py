"""Networks of a space that are built and judged by a function of the user's, one after another, chosen by Optuna.

The study is a journal in the folder, from which several processes work, on several machines too. A variant's costs are
worked out before it is built; outside the budget it is pruned. Only what is built counts as a trial of the search.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from math import isnan
from pathlib import Path
from typing import Any

from archdsl.api import build_from_config
from archdsl.diagnostics.packages import package
from archdsl.diagnostics.problems import ArchError, Mark, fail
from archdsl.diagnostics.terminal import say
from archdsl.tools.search.distributions import digit_of, distribution_of
from archdsl.tools.search.figures import ALWAYS, value_of
from archdsl.tools.search.objective import Objective, numbers, own_traceback
from archdsl.tools.search.parts import STATE, go_on_in, overrides_of, results_in, values_of
from archdsl.tools.search.space import Bound, Space
from archdsl.tools.search.variants import Digits, Variants

JOURNAL = "trials.log"
MISSES = 500
"""So many variants in a row that are outside the budget, or were tried before, are the end."""
_COUNTS = ("RUNNING", "COMPLETE", "PRUNED")
_WORDS = {1: "minimize", -1: "maximize"}


class Trials:
    """The study in a folder. `directions` are those of the numbers that the function gives."""

    def __init__(self, space: Space, folder: Path, objective: str, directions: Sequence[str]):
        self.space, self.folder, self.variants = space, folder, Variants(space)
        self.objective, self.directions = objective, directions
        self.figures = list(dict.fromkeys([*ALWAYS, *space.figures]))
        self.study = self._study()

    @property
    def names(self) -> list[str]:
        """Columns of the numbers that the function gives: its name, with a number where there are several."""
        name = self.objective.rpartition(":")[2]
        count = len(self.directions)
        return [name] if count == 1 else [f"{name}_{number}" for number in range(1, count + 1)]

    def run(self, objective: Objective, count: int, seed: int = 0) -> Iterator[Any]:
        """Trials as they end, until there are `count` in all, or no more are found.

        An error of the function is printed, and raised as an ArchError; its trial is then made again, like one that was
        killed.
        """
        self._give_back()
        number = len(self.study.get_trials(deepcopy=False))
        self.study.sampler = self._optuna.samplers.TPESampler(seed=seed + number)
        while (trial := self._next(count)) is not None:
            self._try(trial, objective)
            yield self._of(trial.number)

    def tried(self) -> list[Any]:
        """The trials that count: all within the budget, but for repetitions and those that failed."""
        trials = self.study.get_trials(deepcopy=False)
        return [each for each in trials if each.user_attrs.get("claimed") and each.state.name in _COUNTS]

    def best(self) -> list[Any]:
        """Those of the front, the first objective's best first; with one objective, all, the best first."""
        own = {each.number: each for each in self.tried() if each.state.name == "COMPLETE"}
        several = len(self.study.directions) > 1
        kept = [each for each in self.study.best_trials if each.number in own] if several else list(own.values())
        sign = 1 if self.study.directions[0].name == "MINIMIZE" else -1
        return sorted(kept, key=lambda trial: (sign * trial.values[0], trial.number))

    def values(self, trial: Any) -> dict[str, Any]:
        """A row of results: the choices, what the function suggested itself, the costs, and what it gave."""
        choices = {
            choice.key: _value(choice, digit)
            for choice, digit in zip(self.space.choices, self.digits(trial), strict=True)
        }
        given = dict(zip(self.names, trial.values or (), strict=False))
        return {**choices, **trial.params, **choices, **trial.user_attrs.get("figures", {}), **given}

    def row(self, number: int) -> dict[str, Any]:
        """The row of a trial. Raises ArchError where there is none."""
        with suppress(StopIteration):
            return self.values(next(each for each in self.tried() if each.number == number))
        raise fail("value", f"there is no trial {number:,}", mark=Mark(str(self.folder)))

    def choices(self, row: Mapping[str, Any]) -> list[str]:
        """The overrides that a row stands for."""
        return overrides_of(self.space, row)

    def digits(self, trial: Any) -> Digits:
        return tuple([digit_of(choice, trial.params[choice.key]) for choice in self.space.choices])

    @cached_property
    def _optuna(self) -> Any:
        return package("optuna")

    def _study(self) -> Any:
        self._optuna.logging.set_verbosity(self._optuna.logging.WARNING)
        journal = package("optuna.storages.journal")
        storage = self._optuna.storages.JournalStorage(journal.JournalFileBackend(str(self.folder / JOURNAL)))
        directions = [*self.directions, *[_WORDS[each.sign] for each in self.space.objectives]]
        return self._optuna.create_study(
            storage=storage, study_name="search", load_if_exists=True, directions=directions
        )

    def _of(self, number: int) -> Any:
        return self.study.get_trials(deepcopy=False)[number]

    def _next(self, count: int) -> Any | None:
        """A variant to build; one process at a time looks for one, so that none is built twice."""
        for _ in range(MISSES):
            with self._alone():
                tried = self.tried()
                if len(tried) >= count:
                    return None
                trial = self.study.ask({choice.key: distribution_of(choice) for choice in self.space.choices})
                trial.set_user_attr("worker", [socket.gethostname(), os.getpid()])
                if not self._is_repeated(trial, tried) and self._is_within(trial):
                    trial.set_user_attr("claimed", True)
                    return trial
        return None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """A lock of Optuna's, which holds on network disks too; of a process that was killed it lasts 30 s."""
        lock = package("optuna.storages.journal").JournalFileOpenLock(str(self.folder / "next"))
        lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _is_repeated(self, trial: Any, tried: Sequence[Any]) -> bool:
        """Whether the variant was tried, by a function that suggests nothing itself; it then gives the same again."""
        digits = self.digits(trial)
        for earlier in tried:
            if len(earlier.params) == len(digits) and self.digits(earlier) == digits:
                trial.set_user_attr("why", f"the same as trial {earlier.number}")
                self._end(trial, earlier.values if earlier.state.name == "COMPLETE" else None)
                return True
        return False

    def _is_within(self, trial: Any) -> bool:
        """Whether a variant is within the budget; by how much it is not, the sampler is told."""
        try:
            report = self.variants.report(self.digits(trial))
        except ArchError as error:  # values that do not fit together
            excess, why = 1.0, error.problems[0].message
        else:
            figures = {figure: value_of(figure, report, self.space.machine) for figure in self.figures}
            trial.set_user_attr("figures", figures)
            excesses = {bound.figure: _excess(bound, figures[bound.figure]) for bound in self.space.bounds}
            excess = sum(excesses.values())
            why = "outside the budget: " + ", ".join([figure for figure, each in excesses.items() if each])
        trial.set_constraint("budget", excess)
        if excess:
            trial.set_user_attr("why", why)
            self._end(trial, None)
        return not excess

    def _try(self, trial: Any, objective: Objective) -> None:
        try:
            package("keras").utils.clear_session()  # what earlier models left
            model = build_from_config(self.variants.config(self.digits(trial)).resolved)
            values = self._judged(model, trial, objective)
        except ArchError:
            self._fail(trial)
            raise
        if not values:
            self._end(trial, None)
            return
        own = [trial.user_attrs["figures"][each.figure] for each in self.space.objectives]
        self._end(trial, [*values, *own])

    def _judged(self, model: Any, trial: Any, objective: Objective) -> Sequence[float]:
        """The function's numbers; none where it prunes the trial. Raises ArchError where the function fails."""
        try:
            returned = objective.function(model, trial)
        except self._optuna.TrialPruned as pruned:
            trial.set_user_attr("why", str(pruned) or "pruned by the function")
            return ()
        except Exception as error:
            say(*own_traceback(error, objective.function.__module__), err=True)
            hint = "the same command goes on, with this trial"
            message = f"trial {trial.number}: {objective.name} raised {type(error).__name__}: {error}"
            raise fail("objective", message, hint=hint) from None
        values = numbers(returned, len(self.directions), objective.name)
        if not values:
            trial.set_user_attr("why", "not a finite number")
        return values

    def _end(self, trial: Any, values: Sequence[float] | None) -> None:
        if values is None:
            self.study.tell(trial, state=self._optuna.trial.TrialState.PRUNED)
        else:
            self.study.tell(trial, values)

    def _fail(self, trial: Any) -> None:
        """End a trial that gave nothing; its variant, if it was to be built, comes next."""
        self.study.tell(trial.number, state=self._optuna.trial.TrialState.FAIL)
        if trial.user_attrs.get("claimed"):
            self.study.enqueue_trial(trial.params)

    def _give_back(self) -> None:
        """The trials of processes of this machine that were killed."""
        with self._alone():
            for trial in self.study.get_trials(deepcopy=False):
                if trial.state.name == "RUNNING" and _is_dead(*trial.user_attrs.get("worker", ("", 0))):
                    self._fail(trial)


def begun(space: Space, folder: Path, objective: str, directions: Sequence[str]) -> Trials:
    """The trials in a new folder, or in that of the same search. Raises ArchError for another."""
    package("optuna")
    go_on_in(folder, space, {"kind": "trials", "objective": objective, "directions": list(directions)})
    return Trials(space, folder, objective, directions)


def trials_in(folder: Path) -> Trials | None:
    """The trials in a folder, if it has any."""
    if not (folder / JOURNAL).is_file():
        return None
    space, state = results_in(folder).space, json.loads((folder / STATE).read_text())
    return Trials(space, folder, state["objective"], state["directions"])


def _value(choice: Any, digit: int) -> Any:
    """A value of a choice as results have it."""
    return json.loads(choice.written(digit)) if choice.is_interval else values_of(choice)[digit]


def _excess(bound: Bound, value: float) -> float:
    """How far a network is outside a bound, as a share of the bound; 0 within."""
    if isnan(value):
        return 1.0
    if bound.least <= value <= bound.most:
        return 0.0
    limit = bound.most if value > bound.most else bound.least
    return min(1e6, abs(value - limit) / max(abs(limit), 1e-9))


def _is_dead(host: str, process: int) -> bool:
    """Whether a process of this machine is no more; of another machine nothing is known."""
    if host != socket.gethostname() or os.name != "posix":
        return False
    if process == os.getpid():  # one before this had the same number
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
