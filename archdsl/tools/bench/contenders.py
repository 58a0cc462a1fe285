"""The runtimes that a network is measured in: the packages of each, and how it is made to run."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from archdsl.analysis.trial_images import random_images
from archdsl.backends.form import Calibration, Form, FormatName
from archdsl.backends.runtimes import run_litert, run_onnx, run_openvino
from archdsl.blocks.plugins import load_plugins
from archdsl.diagnostics.packages import require
from archdsl.frontend.budget import UNLIMITED
from archdsl.frontend.compose.config import load
from archdsl.frontend.lower import compile_graph
from archdsl.models.export import fused
from archdsl.models.export.formats import FORMATS
from archdsl.tools.bench.job import Call, Job

if TYPE_CHECKING:
    from archdsl.backends.runtimes import Array, Runner
    from archdsl.weights.network import Network

_HINTS = {
    "float32": "f32",
    "float16": "f32",
    "bfloat16": "bf16",
    "int8": "f32",
}  # OpenVINO's; for f16 it may compute in bf16

_DEVICES = {
    "cpu": {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"},
    "gpu": {
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",  # several processes share it
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "NVIDIA_TF32_OVERRIDE": "0",  # float32, and not 10 bits of it
        "JAX_DEFAULT_MATMUL_PRECISION": "highest",
    },
}


class Runtime(NamedTuple):
    """`start` makes the call of a job. `format` is that of the file that runs, on the processor.

    A Keras model has no file, and runs on `backend` on the processor or a GPU.
    """

    packages: tuple[str, ...]
    precisions: tuple[str, ...]
    start: Callable[[Job], Call]
    format: FormatName | None = None
    backend: str = "tensorflow"

    @property
    def devices(self) -> tuple[str, ...]:
        """What it can compute on."""
        return ("cpu",) if self.format else ("cpu", "gpu")

    def require(self) -> None:
        """Raise ArchError for a package that is not installed; none is imported."""
        require(*self.packages)

    def environment(self, threads: int, device: str = "cpu") -> dict[str, str]:
        """For its process, before anything is imported."""
        flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen={str(threads > 1).lower()}"
        counts = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC"), str(threads))
        counts |= {"TF_NUM_INTRAOP_THREADS": str(threads), "TF_NUM_INTEROP_THREADS": "1"}
        return {**counts, **_DEVICES[device], "KERAS_BACKEND": self.backend, "XLA_FLAGS": flags.strip()}


def _network(job: Job) -> Network:
    from archdsl.weights.network import network_of  # imports NumPy, which bench may not find

    load_plugins(job.plugins)
    return network_of(load(job.network, (), UNLIMITED), budget=UNLIMITED)


def _images(job: Job) -> Array:
    """Of the config alone: the arrays of its weights would count as memory of a runtime that reads its own file."""
    load_plugins(job.plugins)
    graph = compile_graph(load(job.network, (), UNLIMITED), UNLIMITED)
    height, image_width, _ = graph.image.shape
    if height is None or image_width is None:
        raise ValueError("an image of unknown size")  # a job has one
    return random_images(graph, job.batch, (height, image_width)).astype("float32")


def _form(job: Job) -> Form:
    """That of the file: OpenVINO makes bfloat16 of a file of float32 itself, and int8 is as fast with any ranges."""
    if job.precision == "int8":
        return Form(batch=job.batch, precision="int8", calibration=Calibration((_images(job),)))
    return Form(batch=job.batch, precision="float16" if job.precision == "float16" else "float32")


def write(job: Job) -> None:
    """Write the file of a job."""
    network = _network(job)
    form, format = _form(job), RUNTIMES[job.runtime].format
    if format is None:
        raise ValueError(f"{job.runtime} runs no file")  # no such job is made
    chosen = FORMATS[format]
    chosen.require(form)
    chosen.write(chosen.make(fused(network, form), form), form, Path(job.file))


def _of_file(run: Callable[[Job], Runner], job: Job) -> Call:
    runner, images = run(job), _images(job)
    return Call(lambda: runner(images))


def _unfused(job: Job) -> Call:
    """The network as it is, which no pass and no optimizer has changed: what all others are compared with."""
    network = _network(job)
    runner, images = FORMATS["onnx"].expected(network, Form(batch=job.batch)), _images(job)
    return Call(lambda: runner(images))


def _of_model(job: Job) -> Call:
    from archdsl.tools.bench.frameworks import model_call

    form = _form(job)
    return model_call(fused(_network(job), form), form, _images(job), job)


_OF_MODELS = ("float32", "bfloat16")
RUNTIMES: dict[str, Runtime] = {
    "onnx": Runtime(
        ("onnxruntime", "onnx"),
        ("float32", "float16", "int8"),
        partial(_of_file, lambda job: run_onnx(Path(job.file), job.threads)),
        "onnx",
    ),
    "openvino": Runtime(
        ("openvino", "onnx"),
        ("float32", "float16", "bfloat16", "int8"),
        partial(_of_file, lambda job: run_openvino(Path(job.file), job.threads, _HINTS[job.precision])),
        "openvino",
    ),
    "litert": Runtime(
        ("tensorflow",),
        ("float32", "float16", "int8"),
        partial(_of_file, lambda job: run_litert(Path(job.file), job.threads)),
        "litert",
    ),
    "keras": Runtime(("tensorflow",), _OF_MODELS, _of_model),
    "xla": Runtime(("tensorflow",), _OF_MODELS, _of_model),
    "jax": Runtime(("jax",), _OF_MODELS, _of_model, backend="jax"),
    "torch": Runtime(("torch",), _OF_MODELS, _of_model, backend="torch"),
    "torch_compile": Runtime(("torch",), _OF_MODELS, _of_model, backend="torch"),
}
REFERENCE = Runtime(("onnxruntime", "onnx"), ("float32",), _unfused)
