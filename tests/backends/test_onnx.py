"""ONNX files give what the Keras layers give, whatever the operation, the size and the layout."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from support.applied import APPLIED, IMAGE
from support.keras_weights import perturbed
from support.samples import sampled

import archdsl
from archdsl.backends import onnx as backend
from archdsl.backends.form import Form
from archdsl.backends.keras.arrays import fill
from archdsl.backends.onnx.emission import TO_BODY, Emission
from archdsl.frontend.compose.config import load
from archdsl.ir import ops
from archdsl.ir.emission import EmitContext
from archdsl.ir.graph import Graph
from archdsl.ir.node import Node, Op, ShapeError
from archdsl.ir.types import FeatureMap, TensorType
from archdsl.weights.fresh import fresh_weights
from archdsl.weights.network import network_of

RANDOM = np.random.default_rng(0)
NOT_VARYING: Any = (ops.Normalize((0,) * 4, (1, 0, 4, 9)), (IMAGE,))  # whose results float16 does not have
BIGGEST = 1e9  # minus infinity, where an operation pads with it


def test_every_operation_has_a_writer() -> None:
    assert {*backend.WRITERS} == {*{type(op) for op, _ in APPLIED}, ops.Split, ops.Part}


def file_of(op: Op, types: tuple[TensorType, ...], arrays: list[Any]) -> bytes:
    """A model of one operation, whose inputs are as Keras has them."""
    inputs = [Node(ops.Input(each), (), each, f"input{index}") for index, each in enumerate(types)]  # type: ignore[arg-type]
    node = op(*inputs, name="node")
    described = [described_input(each) for each in inputs]
    model = helper.make_model(
        helper.make_graph([], "one", described, [backend.described("result", node.type, Form())]),
        ir_version=backend.IR_VERSION,
        opset_imports=[helper.make_opsetid("", backend.OPSET)],
    )
    to = Emission(model.graph)
    to.enter(node, "float32")
    given = [to.transpose(each.name, *TO_BODY) if isinstance(each.type, FeatureMap) else each.name for each in inputs]
    result = backend.WRITERS[type(op)](to, node, arrays, *given)
    backend.write_result(to, "result", result, node.type, Form())
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()  # type: ignore[no-any-return]


def described_input(node: Node) -> Any:
    sides = [side or f"{node.name}_{axis}" for axis, side in enumerate(node.type.shape)]
    return helper.make_tensor_value_info(node.name, TensorProto.FLOAT, ["batch", *sides])


@pytest.mark.parametrize("is_open", [False, True], ids=["known sides", "open sides"])
@pytest.mark.parametrize(("op", "types"), [*APPLIED, NOT_VARYING], ids=str)
def test_an_operation_gives_what_its_keras_layer_gives(op: Op, types: tuple[TensorType, ...], is_open: bool) -> None:
    images = [RANDOM.normal(0, 4, (3, *each.shape)).astype("float32") for each in types]
    for image in images:
        image[2] = 0  # of which an operation may divide by the length
    begin = [keras.Input(each.shape) for each in types]
    model = keras.Model(begin, op.emit(EmitContext(keras), "node", *begin))
    arrays = [RANDOM.uniform(0.5, 2, array.shape).astype("float32") for array in model.get_weights()]
    for layer in model.layers:
        if layer.weights:
            fill(layer, arrays)
    stated = [open_sides(each) if is_open else each for each in types]
    try:
        session = onnxruntime.InferenceSession(file_of(op, tuple(stated), arrays))
    except ShapeError:
        assert is_open  # it needs to know the size, and says so when the config is read
        return
    (received,) = session.run(None, {f"input{index}": image for index, image in enumerate(images)})
    expected = np.asarray(model(images))
    assert received.shape == expected.shape
    assert np.allclose(finite(received), finite(expected), rtol=1e-5, atol=2e-5)


def open_sides(kind: TensorType) -> TensorType:
    return kind._replace(height=None, image_width=None) if isinstance(kind, FeatureMap) else kind


def finite(array: Any) -> Any:
    return np.nan_to_num(array, posinf=BIGGEST, neginf=-BIGGEST)


@pytest.mark.parametrize(("op", "types"), APPLIED, ids=str)
def test_fresh_arrays_are_those_that_keras_begins_with(op: Op, types: tuple[TensorType, ...]) -> None:
    """The same where Keras draws none, else no further out than Keras draws."""
    inputs = [Node(ops.Input(each), (), each, f"input{index}") for index, each in enumerate(types)]  # type: ignore[arg-type]
    node = op(*inputs, name="node")
    found = fresh_weights(Graph("one", (*inputs, node), node, {}, {}))["node"]
    begin = [keras.Input(each.shape) for each in types]
    layers = [keras.Model(begin, op.emit(EmitContext(keras), "node", *begin)) for _ in range(20 if node.weights else 1)]
    drawn = [np.stack(arrays) for arrays in zip(*[each.get_weights() for each in layers], strict=True)]
    assert [array.shape for array in found] == [array.shape[1:] for array in drawn]
    for own, theirs in zip(found, drawn, strict=True):
        if np.ptp(theirs) == 0:
            assert np.array_equal(own, theirs[0])
        else:
            assert np.ptp(own) > 0
            assert 0.3 * np.abs(theirs).max() < np.abs(own).max() < 1.3 * np.abs(theirs).max()


PRESETS = {  # with what each of them adds
    "yolo_v8_xs_detect": "distributions, up-sampling",
    "yolo_v8_xs_pose": "points",
    "yolo_v8_xs_obb": "turned boxes",
    "yolo_v5_n_detect": "anchors",
    "retinanet_resnet18_v2_detect": "deltas, shared heads",
    "yolo_11_n_detect": "attention over maps",
    "resnet18_v2": "levels",
    "efficientnet_b0_classify": "squeezes, statistics",
    "convnext_tiny_classify": "layer norms",
    "vit_tiny_patch16_classify": "tokens",
    "mobilenet_v3_small_classify": "hard activations",
    "hrnet_w18_backbone": "several branches",
}


CASES = [(name, layout) for name in PRESETS for layout in ("nhwc", "nchw")]
EVERY_DAY = [*CASES[0::4], *CASES[3::4]]  # every preset, in one layout and the other by turns


@pytest.mark.parametrize("case", sampled(CASES, EVERY_DAY), ids="-".join)
def test_a_preset_gives_what_keras_gives_at_any_size_and_batch(case: tuple[str, Any]) -> None:
    name, layout = case
    model = archdsl.build_from_config(name, weights=False)
    weights = perturbed(model)
    form = Form(layout)
    graph = network_of(load(name)).graph
    session = onnxruntime.InferenceSession(backend.model_of(graph, weights, form).SerializeToString())
    names = list(graph.outputs)
    wanted = model.features(names)
    fixed = graph.image.height
    for batch, sides in ((1, (fixed or 96, fixed or 64)), (2, (fixed or 64, fixed or 128))):
        image = RANDOM.uniform(0, 255, (batch, *sides, 3)).astype("float32")
        given = image if layout == "nhwc" else image.transpose(0, 3, 1, 2)
        received = dict(zip(names, session.run(names, {"input": given}), strict=True))
        for key, expected in wanted(image, training=False).items():
            expected = np.asarray(expected)
            found = received[key]
            if layout == "nchw" and found.ndim == 4:
                found = found.transpose(0, 2, 3, 1)
            assert np.abs(found - expected).max() <= 1e-4 * max(np.abs(expected).max(), 0.01), key


ON_AN_IMAGE = [(op, types) for op, types in APPLIED if len(types) == 1 and isinstance(types[0], FeatureMap)]


@pytest.mark.parametrize(("op", "types"), ON_AN_IMAGE, ids=str)
def test_an_operation_gives_nearly_the_same_in_half_precision(op: Op, types: tuple[FeatureMap]) -> None:
    image = Node(ops.Input(types[0]), (), types[0], "input")
    first = ops.Conv2D(types[0].channels)(image, name="first")  # what comes before all weights is computed in float32
    node = op(first, name="node")
    graph = Graph("two", (image, first, node), node, {}, {"result": node}, named=("result",))
    weights = {"node": tuple(RANDOM.uniform(0.5, 2, each.shape).astype("float32") for each in node.weights)}
    weights["first"] = (np.eye(types[0].channels, dtype="float32")[None, None],)
    small = (0.02 * RANDOM.normal(size=(2, *types[0].shape))).astype("float32")
    small[1] /= 200  # the squares of which are 0 in float16
    found = []
    for precision in ("float32", "float16"):
        model = backend.model_of(graph, weights, Form(precision=precision))  # type: ignore[arg-type]
        onnx.checker.check_model(model, full_check=True)
        (result,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"input": small})
        found.append(finite(result))
    assert np.abs(found[0] - found[1]).max() <= 1e-2 * max(np.abs(found[0]).max(), 0.01)
