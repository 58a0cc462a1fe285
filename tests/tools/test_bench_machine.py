"""archdsl bench --machine: this machine's limits and the times of operations, in a file that grows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Run
from support.applied import APPLIED, VECTOR

from archdsl.analysis.report import report
from archdsl.analysis.roofline import Machine, Operation, operations
from archdsl.frontend.compose.config import load
from archdsl.frontend.lower import compile_graph
from archdsl.ir.ops import Input
from archdsl.tools.bench import machine as measuring
from archdsl.tools.bench import operations as single
from archdsl.tools.bench.operations import Stopwatch
from archdsl.tools.machine_file import read_machine, write_machine

NET = """
stem: {conv: {block: conv_bn_act, width: 8, kernel: 3}}
stages:
  p1: {width: 16, stride: 2, down: {block: max_pool}, body: {block: c2f}}
"""
TINY = ("net.yaml", "--size", "32", "--threads", "1")


def quiet(text: str) -> None:
    pass


@pytest.mark.slow
def test_a_file_is_written_and_completed_and_keeps_what_a_user_has_put_there(tmp_path: Path, run: Run) -> None:
    (tmp_path / "net.yaml").write_text(NET)
    path = tmp_path / "machine.json"
    done = run("bench", *TINY, "--machine", str(path))
    assert done.returncode == 0, done.stderr
    found = json.loads(path.read_text())
    graph = report(compile_graph(load(tmp_path / "net.yaml").with_size(32, 32))).fused
    assert set(found["times"]) == {each.key for each in operations(graph)}
    assert all(0 <= seconds < 1 for seconds in found["times"].values())
    assert found["macs"] > 1e8 and found["bandwidth"] > 1e8 and 0 <= found["overhead"] < 1e-3
    assert f"{len(operations(graph))} of {len(operations(graph))} operations measured" in done.stdout

    assert found["threads"] == 1 and "multiply-accumulates a second, 1 thread" in done.stdout
    assert "time, batch 1, 1 thread: about" in done.stdout
    key, other = list(found["times"])[:2]
    edited = {**found, "macs": 5e9, "times": {**found["times"], key: 123.0, "Mine() on 1": 4.0}}
    del edited["times"][other]
    path.write_text(json.dumps(edited))
    assert run("bench", *TINY, "--machine", str(path)).returncode == 0
    again = json.loads(path.read_text())
    assert set(again["times"]) == {*found["times"], "Mine() on 1"}
    assert {each: again["times"][each] for each in edited["times"]} == edited["times"]
    assert (again["macs"], again["bandwidth"]) == (5e9, found["bandwidth"])


@pytest.mark.parametrize(
    ("said", "asked", "message", "hint"),
    [
        ({"threads": 2}, ["--threads", "1"], "has times of 2 threads, and not of 1", "--threads 2 completes it"),
        ({"threads": 1}, ["--threads", "3"], "has times of 1 thread, and not of 3", "--threads 1 completes it"),
        ({}, ["--threads", "1"], "does not say of how many threads", '"threads": 1 in the file'),
        ({}, [], "does not say of how many threads", '"threads": 1 in the file'),
    ],
)
def test_times_of_other_threads_do_not_mix(
    said: dict[str, int], asked: list[str], message: str, hint: str, tmp_path: Path, run: Run
) -> None:
    (tmp_path / "net.yaml").write_text(NET)
    text = json.dumps({"macs": 1e9, "bandwidth": 1e9, "overhead": 0, "times": {"Add() on 1": 1.0}, **said})
    (tmp_path / "machine.json").write_text(text)
    error = run("bench", "net.yaml", "--size", "32", "--machine", "machine.json", *asked)
    assert error.returncode == 2 and message in error.stderr and hint in error.stderr
    assert (tmp_path / "machine.json").read_text() == text


def test_a_file_is_completed_with_its_own_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = report(compile_graph(load("yolo_v8_xs_backbone").with_size(64, 64))).fused
    monkeypatch.setattr(Stopwatch, "seconds", lambda watch, operation: float(watch.threads))
    machine = Machine(1, 1, 0, {"Mine() on 1": 1.0}, 3)
    for before, asked, threads in (
        (machine, None, 3),
        (machine, 3, 3),
        (replace(machine, times={}, threads=None), 2, 2),
    ):
        write_machine(before, tmp_path / "machine.json")
        found = measuring.completed(tmp_path / "machine.json", [graph], asked, quiet)
        assert found == read_machine(tmp_path / "machine.json")
        assert (found.threads, {*found.times.values()} - {1.0}) == (threads, {float(threads)})


def test_a_file_that_is_not_a_machine_stays_as_it_is(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "machine.json"
    (tmp_path / "net.yaml").write_text(NET)
    path.write_text('{"macs": -1}')
    error = run("bench", *TINY, "--machine", str(path))
    assert error.returncode == 2 and "a machine needs 'bandwidth'" in error.stderr
    assert path.read_text() == '{"macs": -1}'
    error = run("bench", *TINY, "--machine", "net.yaml")
    assert error.returncode == 2 and "would overwrite the input" in error.stderr


def test_each_operation_is_measured_once_and_only_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = report(compile_graph(load("yolo_v8_xs_backbone").with_size(64, 64))).fused
    keys = [each.key for each in operations(graph)]
    asked: list[str] = []
    watch = Stopwatch(1)
    monkeypatch.setattr(watch, "seconds", lambda operation: asked.append(operation.key) or 2.0)
    machine = measuring.with_times(Machine(1, 1, 0, {keys[0]: 1.0}), graph, watch, quiet)
    assert sorted(asked) == sorted(set(keys) - {keys[0]})
    assert machine.times == {**dict.fromkeys(keys, 2.0), keys[0]: 1.0}


def test_every_operation_has_a_model_of_its_own_that_runs_on_inputs_of_its_shapes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its result is not copied whole, so that a copy is not measured."""
    monkeypatch.setattr(single, "fastest", lambda call, clock: sizes.append(call()[0].shape[1]) or 1.0)
    sizes: list[int] = []
    watch = Stopwatch(1)
    for op, types in APPLIED:
        node = op(*[Input(each)(name=f"input{place}") for place, each in enumerate(types)])
        if not op.is_view:
            assert watch.seconds(Operation((node,))) == 0, op  # as long as the empty call
    assert len(sizes) > 100 and set(sizes[1:]) == {1}


def test_a_block_without_a_form_in_onnx_is_left_to_the_roofline() -> None:
    class Mine(Input):
        pass

    assert Stopwatch(1).seconds(Operation((Mine(VECTOR)(name="mine"),))) is None
