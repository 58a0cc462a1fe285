"""Predicted memory of activations beside what ONNX Runtime and OpenVINO take, as one table:

python tests/benchmarks/memory.py [PRESET…] [--size 640]

Each network is written as ONNX and run in a process of its own, on one thread. Its memory is the peak of the process
while it runs the network for the first time, beyond what the process has with the session made and the image at hand.
ONNX Runtime goes without its arena and its memory patterns, which keep what was freed; OpenVINO, which plans its memory
ahead, is measured from before it makes the request. Both compute in float32, for a batch of one.

What a runtime takes beside activations is in it: kernels that are packed in the first run, maps in another layout, and
what is predicted to be fused and is not. ONNX Runtime computes SiLU and GELU in steps, with a value for each.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from archdsl.analysis.text import Table

PRESETS = """
yolo_v8_s_detect
yolo_11_n_detect
resnet50_classify
resnet18_v2
mobilenet_v2_classify
efficientnet_b0_classify
convnext_tiny_classify
vit_tiny_patch16_classify
densenet121_classify
csp_darknet_s
vgg16_classify
hrnet_w18_backbone
""".split()  # noqa: SIM905 (one to a line)
MIB = 2**20
TO_THE_SYSTEM = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
"""So that glibc gives back what is freed, as the peak is that of the process."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("presets", nargs="*", default=PRESETS, metavar="PRESET")
    parser.add_argument("--size", type=int, help="image size; by default the preset's own, 640 if it has none")
    arguments = parser.parse_args()
    rows = []
    for name in arguments.presets:
        rows.append(row(name, arguments.size))
        print(f"measured {name}", file=sys.stderr)
    headers = ("preset", "predicted", "ONNX Runtime", "ratio", "OpenVINO", "ratio")
    print("MiB of activations", *Table(headers, rows, headers[1:]).lines(), sep="\n")


def row(name: str, size: int | None) -> list[str]:
    config = config_at(name, size)
    predicted = prediction(config)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "net.onnx"
        write(config, file)
        taken = [in_own_process(runtime, file) for runtime in RUNTIMES]
    ratios = [text for bytes_ in taken for text in (f"{bytes_ / MIB:.1f}", f"{bytes_ / predicted:.2f}")]
    return [name, f"{predicted / MIB:.1f}", *ratios]


def config_at(name: str, size: int | None) -> Any:
    from archdsl.frontend.compose.config import load
    from archdsl.tools.cli.options import at_size

    return at_size(load(name), None if size is None else (size, size))


def prediction(config: Any) -> int:
    from archdsl.analysis.report import report
    from archdsl.frontend.lower import compile_graph

    found = report(compile_graph(config)).activation_memory
    assert found is not None  # the size is known
    return found


def write(config: Any, file: Path) -> None:
    """As `archdsl export` does: fused, but in the layout that runtimes compute in."""
    from archdsl.backends import onnx
    from archdsl.backends.form import Form
    from archdsl.ir.passes import run_passes
    from archdsl.weights.network import network_of

    network = network_of(config)
    graph, weights = run_passes(network.graph, network.weights)
    singles = {name: tuple([each.astype("float32") for each in arrays]) for name, arrays in (weights or {}).items()}
    onnx.write(onnx.model_of(graph, singles, Form("nchw", 1), {}), file)


def in_own_process(runtime: str, file: Path) -> int:
    command = [sys.executable, __file__, "--measure", runtime, str(file)]
    environment = {**os.environ, **TO_THE_SYSTEM}
    result = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)
    return int(json.loads(result.stdout.splitlines()[-1]))


def measure(runtime: str, file: str) -> None:
    run = RUNTIMES[runtime](file)
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    run()
    print(json.dumps(resident("VmHWM") - before))


def resident(key: str) -> int:
    """Bytes of this process in memory, now (VmRSS) or at most (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))


def onnx_runtime(file: str) -> Callable[[], object]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    image = random_image(given.shape)
    return lambda: session.run(None, {given.name: image})


def openvino(file: str) -> Callable[[], object]:
    import openvino

    exact = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
    compiled = openvino.Core().compile_model(file, "CPU", exact)
    image = random_image(list(compiled.input(0).shape))
    return lambda: compiled.create_infer_request().infer([image])


def random_image(shape: list[int]) -> Any:
    import numpy

    return numpy.random.default_rng(0).random(shape, dtype="float32")


RUNTIMES: dict[str, Callable[[str], Callable[[], object]]] = {"onnxruntime": onnx_runtime, "openvino": openvino}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(*sys.argv[2:4])
    else:
        main()
