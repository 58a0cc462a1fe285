"""Graph and arrays → an ONNX file, without Keras. One writer for each operation, in the table of its file.

Operations of opset 17, which runtimes of 2022 and later know. Imported when a file is written; needs the package onnx.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import TensorProto, helper
from onnx.external_data_helper import set_external_data

from archdsl.backends.form import Floats, Form
from archdsl.backends.onnx import convolutions, detection, pointwise, shapes
from archdsl.backends.onnx.emission import TO_BODY, TO_HEAD, Emission
from archdsl.backends.onnx.padding import join_padding
from archdsl.diagnostics.problems import ArchError, problem
from archdsl.ir import ops
from archdsl.ir.graph import Graph
from archdsl.ir.node import Node, Op
from archdsl.ir.types import FeatureMap, TensorType, Tokens

if TYPE_CHECKING:
    from archdsl.ir.passes.rewrite import Weights

OPSET, IR_VERSION = 17, 8
_SMALL = 1024  # bytes of an array that stays in the file
LARGEST = 2**31 - 2**20  # bytes of one file, a limit of Protocol Buffers

WRITERS: Mapping[type[Op], Callable[..., Any]] = {
    **convolutions.WRITERS,
    **pointwise.WRITERS,
    **shapes.WRITERS,
    **detection.WRITERS,
}
"""`(emission, node, arrays, *inputs) -> result` for every operation but the input; a list of results for Split."""


def model_of(graph: Graph, weights: Weights, form: Form, metadata: Mapping[str, str] | None = None) -> Any:
    """The graph as a ModelProto. Images and results are float32; results are the graph's outputs.

    What int8 and the suppression of boxes make of it is done to the whole: see `quantised` and `suppress`.
    Raises ArchError that names every layer that has no form in ONNX.
    """
    _check(graph)
    opsets = [helper.make_opsetid("", OPSET)]
    empty = helper.make_graph([], graph.name, [described(graph.input.name, graph.image, form)], [])
    model = helper.make_model(empty, producer_name="archdsl", ir_version=IR_VERSION, opset_imports=opsets)
    helper.set_model_props(model, dict(metadata or {}))
    to = Emission(model.graph, "float16" if form.precision == "float16" else "float32")
    values: dict[Node, Any] = {graph.input: _image(to, graph, form)}
    for node in graph.nodes[1:]:
        inputs = _begin(to, node, [values[source] for source in node.inputs])
        arrays = weights.get((node.owner or node).name, ())
        values[node] = WRITERS[type(node.op)](to, node, arrays, *inputs)
    for name, node in graph.outputs.items():
        write_result(to, name, values[node], node.type, form)
        model.graph.output.append(described(name, node.type, form))
    join_padding(model)
    return model


def write(model: Any, path: Path) -> None:
    """Write a ModelProto; one of over 2 GiB keeps its arrays in a second file, FILE.data. Raises OSError."""
    if model.ByteSize() < LARGEST:
        path.write_bytes(model.SerializeToString())
        return
    for array in model.graph.initializer:
        if len(array.raw_data) > _SMALL:
            set_external_data(array, f"{path.name}.data")
    onnx.save_model(model, path)
    onnx.load_external_data_for_model(model, str(path.parent))  # writing took the arrays out of it


def second_file(path: Path) -> Path | None:
    """FILE.data beside an ONNX file, if that keeps its arrays there; whatever else has the name is another's."""
    data = path.with_name(f"{path.name}.data")
    if not (path.is_file() and data.is_file()) or path.stat().st_size > LARGEST:
        return None
    try:
        arrays = onnx.load(path, load_external_data=False).graph.initializer
    except (OSError, DecodeError):
        return None
    named = {entry.value for array in arrays for entry in array.external_data if entry.key == "location"}
    return data if data.name in named else None


def _check(graph: Graph) -> None:
    unknown = [node for node in graph.nodes[1:] if type(node.op) not in WRITERS]
    if unknown:
        raise ArchError([problem("export", f"{node.name}: {node.op} has no form in ONNX") for node in unknown])


def _image(to: Emission, graph: Graph, form: Form) -> str:
    to.enter(graph.input, "float32")
    name = graph.input.name
    return to.transpose(name, *TO_BODY) if form.layout == "nhwc" else to("Identity", name)


_IN_FLOAT32 = {*detection.WRITERS, ops.L2Normalize}
"""Operations whose numbers half precision does not have: places in the image, squares of what is small."""


def _begin(to: Emission, node: Node, inputs: list[Any]) -> list[Any]:
    """The inputs in the precision to compute in: float32 for some operations, and what is made of their results."""
    is_exact = type(node.op) in _IN_FLOAT32 or (not node.weights and any(map(to.is_exact, inputs)))
    dtype: Floats = "float32" if is_exact else to.precision
    to.enter(node, dtype)
    inputs = [to.in_precision(each, dtype) for each in inputs]
    to.dtype = dtype
    return inputs


def write_result(to: Emission, name: str, value: str, kind: TensorType, form: Form) -> None:
    value = to.in_precision(value, "float32")
    if form.layout == "nhwc" and isinstance(kind, FeatureMap):
        to.finish("Transpose", value, name, perm=TO_HEAD)
    else:
        to.finish("Identity", value, name)


def described(name: str, kind: TensorType, form: Form) -> Any:
    """Name, type and shape of an input or output; sides that are not known have names, of places in the image too."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [form.batch or "batch", *_sides(name, kind, form)])


def _sides(name: str, kind: TensorType, form: Form) -> Iterator[int | str]:
    if isinstance(kind, FeatureMap):
        scale = "" if kind.stride == 1 else f"_{name}"
        height, width = kind.height or f"height{scale}", kind.image_width or f"width{scale}"
        yield from (height, width, kind.channels) if form.layout == "nhwc" else (kind.channels, height, width)
    elif isinstance(kind, Tokens):
        yield from (kind.length or "places", kind.channels)
    else:
        yield kind.channels
