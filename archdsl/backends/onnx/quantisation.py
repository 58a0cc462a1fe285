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

from archdsl.backends.form import Calibration
from archdsl.backends.kept import Operator, kept, leading
from archdsl.diagnostics.packages import package

if TYPE_CHECKING:
    from archdsl.backends.form import Array

_WITH_KERNEL = ("Conv", "ConvTranspose", "Gemm", "MatMul")
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
    operators = [_operator(node) for node in model.graph.node]
    in_float, before = kept(operators, keep), leading(operators)
    constants = {each.name for each in model.graph.initializer}
    between = [
        node.name
        for node in model.graph.node
        if node.op_type in _PASSING_ON and node.op_type in types and node.name in before - in_float
        if not constants & set(node.input) or node.op_type in _SHAPED
    ]
    return [*[each.name for each in operators if each.has_kernel and each.name not in in_float], *between]


def _operator(node: NodeProto) -> Operator:
    has_kernel = node.op_type in _WITH_KERNEL and node.input[1].endswith("/kernel")
    return Operator(node.name, [node.name.partition("/")[0]], node.input, node.output, has_kernel)
