"""A graph with its arrays → TensorFlow's files for deployment: SavedModel and LiteRT. Imports Keras."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from archdsl.backends.form import Form
from archdsl.backends.keras.arrays import fill
from archdsl.backends.keras.emit import emit
from archdsl.diagnostics.problems import fail
from archdsl.ir.graph import Graph
from archdsl.ir.types import FeatureMap

if TYPE_CHECKING:
    from archdsl.ir.passes.rewrite import Weights

_KERNELS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")
_FIRST, _LAST = (3, 1, 2), (2, 3, 1)  # channels first of channels last, and back


def keras_model(graph: Graph, weights: Weights, form: Form) -> keras.Model:
    """A plain Keras model that gives the graph's outputs as a dict; with layout nchw, of images and maps of that."""
    if form.layout == "nchw":
        height, image_width, channels = graph.image.shape
        begin = keras.Input((channels, height, image_width), batch_size=form.batch, name=graph.input.name)
        first = keras.layers.Permute(_LAST)(begin)
    else:
        begin = first = keras.Input(graph.image.shape, batch_size=form.batch, name=graph.input.name)
    tensors = emit(graph, fresh=False)
    body = keras.Model(tensors[graph.input.name], {name: tensors[node.name] for name, node in graph.outputs.items()})
    for layer in body.layers:
        if layer.weights:
            fill(layer, weights[layer.name])
    found = body(first)
    is_moved = {
        name: form.layout == "nchw" and isinstance(node.type, FeatureMap) for name, node in graph.outputs.items()
    }
    results = {name: keras.layers.Permute(_FIRST)(each) if is_moved[name] else each for name, each in found.items()}
    return keras.Model(begin, results, name=graph.name)


def save_model(model: keras.Model, folder: Path) -> None:
    """Write a SavedModel. Keras's own `export` writes every weight twice, once for each way to find it."""
    tensorflow, module = _served(model)
    tensorflow.saved_model.save(module, str(folder), signatures={"serving_default": module.serve})


def save_litert(model: keras.Model, path: Path, form: Form) -> None:
    """Write a .tflite file: its weights in half precision, or in int8 all that leads to a kernel or is one."""
    tensorflow, module = _served(model)
    try:
        path.write_bytes(_converted(tensorflow, module, form))
    except Exception as error:  # what TensorFlow Lite cannot say: its errors have no class in common
        reason = str(error).strip().partition("\n")[0]
        raise fail("export", f"LiteRT cannot hold this network: {reason[:200]}", hint="try a known --size") from None


def _converter(tensorflow: Any, module: Any) -> Any:
    """What converts once."""
    return tensorflow.lite.TFLiteConverter.from_concrete_functions([module.serve.get_concrete_function()], module)


def _converted(tensorflow: Any, module: Any, form: Form) -> bytes:
    converter = _converter(tensorflow, module)
    if form.precision == "float16":
        converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tensorflow.float16]
    if form.calibration is None:
        return bytes(converter.convert())
    images = form.calibration.images
    behind = _behind_the_last_kernels(tensorflow, _converter(tensorflow, module).convert())
    converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image] for image in images)
    if not behind:
        return bytes(converter.convert())
    lite = tensorflow.lite.experimental
    options = lite.QuantizationDebugOptions(denylisted_nodes=behind)
    quantiser = lite.QuantizationDebugger(
        converter=converter, debug_dataset=converter.representative_dataset, debug_options=options
    )
    return bytes(quantiser.get_nondebug_quantized_model())


def _behind_the_last_kernels(tensorflow: Any, content: bytes) -> list[str]:
    """Names of what follows the last kernels, a detector's boxes and scores: 256 steps are too few for a place."""
    plain = tensorflow.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = tensorflow.lite.Interpreter(model_content=content, experimental_op_resolver_type=plain)
    names = {each["index"]: each["name"] for each in interpreter.get_tensor_details()}
    needed: set[int] = set()
    found = []
    for operation in reversed(interpreter._get_ops_details()):  # TensorFlow has no other list of them
        results = {*operation["outputs"].tolist()}
        if operation["op_name"] in _KERNELS or needed & results:
            needed.update(operation["inputs"].tolist())
        else:
            found.extend([names[each] for each in results])
    return found


def _served(model: keras.Model) -> tuple[Any, Any]:
    """TensorFlow, and a module of one function that runs the model, with its variables."""
    tensorflow = importlib.import_module("tensorflow")

    (begin,) = model.inputs
    module = tensorflow.Module()
    module.held = [variable.value for variable in model.variables]
    signature = [tensorflow.TensorSpec(begin.shape, tensorflow.float32, name=begin.name)]
    module.serve = tensorflow.function(lambda images: model(images, training=False), input_signature=signature)
    return tensorflow, module
