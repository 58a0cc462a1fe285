"""A graph with its arrays → TensorFlow's files for deployment: SavedModel and LiteRT. Imports Keras."""

from __future__ import annotations

import importlib
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import keras

from archdsl.backends.form import Form
from archdsl.backends.kept import Operator, kept, leading
from archdsl.backends.keras.arrays import fill
from archdsl.backends.keras.emit import emit
from archdsl.diagnostics.problems import ArchError, fail
from archdsl.diagnostics.wording import first_line
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


def save_model(model: keras.Model, folder: Path, *, with_gradients: bool = True) -> None:
    """Write a SavedModel. Keras's own `export` writes every weight twice, once for each way to find it.

    Raises ArchError for what it cannot hold, and OSError: TensorFlow has its own for a full disk.
    """
    tensorflow = importlib.import_module("tensorflow")
    (begin,) = model.inputs
    signature = [tensorflow.TensorSpec(begin.shape, tensorflow.float32, name=begin.name)]
    module = tensorflow.Module()
    module.held = [variable.value for variable in model.variables]
    module.serve = tensorflow.function(lambda images: model(images, training=False), input_signature=signature)
    options = tensorflow.saved_model.SaveOptions(experimental_custom_gradients=with_gradients)
    with _holding("TensorFlow"):
        try:
            tensorflow.saved_model.save(module, str(folder), {"serving_default": module.serve}, options)
        except tensorflow.errors.OpError as error:
            raise OSError(error.message.rpartition("; ")[2].partition(" [Op:")[0]) from None


def save_litert(model: keras.Model, graph: Graph, path: Path, form: Form) -> None:
    """Write a .tflite file: its weights in half precision, or in int8 all that leads to a kernel or is one.

    By way of a SavedModel, which TensorFlow would otherwise write itself, with gradients that take most of the time.
    """
    with TemporaryDirectory() as folder:
        save_model(model, Path(folder), with_gradients=False)
        with _holding("LiteRT", {node.name for node in graph.nodes}):
            content = _converted(folder, graph, form)
    path.write_bytes(content)


@contextmanager
def _holding(runtime: str, layers: Collection[str] = ()) -> Iterator[None]:
    """Raises ArchError for what TensorFlow cannot say in a file: with the first of `layers` that it names."""
    try:
        yield
    except (ArchError, OSError):  # of a photo, of a layer to keep; no room on the disk
        raise
    except Exception as error:  # these have no class in common
        told = next((line for line in str(error).splitlines() if "rror: " in line), first_line(error)).strip()
        layer = next(_layers_in(told, layers), "")
        reason = f"{layer}: " * bool(layer) + told.rpartition("): ")[2][:200]
        message = f"{runtime} cannot hold this network: {reason}"
        raise fail("export", message, hint="try a known --size") from None


def _converted(folder: str, graph: Graph, form: Form) -> bytes:
    tensorflow = importlib.import_module("tensorflow")
    lite = tensorflow.lite
    converter = lite.TFLiteConverter.from_saved_model(folder)
    if form.precision != "float32":
        converter.optimizations = [lite.Optimize.DEFAULT]
    if form.precision == "float16":
        converter.target_spec.supported_types = [tensorflow.float16]
    if form.calibration is None:
        return bytes(converter.convert())
    images = form.calibration.images
    converter.representative_dataset = lambda: ([image] for image in images)
    quantiser = lite.experimental.QuantizationDebugger(
        converter=converter, debug_dataset=converter.representative_dataset
    )
    in_float = _in_float32(operators_of(quantiser.calibrated_model, graph), form.calibration.keep)
    quantiser.options = lite.experimental.QuantizationDebugOptions(denylisted_nodes=in_float)
    return bytes(quantiser.get_nondebug_quantized_model())


def _in_float32(operators: list[Operator], keep: Iterable[str]) -> list[str]:
    """Names of the results of what is kept, and of what follows the last kernels, a detector's boxes and scores.

    256 steps are too few for a place.
    """
    names, inside = kept(operators, keep), leading(operators)
    behind = [each for each in operators if not each.has_kernel and each.name not in inside]
    return [str(name) for each in operators if each.name in names or each in behind for name in each.results]


def operators_of(content: bytes, graph: Graph) -> list[Operator]:
    """The operators of a .tflite file, with the layers of the graph whose names they have.

    One that has no name of a layer belongs to what is before it, such as a product within an attention.
    """
    lite = importlib.import_module("tensorflow").lite
    plain = lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = lite.Interpreter(model_content=content, experimental_op_resolver_type=plain)
    names = {each["index"]: each["name"] for each in interpreter.get_tensor_details()}
    users: dict[str, list[str]] = {}
    for node in graph.nodes:
        users.setdefault((node.owner or node).name, []).append(node.name)
    found: list[Operator] = []
    makers: dict[str, Operator] = {}
    for each in interpreter._get_ops_details():  # TensorFlow has no other list of them
        inputs, results = [
            [names[index] for index in each[key].tolist() if index >= 0] for key in ("inputs", "outputs")
        ]
        owners = [owner for result in results for owner in _layers_in(result, users)]
        layers = {name for owner in owners for name in users[owner]}
        if not layers:
            layers = {layer for name in inputs if name in makers for layer in makers[name].layers}
        found.append(Operator(results[0], layers, inputs, results, each["op_name"] in _KERNELS))
        makers.update(dict.fromkeys(results, found[-1]))
    return found


def _layers_in(result: str, known: Collection[str]) -> Iterator[str]:
    """The layers in net_1/functional_1/stem_act_1/Relu;net_1/functional_1/stem_conv_1/…, whose calls Keras counts."""
    for path in result.split(";"):
        parts = [name for part in path.split("/") for name in (re.sub(r"_\d+$", "", part), part)]
        yield from [name for name in parts if name in known][:1]
