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
    """Write a .tflite file: its weights in half precision, or all of it in int8 but the images and the results."""
    tensorflow, module = _served(model)
    converter = tensorflow.lite.TFLiteConverter.from_concrete_functions([module.serve.get_concrete_function()], module)
    if form.precision == "float16":
        converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tensorflow.float16]
    if form.calibration:
        images = form.calibration.images
        converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image] for image in images)
    try:
        path.write_bytes(converter.convert())
    except (RuntimeError, ValueError) as error:  # what TensorFlow Lite cannot say
        reason = str(error).strip().partition("\n")[0]
        raise fail("export", f"LiteRT cannot hold this network: {reason[:200]}", hint="try a known --size") from None


def _served(model: keras.Model) -> tuple[Any, Any]:
    """TensorFlow, and a module of one function that runs the model, with its variables."""
    if keras.backend.backend() != "tensorflow":
        hint = "set KERAS_BACKEND=tensorflow"
        raise fail("export", f"this format needs TensorFlow; Keras runs on {keras.backend.backend()}", hint=hint)
    tensorflow = importlib.import_module("tensorflow")

    (begin,) = model.inputs
    module = tensorflow.Module()
    module.held = [variable.value for variable in model.variables]
    signature = [tensorflow.TensorSpec(begin.shape, tensorflow.float32, name=begin.name)]
    module.serve = tensorflow.function(lambda images: model(images, training=False), input_signature=signature)
    return tensorflow, module
