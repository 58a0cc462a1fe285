"""archdsl bench: configs in runtimes, each in a process of its own, measured in turns."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support import warm

import archdsl
from archdsl.frontend.compose.config import load
from archdsl.tools.bench import chart
from archdsl.tools.bench.contenders import REFERENCE, RUNTIMES
from archdsl.tools.bench.job import Job
from archdsl.tools.bench.limits import Limits
from archdsl.tools.bench.measuring import Ratio, Times, measured, quantile, ratio, timed
from archdsl.tools.bench.plan import Contender, Entry, Settings, planned
from archdsl.tools.bench.processes import Process
from archdsl.tools.bench.results import Benchmark, Result
from archdsl.tools.cli import bench_command
from archdsl.weights.network import network_of

pytestmark = pytest.mark.slow

TINY = "scale.width=0.0625"
SMALL = ("csp_darknet_tiny", TINY, "--size", "64", "--threads", "1", "--rounds", "2")
PLUGIN = '''
from archdsl.blocks.registry import Width, block
from archdsl.ir.ops import Conv2D

@block
def plain(x, *, width: Width):
    """One convolution. (H, W, C) -> (H, W, width)."""
    return Conv2D(width)(x)
'''
OWN = "stages: {p1: {width: 8, stride: 2, down: {block: max_pool}, body: {block: plain}}}\n"


class Clock:
    """Time that passes only in calls, each of which takes the next of `seconds`."""

    def __init__(self, *seconds: float):
        self.now, self.left = 0.0, list(seconds)

    def __call__(self) -> float:
        return self.now

    def call(self) -> None:
        self.now += self.left.pop(0)


def test_a_benchmark_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    call = [sys.executable, "-m", "archdsl", "bench", *SMALL, "--rounds", "9999"]
    with subprocess.Popen(call, env={**os.environ, "TMPDIR": str(tmp_path)}, stderr=subprocess.PIPE) as process:
        while not list(tmp_path.glob("archdsl-bench-*/*.npz")):
            assert process.poll() is None, process.stderr and process.stderr.read()
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 128 + signal.SIGTERM
    assert not list(tmp_path.glob("archdsl-*"))


def test_a_network_with_layers_that_its_results_do_not_need_is_measured(run: Any) -> None:
    done = run("bench", "resnet18_v2", f"+{TINY}", "--size", "64", "--threads", "1", "--rounds", "1", "--json")
    assert done.returncode == 0, done.stderr


def test_the_first_call_of_a_turn_does_not_count() -> None:
    clock = Clock(9, 1, 2, 3)
    assert list(timed(clock.call, 3, clock)) == [1, 2, 3]


def test_contenders_take_turns_and_short_calls_come_several_at_a_time() -> None:
    called: list[tuple[str, int]] = []

    def contender(name: str, seconds: float) -> Callable[[int], Sequence[float]]:
        return lambda count: called.append((name, count)) or [seconds] * count  # type: ignore[func-returns-value]

    rounds: list[int] = []
    long, short = measured([contender("long", 2.0), contender("short", 0.04)], 3, rounds.append)
    assert [name for name, _ in called] == ["long", "short"] * 4  # the first two warm up
    assert called[2:4] == [("long", 1), ("short", 3)]
    assert rounds == [1, 2, 3]
    assert (long.rounds, short.rounds) == (((2.0,),) * 3, ((0.04,) * 3,) * 3)


def test_a_ratio_compares_within_a_round() -> None:
    """The machine is twice as slow in each round as in the one before; the ratio is a half all the same."""
    base = Times(((1.0, 1.0, 9.0), (2.0,), (4.0,)))
    own = Times(((0.5,), (1.0,), (2.2,)))
    found = ratio(own, base)
    assert found.median == 0.5
    assert found.low == 0.5 and found.high == pytest.approx(0.54)
    assert (base.minimum, base.median, base.p90) == (1, 2, pytest.approx(7))


@pytest.mark.parametrize(("share", "value"), [(0, 1), (0.5, 2.5), (0.9, 3.7), (1, 4)])
def test_a_quantile_lies_between_its_neighbours(share: float, value: float) -> None:
    assert quantile([4, 2, 1, 3], share) == pytest.approx(value)
    assert quantile([5], share) == 5


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A preset and a config with a block of a plugin, against another preset, in ONNX Runtime; and the folder."""
    folder = tmp_path_factory.mktemp("bench")
    (folder / "plugin.py").write_text(PLUGIN)
    (folder / "own.yaml").write_text(OWN)
    configs = ("csp_darknet_tiny", TINY, "own.yaml", "--plugin", "plugin.py", "--against", "yolo_v8_xs_backbone")
    options = ("--size", "64", "--threads", "1", "--rounds", "2", "--batch", "9", "--json", "-o", "a.png")
    found = warm.run("archdsl", "bench", *configs, *options, folder=folder)
    assert found.returncode == 0, found.stderr
    return folder, json.loads(found.stdout)


def test_every_config_is_measured_and_the_figures_fit_together(done: tuple[Path, Any]) -> None:
    _, found = done
    results = found["results"]
    assert [each["config"] for each in results] == [f"csp_darknet_tiny {TINY}", "own", "yolo_v8_xs_backbone"]
    for each in results:
        seconds = each["seconds"]
        assert 0 < seconds["minimum"] <= seconds["median"] <= seconds["p90"]
        assert each["images_per_second"] == pytest.approx(9 / seconds["median"])
        assert each["flops"] == pytest.approx(2 * 9 * each["macs"] / seconds["minimum"])
        assert each["share_of_peak"] == pytest.approx(each["flops"] / found["peak_flops"])
        assert each["difference"] < 1e-4
        assert each["peak_bytes"] > 20 << 20
        assert (each["runtime"], each["precision"], each["size"]) == ("onnx", "float32", [64, 64])
        assert len(each["rounds"]) == 2
        assert set(each["ratio"]) == {"median", "low", "high"}
    macs = archdsl.analyze("csp_darknet_tiny", [TINY], input_shape=(64, 64, 3)).macs
    assert results[0]["macs"] == macs
    assert results[2]["file_bytes"] > 3.5 * archdsl.analyze("yolo_v8_xs_backbone").params
    assert results[2]["ratio"] == {"median": 1, "low": 1, "high": 1}
    assert results[0]["ratio"]["median"] == pytest.approx(paired(results[0], results[2]))


def test_a_network_to_compare_with_is_measured_once(tmp_path: Path) -> None:
    configs = ("csp_darknet_tiny", TINY, "yolo_v8_xs_backbone", TINY, "--against", "yolo_v8_xs_backbone")
    for words, labels, base in [
        (configs, [f"csp_darknet_tiny {TINY}", f"yolo_v8_xs_backbone {TINY}", "yolo_v8_xs_backbone"], 2),
        (("yolo_v8_xs_backbone", *configs[:2], *configs[-2:]), ["yolo_v8_xs_backbone", f"csp_darknet_tiny {TINY}"], 0),
    ]:
        found = warm.run("archdsl", "bench", *words, "--size", "64", "--rounds", "1", "--json", folder=tmp_path)
        results = json.loads(found.stdout)["results"]
        assert [each["config"] for each in results] == labels
        assert [each["ratio"]["median"] == 1 for each in results].index(True) == base


def test_the_peak_is_the_fastest_of_products_of_several_sizes_in_several_libraries(done: tuple[Path, Any]) -> None:
    _, found = done
    (products,) = found["products"].values()
    assert found["peak_flops"] == max(products.values())
    assert {name.partition(" (")[0] for name in products} == {"NumPy", "ONNX Runtime"}
    assert len(products) >= 8
    assert set(found["load"]) == {"before", "after", "cores"}
    assert found["settings"]["threads"] == 1


def test_the_chart_has_a_row_for_each_result(done: tuple[Path, Any]) -> None:
    folder, _ = done
    with Image.open(folder / "a.png") as picture:
        rows = [Contender(entry, "onnx", "float32") for entry in range(3)]
        height = chart.height_of([result(each) for each in rows])
        assert picture.format == "PNG"
        assert picture.size == (chart.WIDTH * chart.DOTS, pytest.approx(height * chart.DOTS, abs=1))
        assert len({picture.getpixel((x, y)) for x in range(0, 1350, 7) for y in range(0, picture.height, 7)}) > 3
    heights = [chart.height_of([result(each) for each in rows[:count]]) for count in (1, 2, 3)]
    assert all(one < other for one, other in pairwise(heights))


def test_the_table_has_times_ratio_and_share(run: Any, tmp_path: Path) -> None:
    found = run("bench", *SMALL)
    assert found.returncode == 0, found.stderr
    headers, row, *totals = found.stdout.splitlines()
    names = "network, runtime, min ms, median, p90, ratio, images/s, GFLOP/s, of peak, memory MiB, file MiB, differs"
    assert re.split("  +", headers) == names.split(", ")
    assert row.startswith(f"csp_darknet_tiny {TINY}  onnx") and "1.00 (1.00–1.00)" in row
    assert totals[0] == "images of 64 × 64, batch 1, 1 thread, 2 rounds in turns"
    assert totals[1].startswith("peak ") and "float32 matrices" in totals[1]
    assert f"measuring csp_darknet_tiny {TINY} in onnx" in found.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.keras
def test_openvino_and_keras_give_what_the_network_gives_and_bfloat16_rounds_it(run: Any) -> None:
    options = ("--runtime", "openvino,keras", "--precision", "float32,bfloat16", "--json")
    found = run("bench", *SMALL, *options)
    assert found.returncode == 0, found.stderr
    results = {(each["runtime"], each["precision"]): each for each in json.loads(found.stdout)["results"]}
    assert set(results) == {
        (runtime, precision) for runtime in ("openvino", "keras") for precision in ("float32", "bfloat16")
    }
    for (runtime, precision), each in results.items():
        assert each["difference"] < (1e-4 if precision == "float32" else 0.2), runtime
        assert (each["file_bytes"] is None) == (runtime == "keras")
    assert results["keras", "bfloat16"]["difference"] > 1e-3
    assert results["keras", "float32"]["peak_bytes"] > 2 * results["openvino", "float32"]["peak_bytes"]


def test_a_busy_machine_and_a_runtime_that_rounds_more_are_told() -> None:
    def warnings(load: float, **changes: Any) -> list[str]:
        found = result(Contender(0, "openvino", "float32"))._replace(**changes)
        return Benchmark((found,), Settings(threads=2), Limits({"float32": {"NumPy": 1e9}}), (load, 3.0), 4).warnings

    assert warnings(2.4, difference=1e-5) == warnings(0, difference=None) == []
    (busy,) = warnings(2.6, difference=1e-5)
    assert "the machine is busy: load 2.6 before the start, 4 cores, 2 threads" in busy
    (rounds,) = warnings(0, difference=4e-3)
    assert rounds == "net in openvino does not compute in float32: it differs by 4.0e-03"
    assert len(warnings(0, difference=float("nan"))) == 1
    assert warnings(0, difference=4e-3, contender=Contender(0, "openvino", "bfloat16")) == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (["csp_darknet_tiny", "--runtime", "onx"], "'onx'; expected one of: onnx, openvino"),
        (["csp_darknet_tiny", "--runtime", ""], "''; expected one of: onnx"),
        (["csp_darknet_tiny", "--precision", "bfloat16"], "onnx does not compute in bfloat16"),
        (["csp_darknet_tiny", "--device", "gpu", "--runtime", "jax,onnx"], "onnx runs on the processor only"),
        (["csp_darknet_tiny", "--device", "gpu", "--machine", "m.json"], "--machine is of the processor"),
        (["csp_darknet_tiny", "--device", "tpu"], "'tpu' is not one of 'cpu', 'gpu'"),
        (["csp_darknet_tiny", "--size", "any"], "error[bench]: the image has no size"),
        (["csp_darknet_tiny", "--batch", "0"], "0 is not in the range"),
        (["csp_darknet_tiny", "-o", "a.bmp"], "no picture ends in '.bmp'"),
        (["csp_darknet_tiny", "-o", "no/a.png"], "there is no folder 'no'"),
        (["csp_darknet_tiny", "--against", "none"], "error[unknown-preset]"),
        (["csp_darknet_tiny", "yolo_v8_xs_backbone", "scale.width=-1"], "scale.width: got the number -1"),
        (["scale.width=2", "csp_darknet_tiny"], "'scale.width=2' is an OVERRIDE; expected a CONFIG before it"),
    ],
)
def test_what_cannot_be_measured_is_told_before_anything_runs(
    run: Any, tmp_path: Path, call: list[str], message: str
) -> None:
    found = run("bench", *call)
    assert found.returncode == 2
    assert message in " ".join(found.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_names_its_extra(tmp_path: Path) -> None:
    program = """
import sys
class Absent:
    def find_spec(self, name, *rest):
        if name == "openvino":
            raise ModuleNotFoundError(name=name)
sys.meta_path.insert(0, Absent())
from archdsl.tools.cli import main
main(["bench", "csp_darknet_tiny", "--runtime", "openvino"])
"""
    found = subprocess.run([sys.executable, "-c", program], check=False, cwd=tmp_path, capture_output=True, text=True)
    assert found.returncode == 2
    assert "openvino is not installed" in found.stderr and "pip install 'archdsl[openvino]'" in found.stderr


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "net in onnx: NoSuchFile: "),
        ({"PYTHONHOME": "/nowhere"}, "net in onnx: its process ended with code 1"),
    ],
)
def test_a_process_that_fails_says_why(tmp_path: Path, environment: dict[str, str], message: str) -> None:
    job = Job("onnx", "", str(tmp_path / "none.onnx"), "", 1, 1, "float32")
    with (
        pytest.raises(archdsl.ArchError) as caught,
        Process("net in onnx", "network", job, {**REFERENCE.environment(1), **environment}, tmp_path / "log"),
    ):
        pass
    (problem,) = caught.value.problems
    assert problem.code == "bench" and problem.message.startswith(message)


def test_the_command_knows_every_runtime_and_precision() -> None:
    assert set(bench_command.RUNTIMES) == set(RUNTIMES)
    assert set(bench_command.PRECISIONS) == {each for runtime in RUNTIMES.values() for each in runtime.precisions}
    assert set(bench_command.DEVICES) == {each for runtime in RUNTIMES.values() for each in runtime.devices}
    for device, (default,) in bench_command.DEVICES.items():
        assert device in RUNTIMES[default].devices
    settings = Settings(("onnx", "openvino"), ("float32", "bfloat16"))
    assert planned(1, settings) == [
        Contender(0, "onnx", "float32"),
        Contender(0, "openvino", "float32"),
        Contender(0, "openvino", "bfloat16"),
    ]


def result(contender: Contender) -> Result:
    entry = Entry("net", network_of(load("csp_darknet_tiny", [TINY]).with_size(64, 64)))
    return Result(contender, entry, 1, Times(((1.0,),)), Ratio(1, 1, 1), 1 << 20, None, 0.0)


def paired(own: Any, base: Any) -> float:
    """The median of two ratios is their mean."""
    return sum(one / other for one, other in zip(own["rounds"], base["rounds"], strict=True)) / 2
