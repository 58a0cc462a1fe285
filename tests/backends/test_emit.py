"""Emission: the same layers whatever Keras is set to, and loaded models that describe themselves as fresh ones do."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from support.applied import APPLIED

import archdsl
from archdsl.backends.keras.emit import dtype_policy, emit
from archdsl.ir import ops
from archdsl.ir.emission import EmitContext
from archdsl.ir.node import Op
from archdsl.ir.types import TensorType

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


OF_ALL_KINDS = {
    "stem": {"conv": {"block": "conv_bn_act", "width": 96, "kernel": 5}},
    "stages": {"p1": {"width": 96, "down": {"block": "max_pool"}, "body": {"block": "depthwise_conv", "kernel": 15}}},
    "neck": {"up": {"block": "transposed_conv", "filters": 64}},
    "head": {
        "tokens": {"block": "learned_tokens", "length": 100, "width": 64},
        "dense": {"block": "dense", "units": 80},
    },
}


def test_kernels_begin_as_the_initializers_that_layers_state_draw_them() -> None:
    """Keras's own draws are the oracle: the same spread and the same bounds, for every kind of kernel."""
    keras.utils.set_random_seed(0)
    model = archdsl.build_from_config({**OF_ALL_KINDS, "input": {"shape": [32, 32, 3]}})
    kinds = set()
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            stated = getattr(layer, "depthwise_initializer", None) or layer.kernel_initializer
            kinds.add((type(layer).__name__, type(stated).__name__))
            received, expected = np.asarray(layer.kernel), np.asarray(stated(layer.kernel.shape))
            assert np.std(received) == pytest.approx(np.std(expected), rel=0.05)
            assert np.max(np.abs(received)) == pytest.approx(np.max(np.abs(expected)), rel=0.02)
            assert abs(np.mean(received)) <= 0.05 * np.std(received)
    layers = ("Conv2D", "DepthwiseConv2D", "Conv2DTranspose", "Dense")
    assert kinds == {*((each, "GlorotUniform") for each in layers), ("EinsumDense", "TruncatedNormal")}


def test_a_seed_of_keras_makes_the_same_kernels_again_and_no_two_of_a_model() -> None:
    config = {"stages": {"p2": {"width": 8, "stride": 4, "depth": 3, "body": {"block": "conv", "kernel": 3}}}}
    drawn = []
    for seed in (7, 7, 8):
        keras.utils.set_random_seed(seed)
        drawn.append(archdsl.build_from_config(config).get_weights())
    assert all(map(np.array_equal, drawn[0], drawn[1]))
    assert not np.array_equal(drawn[0][0], drawn[2][0])
    assert not np.array_equal(drawn[0][-1], drawn[0][-2])


def test_keras_draws_no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would compile a program for each shape on JAX: 15 of 16 seconds of a detector's build."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("drawn by Keras")

    for each in ("GlorotUniform", "TruncatedNormal"):
        monkeypatch.setattr(getattr(keras.initializers, each), "__call__", refuse)
    assert archdsl.build_from_config("yolo_v8_xs_detect", input_shape=(64, 64, 3)).count_params()


@pytest.mark.parametrize("precision", ["float16", "bfloat16", "float64", "mixed_float16"])
def test_kernels_have_the_precision_of_their_variables(precision: str) -> None:
    with dtype_policy(precision):
        model = archdsl.build_from_config(TINY, input_shape=(16, 16, 3))
    expected = precision.removeprefix("mixed_") if "mixed" not in precision else "float32"
    assert {each.dtype for each in model.trainable_weights} == {expected}
    assert all(np.isfinite(np.asarray(each, "float64")).all() for each in model.get_weights())
