"""archdsl search --trials: networks of a space that Optuna chooses and a function of the user's judges."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import keras  # noqa: F401 (a mark for the whole file: networks are built)
import optuna
import pytest
from conftest import Run

import archdsl
from archdsl.analysis.roofline import Machine
from archdsl.diagnostics.problems import Mark
from archdsl.tools.machine_file import write_machine
from archdsl.tools.search.choices import read_choice
from archdsl.tools.search.distributions import digit_of, distribution_of
from archdsl.tools.search.objective import Objective
from archdsl.tools.search.space import read_space
from archdsl.tools.search.trials import Trials, begun, trials_in

SPACE = """
config: csp_darknet_tiny
overrides: [~stages.p4, ~stages.p5]
size: 32
choices:
  scale.width: range(0.1, 0.65, 0.05)
  stages.p3.depth: [9, 6, 3]
  stages.p3.body.block: [csp, c2f]
within: {params: 6e4}
"""
FUNCTIONS = """
import math
from pathlib import Path

def size(model, trial):
    assert model.count_params() == trial.user_attrs["figures"]["params"] <= 6e4
    with open("built.txt", "a") as file:
        file.write(f"{model.count_params()}\\n")
    return -model.count_params()

def both(model, trial):
    return [model.count_params(), len(model.layers)]

def inner(model, trial):
    return deeper(None)

def deeper(nothing):
    return nothing.epochs

def fails(model, trial):
    return inner(model, trial) if not Path("fixed").exists() else 1

def text(model, trial):
    return "good"

def slow(model, trial):
    import os, time
    with open("begun.txt", "a") as file:
        file.write(f"{trial.number}\\n")
    if not Path("fast").exists():
        time.sleep(60)
    return 1

number = 3
"""


@pytest.fixture
def space(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(FUNCTIONS)
    (tmp_path / "broken.py").write_text("import nowhere\n")
    path = tmp_path / "space.yaml"
    path.write_text(SPACE)
    return path


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "trials.csv").open() as file:
        return list(csv.DictReader(file))


def built(folder: Path, *states: str) -> list[dict[str, str]]:
    """Trials that were built, but for repetitions."""
    return [row for row in rows(folder) if row["state"] in (states or ("COMPLETE",)) and not row["why"]]


def trials(run: Run, space: Path, count: int, name: str, *options: str, code: int = 0) -> Any:
    folder = space.parent / "found"
    arguments = [str(space), "--trials", str(count), "--objective", name, "-o", str(folder), *options]
    result = run("search", *arguments)
    assert result.returncode == code, result.stderr
    return result


def test_so_many_networks_within_the_budget_are_built_and_judged_and_more_when_asked_again(
    space: Path, run: Run
) -> None:
    folder = space.parent / "found"
    trials(run, space, 3, "mine:size")
    first = built(folder)
    printed = trials(run, space, 5, "mine:size").stdout
    assert len(first) == 3 and built(folder)[:3] == first and len(built(folder)) == 5
    assert (space.parent / "built.txt").read_text().split() == [row["params"] for row in built(folder)]
    for row in built(folder):
        changes = [f"{key}={row[key]}" for key in ("scale.width", "stages.p3.depth", "stages.p3.body.block")]
        costs = archdsl.analyze("csp_darknet_tiny", ["~stages.p4", "~stages.p5", *changes], (32, 32, 3))
        assert (str(costs.params), str(costs.macs)) == (row["params"], row["macs"])
        assert float(row["size"]) == -costs.params
    outside = [row for row in rows(folder) if row["why"] == "outside the budget: params"]
    assert outside and all(row["state"] == "PRUNED" and float(row["params"]) > 6e4 for row in outside)
    best = max(built(folder), key=lambda row: float(row["size"]))
    assert printed.partition("the best:\n")[2].splitlines()[1].split()[0] == best["trial"]
    before = rows(folder)
    assert "5 trials" in trials(run, space, 5, "mine:size").stdout and rows(folder) == before  # nothing is left
    assert "5 trials" in run("search", str(folder)).stdout
    taken = run("search", str(folder), "--take", best["trial"], "-o", str(space.parent / "best.yaml"))
    assert taken.returncode == 0, taken.stderr
    assert archdsl.analyze(space.parent / "best.yaml").params == int(best["params"])


def test_the_front_is_of_what_the_function_gives_and_of_what_the_space_asks_for(space: Path, run: Run) -> None:
    space.write_text(f"{SPACE}minimize: activation_bytes\n")
    printed = trials(run, space, 4, "mine:both", "--direction", "minimize", "--direction", "maximize").stdout
    own = [
        (float(row["both_1"]), -float(row["both_2"]), int(row["activation_bytes"]), row["trial"])
        for row in built(space.parent / "found")
    ]
    kept = [
        each
        for each in own
        if not any(
            all(a <= b for a, b in zip(other[:3], each[:3], strict=True)) and other[:3] != each[:3] for other in own
        )
    ]
    lines = printed.partition("the front:\n")[2].splitlines()[1:-1]
    assert [line.split()[0] for line in lines] == [
        each[3] for each in sorted(kept, key=lambda each: (each[0], int(each[3])))
    ]


def test_an_error_of_the_function_is_readable_and_its_variant_comes_first_afterwards(space: Path, run: Run) -> None:
    error = trials(run, space, 2, "mine.py:fails", code=2).stderr
    assert "return nothing.epochs" in error and "tools/search" not in error
    assert error.count("Traceback") == 1
    assert "mine:fails raised AttributeError: 'NoneType' object has no attribute 'epochs'" in error.splitlines()[-2]
    (failed,) = [row for row in rows(space.parent / "found") if row["state"] == "FAIL"]
    (space.parent / "fixed").touch()
    trials(run, space, 2, "mine:fails")
    first, _ = built(space.parent / "found")
    assert [first[name] for name in ("scale.width", "stages.p3.depth", "params")] == [
        failed[name] for name in ("scale.width", "stages.p3.depth", "params")
    ]


ERRORS = {
    "mine": "'mine' is not module:function",
    "mine:": "'mine:' is not module:function",
    "yours:size": "there is no module 'yours' here",
    "yours.inner:size": "there is no module 'yours.inner' here",
    "yours.py:size": "there is no file 'yours.py' here",
    "broken:size": "importing broken fails: ModuleNotFoundError: No module named 'nowhere'",
    "mine:sizes": "did you mean 'size'?",
    "mine:number": "mine has no function 'number'",
    "mine:text": "mine:text returned text 'good'; expected a number",
    "mine:both": "mine:both returned 2 numbers; expected a number",
}


@pytest.mark.parametrize("name", ERRORS)
def test_what_is_wrong_with_an_objective_is_one_report(name: str, space: Path, run: Run) -> None:
    error = trials(run, space, 1, name, code=2).stderr
    assert ERRORS[name] in error and error.count("error[objective]") == 1, error
    assert ("Traceback" in error) == name.startswith("broken")


@pytest.mark.parametrize(
    "options", [["--trials", "3"], ["--trials", "3", "--objective", "mine:size"], ["--objective", "mine:size"]]
)
def test_what_belongs_together_is_asked_for_together(options: list[str], space: Path, run: Run) -> None:
    result = run("search", str(space), *options)
    assert (result.returncode, "--trials" in result.stderr) == (2, True)


def killed_while_it_judges(space: Path) -> subprocess.Popen[bytes]:
    """A search of trials, ended with SIGKILL in its first."""
    command = [sys.executable, "-m", "archdsl", "search", str(space), "--trials", "2", "--objective", "mine:slow"]
    process = subprocess.Popen([*command, "-o", "found"], cwd=space.parent, stderr=subprocess.DEVNULL)
    while not (space.parent / "begun.txt").exists():
        assert process.poll() is None
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return process


def test_a_trial_that_was_killed_is_made_again(space: Path, run: Run) -> None:
    killed_while_it_judges(space)
    (space.parent / "fast").touch()
    trials(run, space, 2, "mine:slow")
    failed = [row for row in rows(space.parent / "found") if row["state"] == "FAIL"]
    assert len(failed) == 1 and len(built(space.parent / "found")) == 2
    assert built(space.parent / "found")[0]["params"] == failed[0]["params"]


@pytest.mark.parametrize("left", [[".partial-0a1b2c3d-search.json"], ["search.json"]])
def test_a_search_that_was_killed_when_it_began_goes_on(left: list[str], space: Path) -> None:
    whole = begun(read_space(space), space.parent / "found", "mine:f", ["maximize"]).folder
    for file in whole.iterdir():
        if file.name not in left:
            file.unlink()
    for name in left:
        (whole / name).touch()
    assert begun(read_space(space), whole, "mine:f", ["maximize"]).tried() == []
    assert read_space(whole / "space.yaml").variants == read_space(space).variants


@pytest.fixture
def study(space: Path) -> Trials:
    return begun(read_space(space), space.parent / "found", "mine:f", ["maximize"])


def test_two_that_search_in_a_folder_build_nothing_twice_and_no_more_than_asked(study: Trials) -> None:
    """Each of two goes on while the other is in the middle of a trial, with the same seed."""
    other, running = trials_in(study.folder), []
    assert other is not None

    def judged(model: Any, trial: Any) -> float:
        running.append(study.digits(trial))
        return 0.0

    def judged_meanwhile(model: Any, trial: Any) -> float:
        next(others, None)
        return judged(model, trial)

    others = other.run(Objective("mine:f", judged), 6)
    next(others)
    list(study.run(Objective("mine:f", judged_meanwhile), 6))
    assert len(study.tried()) == 6 == len(running) == len(set(running))


def test_where_nothing_fits_no_network_is_built(space: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archdsl.tools.search.trials.MISSES", 30)
    space.write_text(SPACE.replace("6e4", "10"))
    study = begun(read_space(space), space.parent / "found", "mine:f", ["maximize"])

    def never(model: Any, trial: Any) -> float:
        raise AssertionError("built")

    assert list(study.run(Objective("mine:f", never), 3)) == []
    assert len(study.study.trials) == 30 and not study.tried()


def test_a_limit_of_time_counts_before_anything_is_built(space: Path) -> None:
    """A network of 3 ms is not within 1 ms: an operation takes at least one to start."""
    write_machine(Machine(1e12, 1e12, 1e-3, threads=2), space.parent / "machine.json")
    for most, count in (("1", 0), ("1e3", 2)):
        space.write_text(SPACE.replace("{params: 6e4}", f"{{latency_ms: {most}}}\nlatency: machine.json"))
        study = begun(read_space(space), space.parent / f"found{most}", "mine:f", ["maximize"])
        list(study.run(Objective("mine:f", lambda model, trial: 1.0), 2))
        assert len(study.tried()) == count


def test_the_function_reports_prunes_and_suggests_as_with_optuna(study: Trials) -> None:
    def judged(model: Any, trial: Any) -> float:
        trial.suggest_float("rate", 1e-3, 1e-1, log=True)
        trial.report(1.0, 0)
        if len(study.tried()) == 2:
            raise optuna.TrialPruned
        return float("nan") if len(study.tried()) == 3 else float(not trial.should_prune())

    done = list(study.run(Objective("mine:f", judged), 4))
    assert [each.state.name for each in done] == ["COMPLETE", "PRUNED", "PRUNED", "COMPLETE"]
    assert [each.user_attrs.get("why") for each in done[1:3]] == ["pruned by the function", "not a finite number"]
    assert all(1e-3 <= study.values(each)["rate"] <= 1e-1 for each in done)


TEXTS = {
    "range(64, 224, 16)": optuna.distributions.IntDistribution(64, 208, step=16),
    "range(0.1, 0.65, 0.1)": optuna.distributions.FloatDistribution(0.1, 0.6, step=0.1),
    "choice(9, 3, 6)": optuna.distributions.IntDistribution(3, 9, step=3),
    "choice(1, 2, 4)": optuna.distributions.CategoricalDistribution(["1", "2", "4"]),
    "choice(a, b)": optuna.distributions.CategoricalDistribution(["a", "b"]),
    "choice(true, false)": optuna.distributions.CategoricalDistribution(["True", "False"]),
    "choice([1,2], [3,4])": optuna.distributions.CategoricalDistribution(["[1,2]", "[3,4]"]),
    "7": optuna.distributions.CategoricalDistribution(["7"]),
    "interval(1, 8)": optuna.distributions.FloatDistribution(1, 8),
    "interval(0.25, 1.0)": optuna.distributions.FloatDistribution(0.25, 1),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("text", TEXTS)
def test_a_choice_is_suggested_by_its_kind_and_every_value_is_reached(text: str) -> None:
    choice = read_choice("key", text, Mark("space.yaml", 1, 1))
    distribution = distribution_of(choice)
    assert distribution == TEXTS[text]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(0))
    digits = {digit_of(choice, study.ask({"key": distribution}).params["key"]) for _ in range(100)}
    if choice.is_interval:
        assert len(digits) > 90 and min(digits) >= 0 and max(digits) < choice.count
        assert [digit_of(choice, end) for end in (choice.low, choice.high)] == [0, choice.count - 1]
    else:
        assert digits == set(range(choice.count))
        if isinstance(distribution, optuna.distributions.FloatDistribution | optuna.distributions.IntDistribution):
            for digit, written in enumerate(choice.texts):
                assert digit_of(choice, float(written)) == digit
