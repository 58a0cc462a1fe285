"""What runs an exported file. Each runtime's package is imported when it is to run something."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from archdsl.diagnostics.packages import is_installed, package

if TYPE_CHECKING:
    import numpy

    Array: TypeAlias = numpy.ndarray[Any, Any]

Runner: TypeAlias = "Callable[[Array], Mapping[str, Array]]"
"""Images (batch, …) of float32, in the layout of the file, to its results by name."""


def run_onnx(model: Path | bytes, threads: int = 0, is_optimized: bool = True) -> Runner:
    """ONNX Runtime on the processor; `threads` 0 for as many as it has cores."""
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


def run_openvino(model: Path, threads: int = 0, precision: str = "f32") -> Runner:
    """OpenVINO on the processor. By itself it computes in bf16 where the processor can, 4 to 18 % off."""
    openvino = package("openvino")
    hints: dict[str, Any] = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads}
    core = openvino.Core()
    read = core.read_model(str(model))
    names = [each.any_name for each in read.outputs]  # once compiled, a result may have other names beside its own
    compiled = core.compile_model(read, "CPU", hints)
    return lambda images: dict(zip(names, map(_copied, compiled([images]).values()), strict=True))


def _copied(result: Any) -> Any:
    """OpenVINO writes the next result into the same memory."""
    return result.copy()


def run_litert(model: Path, threads: int = 0) -> Runner:
    """LiteRT on the processor: its own package, or what TensorFlow has of it."""
    own = is_installed("ai_edge_litert.interpreter")
    module = package("ai_edge_litert.interpreter") if own else package("tensorflow").lite
    interpreter = module.Interpreter(model_path=str(model), num_threads=threads or os.cpu_count())
    names = interpreter.get_signature_list()["serving_default"]["inputs"]
    run = interpreter.get_signature_runner("serving_default")
    return lambda images: run(**{names[0]: images})


def run_saved_model(folder: Path) -> Runner:
    """TensorFlow's SavedModel."""
    tensorflow = package("tensorflow")
    loaded = tensorflow.saved_model.load(str(folder))  # kept, because it owns what the function needs
    (name,) = loaded.signatures["serving_default"].structured_input_signature[1]

    def run(images: Array) -> Mapping[str, Array]:
        results = loaded.signatures["serving_default"](**{name: tensorflow.constant(images)})
        return {key: value.numpy() for key, value in results.items()}

    return run
