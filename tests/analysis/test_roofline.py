"""Times that are predicted: the roofline by hand, measured times in its place, and files of machines."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.graphs import graph_of, image_of

import archdsl
from archdsl.analysis.report import Report, report
from archdsl.analysis.roofline import Machine, operations, seconds_by_layer
from archdsl.diagnostics.problems import ArchError
from archdsl.frontend.compose.config import load
from archdsl.frontend.lower import outline
from archdsl.ir import ops
from archdsl.tools.machine_file import read_machine, write_machine

Run = Callable[..., subprocess.CompletedProcess[str]]
Write = Callable[[str, str], Path]
SMALL = """
stem: {conv: {block: conv_bn_act, width: 8, kernel: 3}}
stages:
  p1: {width: 16, stride: 2, down: {block: max_pool}, body: {block: conv, kernel: 1}}
"""
MACHINE = Machine(macs=1e6, bandwidth=1e5, overhead=0.25)


def test_an_operation_takes_its_work_or_its_bytes_whichever_is_longer_and_its_start() -> None:
    """On a map of 8 × 8 × 4: 3 × 3 to 8 filters is 8·8·9·4·8 MACs; its bytes are 4 (256 + 288 + 512)."""
    image = image_of(4, 8, 8)
    conv = ops.Conv2D(8, 3)(image, name="conv")
    graph = graph_of(ops.MaxPool()(conv, name="pool"))
    first, pool = operations(graph)
    assert (first.macs, first.bytes) == (18_432, 4 * (256 + 288 + 512))
    assert Machine(1e6, 1e6, 0.25).seconds(first) == pytest.approx(0.018432 + 0.25)
    assert Machine(1e6, 1e4, 0.25).seconds(first) == pytest.approx(0.4224 + 0.25)
    assert (pool.macs, pool.bytes) == (0, 4 * (512 + 128))
    assert pool.key == "MaxPool() on 8x8x8"


@pytest.mark.parametrize(("function", "ways"), [("relu", 0), ("leaky_relu", 0), ("silu", 5), ("tanh", 2)])
def test_an_activation_is_part_of_the_operation_before_it(function: ops.ActivationName, ways: int) -> None:
    conv = ops.Conv2D(8)(image_of(4, 8, 8), name="conv")
    graph = graph_of(ops.Activation(function)(conv, name="act"))
    (whole,) = operations(graph)
    (alone,) = operations(graph_of(conv))
    assert whole.key == f"Conv2D(filters=8) + Activation(function={function}) on 8x8x4"
    assert MACHINE.seconds(whole) - MACHINE.seconds(alone) == pytest.approx(ways * 4 * 512 / 1e5)


def test_what_is_read_twice_and_what_has_two_inputs_are_operations_of_their_own_and_views_take_no_time() -> None:
    conv = ops.Conv2D(8)(image_of(4, 8, 8), name="conv")
    act = ops.Activation("silu")(conv, name="act")
    total = ops.Add()(conv, act, name="add")
    flat = ops.Flatten()(total, name="flat")
    keys = [each.key for each in operations(graph_of(ops.Dense(10)(flat, name="dense")))]
    first, *others = keys
    assert first == "Conv2D(filters=8) on 8x8x4"
    assert others == ["Activation(function=silu) on 8x8x8", "Add() on 8x8x8, 8x8x8", "Dense(units=10) on 512"]


def test_the_time_of_a_layer_is_that_of_its_fused_operations(write: Write) -> None:
    """The batch norm is folded away: a convolution with a bias, and its SiLU; the pool; 1 × 1 with a bias."""
    costs = Report(outline(load(write("net.yaml", SMALL)).with_size(8, 8)))
    stem = max(8 * 8 * 27 * 8 / 1e6, 4 * (192 + 224 + 512) / 1e5) + 0.25 + 5 * 4 * 512 / 1e5
    pool = 4 * (512 + 128) / 1e5 + 0.25
    body = max(16 * 8 * 16 / 1e6, 4 * (128 + (128 + 16) + 256) / 1e5) + 0.25
    expected = {"stem.conv": stem, "stages.p1.down": pool, "stages.p1.body": body}
    assert seconds_by_layer(costs.fused, MACHINE) == pytest.approx(expected)
    (key,) = [each.key for each in operations(costs.fused) if each.layer == "stages.p1.down"]
    measured = Machine(1e6, 1e5, 0.25, {key: 7.0})
    assert seconds_by_layer(costs.fused, measured) == pytest.approx({**expected, "stages.p1.down": 7})


@pytest.mark.parametrize("preset", ["yolo_v8_xs_detect", "mobilenet_v3_small_classify", "vit_tiny_patch16_classify"])
def test_all_macs_of_a_network_are_in_its_operations(preset: str) -> None:
    costs = report(archdsl.analyze(preset, input_shape=(224, 224, 3)).graph)
    assert sum(each.macs for each in operations(costs.fused)) == costs.fused.cost.macs


def test_show_predicts_the_time_and_names_the_slowest_layers(write: Write, run: Run, tmp_path: Path) -> None:
    write("net.yaml", SMALL)
    write_machine(MACHINE, tmp_path / "machine.json")
    options = ("net.yaml", "--size", "8", "--machine", "machine.json")
    lines = run("show", *options).stdout.splitlines()
    assert lines[-2] == "time, batch 1: about 936 ms, 0 of 3 operations measured"
    assert lines[-1].startswith("most of it in stem.conv (390 ms), p1.down (276 ms), p1.body (271 ms)")
    found = json.loads(run("show", *options, "--json").stdout)["seconds"]
    assert sum(found.values()) == pytest.approx(0.936, abs=1e-3)
    for threads, told in ((1, "1 thread"), (4, "4 threads")):
        write_machine(replace(MACHINE, threads=threads), tmp_path / "machine.json")
        assert f"time, batch 1, {told}: about 936 ms" in run("show", *options).stdout
    error = run("show", "net.yaml", "--machine", "none.json")
    assert not error.stdout
    assert error.returncode == 2 and "`archdsl bench CONFIG --machine machine.json` writes one" in error.stderr
    error = run("show", *options, "--size", "any")
    assert error.returncode == 2 and "hint: add --size 640" in error.stderr


def test_a_machine_is_read_as_it_was_written(tmp_path: Path) -> None:
    machine = Machine(1e11, 2.5e10, 3e-7, {"Conv2D(filters=8) on 8x8x4": 1e-05, "Add() on 1, 1": 0.0}, 2)
    write_machine(machine, tmp_path / "machine.json")
    assert read_machine(tmp_path / "machine.json") == machine


WHOLE = {"macs": 1e9, "bandwidth": 1e9, "overhead": 0}
WRONG = {
    '{"macs": 1e9}': ["a machine needs 'bandwidth'", "a machine needs 'overhead'"],
    json.dumps({**WHOLE, "macs": 0}): ["macs: got the number 0; expected a number, from 1 to 1e+24"],
    json.dumps({**WHOLE, "macs": -1e9}): ["macs: got the number -1000000000.0"],
    json.dumps({**WHOLE, "overhead": "1"}): ["overhead: got text '1'; expected a number, from 0"],
    json.dumps({**WHOLE, "bandwidth": 1e-320}): ["bandwidth: got"],
    json.dumps({**WHOLE, "bandwidth": True}): ["bandwidth: got true"],
    json.dumps({**WHOLE, "times": {"a": -1, "b": 1e7, "c": None}}): ["times.a: ", "times.b: ", "times.c: "],
    json.dumps({**WHOLE, "threads": 0}): ["threads: got the number 0; expected how many"],
    json.dumps({**WHOLE, "threads": 2.0}): ["threads: got the number 2.0"],
    json.dumps({**WHOLE, "threads": True}): ["threads: got true"],
    json.dumps({**WHOLE, "times": [1]}): ["times: got a list of 1; expected operations"],
    json.dumps({**WHOLE, "tims": {}}): ["did you mean 'times'?"],
    '{"macs": NaN, "bandwidth": .nan, "overhead": .inf}': ["macs: ", "bandwidth: ", "overhead: "],
    '{"macs": 1, "macs": 2, "bandwidth": 1, "overhead": 1}': ["macs"],
    '{"macs": 1, ': ["machine.json:1"],
    "[1, 2]": ["machine.json:1"],
    "": ["machine.json"],
    "a: " + "[" * 30_000: ["machine.json"],
    '{"times": {' + ", ".join(f'"{number}": 1' for number in range(100_001)) + "}}": ["100000"],
}


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:40])
def test_what_is_wrong_with_a_machine_is_told_with_its_place(text: str, tmp_path: Path) -> None:
    path = tmp_path / "machine.json"
    path.write_text(text)
    with pytest.raises(ArchError) as error:
        read_machine(path)
    assert all(part in str(error.value) for part in WRONG[text]), str(error.value)
    assert all(each.file == str(path) for each in error.value.problems)


def test_a_machine_is_a_small_regular_file(tmp_path: Path) -> None:
    with (tmp_path / "machine.json").open("wb") as file:
        file.truncate(2**24 + 1)
    with pytest.raises(ArchError, match="limit") as error:
        read_machine(tmp_path / "machine.json")
    assert not error.value.problems[0].hint
    for path, message in ((tmp_path, "a folder"), (Path("/dev/zero"), "a device")):
        with pytest.raises(ArchError, match=message):
            read_machine(path)
