"""An ONNX model → one that computes in int8 (QDQ), by ONNX Runtime's quantiser. Weights have a scale per channel."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy
import onnx
from onnx import ModelProto, NodeProto, helper

from archdsl.backends.form import LAST, Calibration
from archdsl.diagnostics.packages import package
from archdsl.diagnostics.problems import fail
from archdsl.diagnostics.wording import did_you_mean

if TYPE_CHECKING:
    from archdsl.backends.form import Array

FIRST = "first"
_WITH_KERNEL = ("Conv", "Gemm", "MatMul")
_PASSING_ON = ("Add", "Concat", "MaxPool", "Mul", "Resize", "Sigmoid", "Split")
_SHAPED = ("Resize", "Split")  # whose constants say how, and are not computed with
_PREPARED = ("onnx.quant.pre_process", "onnxruntime.quant")  # without which the quantiser advises to prepare a model
_WARNINGS, _ERRORS = 2, 3  # of ONNX Runtime's log; the first is what it begins with
STYLES: Mapping[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "onnxruntime": ((*_WITH_KERNEL, *_PASSING_ON), {}),
    "openvino": (_WITH_KERNEL, {"OpTypesToExcludeOutputQuantization": [*_WITH_KERNEL]}),
}
"""What is quantised for a runtime, with the quantiser's options. ONNX Runtime has int8 kernels where inputs and results
are int8; OpenVINO joins an activation to the kernel before it, and int8 between the two only costs it time."""


def quantised(model: ModelProto, calibration: Calibration, style: str) -> ModelProto:
    """The model in int8, with the ranges that the calibration's images have. `model` is not usable afterwards.

    What comes after the last kernels, a detector's boxes among it, stays in float32. Raises ArchError for a layer to
    keep that is not there, and where onnxruntime is not installed.
    """
    quantiser = package("onnxruntime.quantization")
    types, options = STYLES[style]
    nodes = _to_quantise(model, types, calibration.keep)
    header, name = {each.key: each.value for each in model.metadata_props}, model.graph.input[0].name
    helper.set_model_props(model, dict([_PREPARED]))
    with TemporaryDirectory(prefix="archdsl-") as folder, _silent():
        path = Path(folder) / "quantised.onnx"
        quantiser.quantize_static(
            model,
            path,
            _reader(quantiser, name, calibration.images),
            per_channel=True,
            activation_type=quantiser.QuantType.QUInt8,
            weight_type=quantiser.QuantType.QInt8,
            op_types_to_quantize=list(types),
            nodes_to_quantize=nodes,
            use_external_data_format=model.ByteSize() > onnx.checker.MAXIMUM_PROTOBUF,
            extra_options={"WeightSymmetric": True, "MatMulConstBOnly": True, **options},
        )
        found = onnx.load(path)
    helper.set_model_props(found, header)
    found.producer_name = "archdsl"
    return found


def _reader(quantiser: Any, name: str, images: Iterable[Array]) -> Any:
    class Reader(quantiser.CalibrationDataReader):  # type: ignore[misc]
        left = iter(images)

        def get_next(self) -> dict[str, Array] | None:
            image = next(self.left, None)
            return None if image is None else {name: image}

    return Reader()


@contextmanager
def _silent() -> Iterator[None]:
    """The quantiser prints, ONNX Runtime warns past Python, and Python's root logger gets a handler if it has none."""
    root, before, handler = logging.getLogger(), logging.root.manager.disable, logging.NullHandler()
    root.addHandler(handler)
    logging.disable(logging.ERROR)
    package("onnxruntime").set_default_logger_severity(_ERRORS)
    try:
        with redirect_stdout(io.StringIO()), numpy.errstate(all="ignore"):  # a value that is always 0 has no range
            yield
    finally:
        package("onnxruntime").set_default_logger_severity(_WARNINGS)
        logging.disable(before)
        root.removeHandler(handler)


def _to_quantise(model: ModelProto, types: tuple[str, ...], keep: tuple[str, ...]) -> list[str]:
    """Names of the nodes to quantise. Raises ArchError when none is left."""
    nodes, constants = [*model.graph.node], {each.name for each in model.graph.initializer}
    kernels = [node for node in nodes if node.op_type in _WITH_KERNEL and node.input[1].endswith("/kernel")]
    before, behind = _before(kernels, nodes), _behind(kernels, nodes)
    ends = {
        FIRST: [node.name for node in kernels if node.name not in behind],
        LAST: [node.name for node in kernels if node.name not in before],
    }
    kept = {name for each in map(str.lower, keep) for name in (ends[each] if each in ends else _named(each, nodes))}
    between = [
        node
        for node in nodes
        if node.op_type in _PASSING_ON and node.op_type in types and node.name in before - kept
        if not constants & set(node.input) or node.op_type in _SHAPED
    ]
    found = [node for node in kernels if node.name not in kept]
    if not found:
        raise fail("export", "nothing is left to compute in int8", hint="keep fewer layers in float32")
    return [node.name for node in (*found, *between)]


def _before(kernels: list[NodeProto], nodes: list[NodeProto]) -> set[str]:
    """Names of the nodes whose results lead to a kernel."""
    needed, found = {name for node in kernels for name in node.input}, set()
    for node in reversed(nodes):
        if needed & set(node.output):
            found.add(node.name)
            needed.update(node.input)
    return found


def _behind(kernels: list[NodeProto], nodes: list[NodeProto]) -> set[str]:
    """Names of the nodes that a kernel's result leads to."""
    given, found = {name for node in kernels for name in node.output}, set()
    for node in nodes:
        if given & set(node.input):
            found.add(node.name)
            given.update(node.output)
    return found


def _named(layer: str, nodes: list[NodeProto]) -> list[str]:
    """Names of the nodes of a layer, and of those whose names begin with its. Raises ArchError for none."""
    begin = layer.removeprefix("stages.").replace(".", "_")
    found = [node.name for node in nodes if f"{node.name.partition('/')[0]}_".startswith(f"{begin}_")]
    if not found:
        layers = {part for node in nodes for part in _beginnings(node.name.partition("/")[0])}
        raise fail("export", f"no layer '{layer}' to keep in float32", hint=did_you_mean(begin, [*layers, FIRST, LAST]))
    return found


def _beginnings(name: str) -> list[str]:
    """stem, stem_conv, … of stem_conv_act."""
    parts = name.split("_")
    return ["_".join(parts[:count]) for count in range(1, len(parts) + 1)]
