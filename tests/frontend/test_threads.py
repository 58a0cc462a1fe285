"""archdsl works wherever it is called: inside Hydra programs, and from several threads at once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from support import samples

import archdsl
from archdsl.frontend.compose.config import load
from archdsl.frontend.compose.search_path import config_root
from archdsl.frontend.yaml.files import read_file

THREADS = 8
OVERRIDES = ["++scale.width=0.25", "++scale.depth={}", "+expect={{params: 1}}", "~outputs"]

Task = Callable[[], Any]


def outcome(task: Task) -> str:
    """What the task gives, as text: its result, or its report."""
    try:
        return str(task())
    except archdsl.ArchError as error:
        return f"refused: {error}"


def at_once(tasks: list[Task]) -> list[str]:
    """The outcomes of the tasks, run in THREADS threads that begin together."""
    barrier = Barrier(THREADS)

    def first(_: int) -> None:
        barrier.wait(timeout=60)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(first, range(THREADS)))
        return list(pool.map(outcome, tasks))


def some_tasks() -> list[Task]:
    """Good and bad configs of every kind, in a shuffled order."""
    tasks: list[Task] = []
    for number, name in enumerate(samples.one_of_each_kind()[::3]):
        overrides = [text.format(number % 3 + 1) for text in OVERRIDES[: number % 5]]
        tasks += [
            lambda name=name, overrides=overrides: archdsl.compile_config(name, overrides),
            lambda name=name, overrides=overrides: load(name, overrides).resolved,
            lambda name=name: archdsl.analyze(name, input_shape=(64, 64, 3)).to_dict(),
            lambda name=name: archdsl.compile_config(load(name).resolved),
            lambda name=name, number=number: archdsl.analyze(name, [f"stages.p3.depht={number}"]),
            lambda name=name: archdsl.analyze(name + "x"),
        ]
    random.Random(7).shuffle(tasks)
    return tasks


@pytest.mark.slow
def test_threads_get_what_one_thread_gets() -> None:
    tasks = some_tasks()
    assert at_once(tasks) == [outcome(task) for task in tasks]


def test_the_first_calls_of_a_process_may_come_from_threads_at_once() -> None:
    program = f"""
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
import archdsl
barrier = Barrier({THREADS})
def params(number):
    barrier.wait(timeout=60)
    return archdsl.analyze("yolo_v8_s_backbone", [f"scale.depth={{number + 1}}"]).params
with ThreadPoolExecutor({THREADS}) as pool:
    print(list(pool.map(params, range({THREADS}))))
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    expected = [archdsl.analyze("yolo_v8_s_backbone", [f"scale.depth={n + 1}"]).params for n in range(THREADS)]
    assert (result.stdout, result.stderr) == (f"{expected}\n", "")


@pytest.mark.keras
def test_models_are_built_in_threads_as_in_one() -> None:
    overrides = [[f"scale.width={width / 64}", "scale.depth=0.1"] for width in range(4, 4 + THREADS)]

    def built(changes: list[str]) -> tuple[int, list[str]]:
        model = archdsl.build_from_config("yolo_v8_xs_backbone", changes, input_shape=(64, 64, 3))
        return model.count_params(), [layer.name for layer in model.layers if layer.weights]

    def promised(changes: list[str]) -> tuple[int, list[str]]:
        nodes = archdsl.compile_config("yolo_v8_xs_backbone", changes).nodes
        return archdsl.analyze("yolo_v8_xs_backbone", changes).params, [node.name for node in nodes if node.weights]

    tasks: list[Task] = [lambda changes=changes: built(changes) for changes in overrides]
    assert at_once(tasks) == [str(promised(changes)) for changes in overrides]


def test_nothing_changes_a_file_that_was_read_once() -> None:
    paths = sorted(config_root().rglob("*.yaml"))
    before = {path: deepcopy(read_file(path)) for path in paths}
    for task in some_tasks():
        outcome(task)
    for path in paths:
        for value in load(path).resolved.values():
            if isinstance(value, dict):
                value.clear()
    assert {path: read_file(path) for path in paths} == before


def test_calls_inside_hydra_leave_it_alone() -> None:
    expected = [str(archdsl.compile_config(name, ["++scale.width=0.375"])) for name in ("csp_darknet_s", "resnet18_v2")]
    with initialize_config_dir(str(config_root()), version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        for name, graph in zip(("csp_darknet_s", "resnet18_v2"), expected, strict=True):
            assert str(archdsl.compile_config(name, ["++scale.width=0.375"])) == graph
            composed = compose(name, overrides=["++scale.width=0.375", f"+name={name}"])
            assert str(archdsl.compile_config(composed)) == graph
        assert at_once(some_tasks()[:40]) == [outcome(task) for task in some_tasks()[:40]]
        assert GlobalHydra.instance().hydra is hydra


@pytest.mark.keras
def test_a_hydra_program_builds_models_from_its_own_config_and_from_others(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM.format(root=config_root()))
    environment = {**os.environ, "PYTHONPATH": str(Path(archdsl.__file__).parents[1]), "KERAS_BACKEND": "tensorflow"}
    result = subprocess.run(
        [sys.executable, "program.py", "scale.width=0.25"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    own = archdsl.analyze("yolo_v8_s_backbone", ["scale.width=0.25"]).params
    other = archdsl.analyze("csp_darknet_tiny", ["scale.width=0.125"]).params
    assert result.stdout.splitlines() == [f"{own} {other} {own}", "scale.widht"], result.stderr


PROGRAM = """
import archdsl, hydra
@hydra.main(version_base="1.3", config_path="{root}", config_name="yolo_v8_s_backbone")
def main(config):
    own = archdsl.build_from_config(config, input_shape=(64, 64, 3))
    other = archdsl.build_from_config("csp_darknet_tiny", ["scale.width=0.125"], input_shape=(64, 64, 3))
    with_more = archdsl.analyze("yolo_v8_s_backbone", ["scale.width=0.25"])
    print(own.count_params(), other.count_params(), with_more.params)
    try:
        archdsl.analyze(config, ["scale.widht=1"])
    except archdsl.ArchError as error:
        print(error.problems[0].path)
main()
"""
