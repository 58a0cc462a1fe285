"""What runs an exported file. One module a runtime; each imports its package when it is asked to run something."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from archdsl.diagnostics.problems import fail

if TYPE_CHECKING:
    import numpy

    Array: TypeAlias = numpy.ndarray[Any, Any]

Runner: TypeAlias = "Callable[[Array], Mapping[str, Array]]"
"""Images (batch, …) of float32, in the layout of the file, to its results by name."""

EXTRAS = {"onnx": "onnx", "onnxruntime": "onnxruntime", "openvino": "openvino", "tensorflow": "tensorflow"}
"""The extra of archdsl that installs a package."""


def package(name: str) -> Any:
    """The module. Raises ArchError with the extra that installs it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        message, hint = f"{name} is not installed", f"pip install 'archdsl[{EXTRAS[name]}]'"
        raise fail("missing-package", message, hint=hint) from None


def is_installed(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def run_onnx(model: Path | bytes, threads: int = 0, is_optimized: bool = True) -> Runner:
    """ONNX Runtime on the processor; `threads` 0 for all."""
    runtime = package("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    if not is_optimized:
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    source = model if isinstance(model, bytes) else str(model)
    session = runtime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    name, results = session.get_inputs()[0].name, [each.name for each in session.get_outputs()]
    return lambda images: dict(zip(results, session.run(results, {name: images}), strict=True))


def run_reference(model: Path | bytes) -> Runner:
    """ONNX's own evaluator, in NumPy: slow, and there wherever onnx is."""
    evaluator = package("onnx.reference").ReferenceEvaluator(model if isinstance(model, bytes) else str(model))
    (name,), results = evaluator.input_names, evaluator.output_names
    return lambda images: dict(zip(results, evaluator.run(None, {name: images}), strict=True))
