"""archdsl bench --device gpu, and the frameworks that compute there. Here the processor stands in for the GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import reduce
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from support import samples

from archdsl.frontend.compose.config import load
from archdsl.tools.bench.contenders import RUNTIMES
from archdsl.tools.bench.frameworks import FRAMEWORKS, TensorFlow
from archdsl.tools.bench.gpu_peak import GpuPeak
from archdsl.tools.bench.limits import Limits
from archdsl.tools.bench.measuring import Ratio, Times
from archdsl.tools.bench.plan import Contender, Entry, Settings
from archdsl.tools.bench.results import Benchmark, Result
from archdsl.weights.network import network_of

pytestmark = [pytest.mark.keras, pytest.mark.slow]

NET = "stages: {p1: {width: 8, stride: 2, down: {block: conv_bn_act, kernel: 3}}}\n"
CALL = ("bench", "net.yaml", "--size", "32", "--threads", "1", "--rounds", "2", "--device", "gpu")
STAND_IN = """
import os
if os.environ.get("KERAS_BACKEND") == "jax":
    from archdsl.tools.bench import frameworks, gpu_peak
    frameworks.Jax.gpu = lambda self: "Stand-in"
    frameworks.Jax.gpu_peak_bytes = lambda self: 12 << 20
    gpu_peak.GpuPeak.__init__.__defaults__ = (32, 64), 1024
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.yaml").write_text(NET)
    return tmp_path


def bench(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    none = {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}  # a machine that has a GPU runs these tests too
    path = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, **none, "PYTHONPATH": path}
    call = [sys.executable, "-m", "archdsl", *CALL, *options]
    return subprocess.run(call, check=False, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("runtime", samples.sampled(["jax", "torch", "keras"], ["torch"]))
def test_a_gpu_that_is_not_there_is_told(folder: Path, runtime: str) -> None:
    found = bench(folder, "--runtime", runtime)
    name = FRAMEWORKS[runtime].name
    assert found.returncode == 2
    assert f"error[bench]: {name} finds no GPU" in found.stderr
    assert f"install {name} for the GPU of this machine, or leave out --device gpu" in found.stderr


def test_jax_is_what_runs_on_a_gpu_and_the_table_has_its_memory_and_its_limits(folder: Path) -> None:
    (folder / "sitecustomize.py").write_text(STAND_IN)
    done = bench(folder, "--precision", "float32,bfloat16", "--batch", "4", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    full, half = found["results"]
    assert found["gpu"] == "Stand-in" and found["settings"]["device"] == "gpu"
    assert {precision: len(own) for precision, own in found["products"].items()} == {"float32": 2, "bfloat16": 2}
    assert (full["runtime"], full["precision"], half["precision"]) == ("jax", "float32", "bfloat16")
    assert full["difference"] < 1e-5 < half["difference"] < 0.1
    for each in (full, half):
        assert each["peak_bytes"] == 12 << 20
        peak = max(found["products"][each["precision"]].values())
        assert each["share_of_peak"] == pytest.approx(each["flops"] / peak)
        assert each["share_of_roof"] > 0


def test_the_roof_is_the_longer_of_arithmetic_and_memory() -> None:
    """Of one 3×3 convolution with a bias, 3 channels to 8 at 16×16: by hand."""
    config = load({"stages": {"p1": {"width": 8, "stride": 2, "down": {"block": "conv", "kernel": 3}}}})
    entry = Entry("net", network_of(config.with_size(32, 32)))
    macs, maps, weights = 16 * 16 * 8 * 3 * 3 * 3, 32 * 32 * 3 + 16 * 16 * 8, 8 * 3 * 3 * 3 + 8

    def share(precision: str, flops: float, bandwidth: float | None) -> float | None:
        limits = Limits({precision: {"one": flops, "other": 1.0}}, bandwidth, "Stand-in")
        contender = Contender(0, "jax", precision)
        result = Result(contender, entry, 10, Times(((0.5, 2.0),)), Ratio(1, 1, 1), 1, None, None)
        return Benchmark((result,), Settings(device="gpu"), limits, (0, 0), 2).roof_share(result)

    assert share("float32", 1e6, 1e18) == pytest.approx(10 * macs / 0.5e6 / 0.5)
    assert share("float32", 1e18, 1e6) == pytest.approx(4 * (10 * maps + weights) / 1e6 / 0.5)
    assert share("bfloat16", 1e18, 1e6) == pytest.approx(2 * (10 * maps + weights) / 1e6 / 0.5)
    assert share("float32", 1e18, None) is None


def test_the_limits_are_the_best_of_all_runs() -> None:
    first = {"flops": {"float32": {"a": 1e9, "b": 4e9}, "bfloat16": {"a": 9e9}}, "bandwidth": 3e9, "gpu": "Stand-in"}
    then = {"flops": {"float32": {"a": 2e9, "b": 3e9}, "bfloat16": {"a": 8e9}}, "bandwidth": 5e9, "gpu": "Stand-in"}
    found = Limits().with_run(first).with_run(then)
    assert found.products == {"float32": {"a": 2e9, "b": 4e9}, "bfloat16": {"a": 9e9}}
    assert found.flops("bfloat16") == 9e9 and found.flops("float16") is None
    *_, bandwidth = lines = found.lines()
    assert lines[0] == "peak 4 GFLOP/s: the fastest product of float32 matrices, b"
    assert bandwidth == "bandwidth 5 GB/s: a map read, and written"


def test_a_gpu_multiplies_matrices_of_both_precisions_and_copies_a_map(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock by which every call takes two seconds."""
    ticks = iter(range(0, 1000, 2))
    monkeypatch.setattr("archdsl.tools.bench.gpu_peak.time.perf_counter", lambda: float(next(ticks)))
    peak = GpuPeak(TensorFlow(), sides=(8, 16), values=1000)
    assert peak.flops() == {
        precision: {f"tensorflow ({side}, {side}, {side})": side**3 for side in (8, 16)}
        for precision in ("float32", "bfloat16")
    }
    assert peak.bandwidth() == 4 * 1000
    product = peak.products["bfloat16", 16]()
    assert keras.backend.standardize_dtype(product.dtype) == "bfloat16" and product.shape == (16, 16)
    assert np.ptp(keras.ops.convert_to_numpy(keras.ops.cast(product, "float32"))) > 0  # of random numbers


def test_on_a_gpu_float32_is_not_tensorfloat32_and_the_choice_of_the_gpu_is_the_users() -> None:
    on_gpu, on_processor = [RUNTIMES["jax"].environment(2, device) for device in ("gpu", "cpu")]
    assert on_gpu["NVIDIA_TF32_OVERRIDE"] == "0" and on_gpu["JAX_DEFAULT_MATMUL_PRECISION"] == "highest"
    assert not {"CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS"} & set(on_gpu)
    assert on_processor["CUDA_VISIBLE_DEVICES"] == "" and on_processor["JAX_PLATFORMS"] == "cpu"


WAITS = {"keras": "test.experimental.sync_devices", "jax": "block_until_ready", "torch": "cuda.synchronize"}


@pytest.mark.parametrize("runtime", WAITS)
def test_every_call_waits_for_the_device(runtime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    framework, waited = FRAMEWORKS[runtime], []
    monkeypatch.setattr(type(framework), "gpu", lambda self: "Stand-in")
    *path, name = WAITS[runtime].split(".")
    owner = reduce(getattr, path, framework.module)
    monkeypatch.setattr(owner, name, lambda *results: (waited.append(name), *results)[-1])
    call = framework.call(lambda one: one, np.ones(3, "float32"))
    assert waited == []
    call(), call()
    assert waited == [name] * 2


@pytest.mark.parametrize("precision", samples.sampled(["float32", "bfloat16"], ["bfloat16"]))
def test_torch_compile_gives_what_the_network_gives(folder: Path, run: Any, precision: str) -> None:
    done = run("bench", *CALL[1:-2], "--runtime", "torch,torch_compile", "--precision", precision, "--json")
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    assert [each["runtime"] for each in results] == ["torch", "torch_compile"]
    least, most = (0, 1e-5) if precision == "float32" else (1e-5, 0.1)
    assert all(least <= each["difference"] < most for each in results)
