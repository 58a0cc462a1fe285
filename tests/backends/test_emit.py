"""Emission: the same layers whatever Keras is set to, and loaded models that describe themselves as fresh ones do."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import archdsl
from archdsl.backends.keras.emit import emit
from archdsl.ir import ops
from archdsl.ir.emission import EmitContext
from archdsl.ir.graph import Op
from archdsl.ir.types import FeatureMap, TensorType, Tokens, Vector

IMAGE = FeatureMap(6, 8, 4)
ODD = FeatureMap(7, 5, 4)
GATE = FeatureMap(1, 1, 4)
VECTOR = Vector(4)
TOKENS = Tokens(6, 4, (2, 3))
ONE = Vector(1)
EVERY_TYPE = (IMAGE, ODD, VECTOR, TOKENS)
POINTWISE: list[Op] = [
    ops.Rescale(0.5, 1),
    ops.Identity(),
    ops.BatchNorm(),
    ops.BatchNorm(center=False),
    ops.BatchNorm(scale=False),
    ops.LayerNorm(1e-6),
    ops.LayerNorm(center=False, scale=False),
    ops.L2Normalize(),
    ops.Normalize(),
    ops.Normalize((1, 2, 3, 4), (4,)),
    ops.PRelu(),
    ops.LayerScale(0.1),
    ops.Dropout(0.5),
    ops.StochasticDepth(0.5),
    ops.Dense(5),
    ops.Dense(5, bias=False),
    ops.Slice(1, 3),
    ops.Slice(0, 1, groups=2),
    ops.ChannelShuffle(2),
    ops.ReverseChannels(),
    ops.Activation("relu", limit=0.5),
    *[ops.Activation(function) for function in ops.ACTIVATIONS],  # type: ignore[arg-type]
]
APPLIED: list[tuple[Op, tuple[TensorType, ...]]] = [
    *[(op, (each,)) for op in POINTWISE for each in EVERY_TYPE],
    *[(op, (each, each)) for op in (ops.Add(), ops.Subtract(), ops.Multiply(), ops.Concat()) for each in EVERY_TYPE],
    (ops.Multiply(), (IMAGE, VECTOR)),
    (ops.Multiply(), (TOKENS, VECTOR)),
    (ops.Multiply(), (IMAGE, FeatureMap(6, 8, 1))),
    (ops.Flatten(), (IMAGE,)),
    (ops.Flatten(), (TOKENS,)),
    (ops.GlobalAvgPool(False), (IMAGE,)),
    (ops.GlobalMaxPool(False), (IMAGE,)),
    (ops.ToTokens(), (ODD,)),
    (ops.ToMap(2, 3), (TOKENS,)),
    (ops.ToMap(5, 1, extra=1), (TOKENS,)),
    (ops.Ones(), (IMAGE,)),
    (ops.Ones(), (TOKENS,)),
    (ops.Ones(), (VECTOR,)),
    (ops.Learned(3, 4), (ONE,)),
    (ops.ConcatTokens(), (Tokens(1, 4), TOKENS)),
    (ops.FirstToken(), (TOKENS,)),
    (ops.TokenMean(), (TOKENS,)),
    (ops.Attention(2), (TOKENS, TOKENS, TOKENS)),
    (ops.Attention(2), (Tokens(3, 4), TOKENS, Tokens(6, 8))),
    (ops.Attention(2), (IMAGE, ODD, ODD)),
    (ops.Attention(1, areas=2), (IMAGE, IMAGE, IMAGE)),
    (ops.Resize(9, 5), (IMAGE,)),
    (ops.Resize(3, 4, "nearest"), (IMAGE,)),
    (ops.TransposedConv2D(5), (ODD,)),
    (ops.TransposedConv2D(5, (3, 1), (2, 1), bias=True), (ODD,)),
    (ops.TransposedConv2D(5, 3, 2, "valid"), (IMAGE,)),
    (ops.TransposedConv2D(5, 2, 3, "valid"), (IMAGE,)),
    (ops.GroupNorm(2), (IMAGE,)),
    (ops.Conv2D(5, 3, stride=2, bias=True), (IMAGE,)),
    (ops.Conv2D(6, 3, groups=2, dilation=2, padding="valid"), (IMAGE,)),
    (ops.DepthwiseConv2D(3, stride=2), (IMAGE,)),
    (ops.MaxPool(3, 2), (IMAGE,)),
    (ops.AvgPool(2, 2, "valid"), (IMAGE,)),
    (ops.GlobalAvgPool(), (IMAGE,)),
    (ops.GlobalMaxPool(), (IMAGE,)),
    (ops.SumRows(), (IMAGE,)),
    (ops.Pad(1), (IMAGE,)),
    (ops.Pad(((0, 1), (2, 0)), float("-inf")), (IMAGE,)),
    (ops.Crop(((0, 1), 2)), (IMAGE,)),
    (ops.Conv2D(5, (1, 3), (2, 1), bias=True), (IMAGE,)),
    (ops.Conv2D(5, (3, 1), dilation=(2, 1), padding="valid"), (IMAGE,)),
    (ops.MaxPool((3, 1), (2, 1)), (IMAGE,)),
    (ops.Upsample((1, 3)), (IMAGE,)),
    (ops.Upsample(2), (IMAGE,)),
    (ops.Upsample(2, "bilinear"), (IMAGE,)),
    (ops.SpaceToDepth(), (IMAGE,)),
    (ops.ChannelMean(), (IMAGE,)),
    (ops.ChannelMax(), (IMAGE,)),
    (ops.Multiply(), (IMAGE, GATE)),
    (ops.ConcatRows(), (IMAGE, IMAGE)),
]
WITHOUT_ONE_MAP = {ops.Input, ops.Split, ops.Part}
TINY = {
    "stem": {"conv": {"block": "conv_bn_act", "width": 8, "stride": 2}},
    "stages": {"p2": {"width": 8, "down": {"block": "max_pool"}, "body": {"block": "depthwise_conv_bn_act"}}},
}


@pytest.fixture
def channels_first() -> Iterator[None]:
    keras.config.set_image_data_format("channels_first")
    yield
    keras.config.set_image_data_format("channels_last")


def model_of(op: Op, types: tuple[TensorType, ...]) -> Any:
    begin = [keras.Input(each.shape) for each in types]
    return keras.Model(begin, op.emit(EmitContext(keras), "node", *begin))


def primitives(base: type[Op] = Op) -> Iterator[type[Op]]:
    """The classes in archdsl/ir/ops that no other there is made from."""
    derived = [each for each in base.__subclasses__() if each.__module__.startswith(ops.__name__)]
    for each in derived:
        yield from primitives(each)
    if not derived:
        yield base


def test_every_operation_is_tried() -> None:
    for path in Path(ops.__file__).parent.glob("[a-z]*.py"):
        import_module(f"{ops.__name__}.{path.stem}")
    assert {type(op) for op, _ in APPLIED} == {*primitives()} - WITHOUT_ONE_MAP


@pytest.mark.parametrize(("op", "types"), APPLIED, ids=str)
def test_an_operation_is_the_same_whatever_data_format_keras_is_set_to(
    op: Op, types: tuple[TensorType, ...], channels_first: None
) -> None:
    random = np.random.default_rng(0)
    arrays = [random.normal(size=(2, *each.shape)).astype("float32") for each in types]
    received = model_of(op, types)
    keras.config.set_image_data_format("channels_last")
    expected = model_of(op, types)
    received.set_weights([random.uniform(0.5, 2, each.shape) for each in expected.get_weights()])
    expected.set_weights(received.get_weights())
    assert received.output_shape == (None, *op.infer(*types).shape)
    keras.config.set_image_data_format("channels_first")
    found = np.asarray(received(arrays))
    keras.config.set_image_data_format("channels_last")
    assert np.allclose(found, np.asarray(expected(arrays)), atol=1e-6)


def test_a_preset_is_the_same_network_whatever_data_format_keras_is_set_to(channels_first: None) -> None:
    model = archdsl.build_from_config("resnet18_v2", input_shape=(64, 64, 3))
    assert model.count_params() == archdsl.analyze("resnet18_v2", input_shape=(64, 64, 3)).params
    assert model.output_shape == (None, 2, 2, 512)


def test_a_loaded_model_describes_its_layers_as_a_fresh_one_does() -> None:
    graph = archdsl.compile_config(TINY, input_shape=(16, 16, 3))
    assert {type(node.op) for node in graph.nodes} >= {ops.Conv2D, ops.DepthwiseConv2D}
    fresh, loaded = emit(graph), emit(graph, fresh=False)
    layers = [keras.Model(each[graph.input.name], each[graph.output.name]).layers[1:] for each in (fresh, loaded)]
    for mine, theirs in zip(*layers, strict=True):
        assert mine.get_config() == theirs.get_config()
    kernels = [layer.kernel for layer in layers[1] if hasattr(layer, "kernel")]
    assert kernels
    assert not any(np.any(kernel) for kernel in kernels)  # nothing is drawn to be overwritten
