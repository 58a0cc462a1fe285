"""The graph knows before Keras does: shapes, weights, parameters and multiply-accumulates of every layer."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from support import keras, samples
from support.drawn_configs import drawn_configs

import archdsl
from archdsl.analysis.report import report
from archdsl.frontend.compose.search_path import preset_names
from archdsl.ir.graph import Graph, verify
from archdsl.ir.ops import WeightedSum

IMAGE = (96, 64, 3)
SAMPLE = ["yolo_v8_xs_backbone", "csp_darknet_tiny", "resnet18_v2", "resnet50_v2"]
COUNTED = ("Conv2D", "DepthwiseConv2D", "Conv2DTranspose", "Dense")
ANY_SPEED = settings(deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.keras
@pytest.mark.parametrize("name", samples.sampled(preset_names(), SAMPLE))
def test_presets_cost_what_keras_counts(name):
    assert_keras_agrees(archdsl.build_from_config(name, input_shape=IMAGE))


@pytest.mark.keras
@settings(ANY_SPEED, max_examples=12, derandomize=True)
@given(drawn_configs())
def test_drawn_configs_cost_what_keras_counts(config):
    assert_keras_agrees(archdsl.build_from_config(config))
    assert_size_changes_no_params(config)


@pytest.mark.keras
@pytest.mark.full
@settings(ANY_SPEED, max_examples=300)
@given(drawn_configs())
def test_many_drawn_configs_cost_what_keras_counts(config):
    assert_keras_agrees(archdsl.build_from_config(config))
    assert_size_changes_no_params(config)


@pytest.mark.parametrize("name", samples.presets())
def test_presets_of_unknown_size_have_params_but_no_macs(name):
    if archdsl.compile_config(name).image.height is None:
        assert_size_changes_no_params(name)
    else:
        assert archdsl.analyze(name).macs is not None


# What agreement means


def assert_keras_agrees(model: archdsl.Backbone) -> None:
    """Layer by layer and in all, the graph of `model` says what Keras made of it."""
    graph = model.graph
    verify(graph)
    assert_same_shapes(graph, model)
    assert_same_weights(graph, model)
    costs = report(graph)
    assert costs.params == model.count_params()
    assert costs.trainable_params == sum(math.prod(weight.shape) for weight in model.trainable_weights)
    counted = keras_macs(model)
    assert costs.macs == (None if counted is None else counted + products_of_attention(graph))
    keras.utils.clear_session()  # else hundreds of models pile up


def assert_same_shapes(graph: Graph, model: keras.Model) -> None:
    """Every node is an operation of Keras, and every layer is a node or one of several that a node is made of.

    A weighted sum has its name on the layer of its weights, and its result from one after it.

    Among the operations, not the layers: slices and splits are none. A Part is one of its Split's tensors, all alike.
    """
    shapes = {operation.name: shapes_of(operation.output) for operation in model.operations}
    sums = {node.name for node in graph.nodes if isinstance(node.op, WeightedSum)}
    shapes |= {name: shapes[f"{name}_sum"] for name in sums}
    expected = {node.name: {node.type.shape} for node in graph.nodes if node.op.kind != "part"}
    assert {name: shapes.get(name) for name in expected} == expected
    strange = {layer.name for layer in model.layers} - set(expected)
    assert not [name for name in strange if not name.startswith(tuple([f"{node}_" for node in expected]))]


def shapes_of(output: Any) -> set[tuple[int | None, ...]]:
    """Shapes of a tensor or a list of tensors, without the batch."""
    return {tuple(tensor.shape)[1:] for tensor in keras.tree.flatten(output)}


def assert_same_weights(graph: Graph, model: keras.Model) -> None:
    of_keras = {
        layer.name: [(weight.name, tuple(weight.shape), weight.trainable) for weight in layer.weights]
        for layer in model.layers
        if layer.weights
    }
    assert of_keras == {node.name: [tuple(weight) for weight in node.weights] for node in graph.nodes if node.weights}


def keras_macs(model: keras.Model) -> int | None:
    """Counted from the layers alone: every pixel or place of a result costs the whole kernel once.

    Of a transposed convolution it is every pixel of what it reads.
    """
    total = 0
    for layer in model.layers:
        if isinstance(layer, tuple([getattr(keras.layers, name) for name in COUNTED])):
            places = layer.output.shape[1:-1]
            if isinstance(layer, keras.layers.Conv2DTranspose):
                places = layer.input.shape[1:-1]
            if None in places:
                return None
            total += math.prod([*places, *layer.kernel.shape])
    return total


def products_of_attention(graph: Graph) -> int:
    """By hand: each of N queries of C channels with each of M keys, and each result with M values of D channels."""
    total = 0
    for node in graph.nodes:
        if node.op.kind == "attention":
            queries, keys, values = [source.type.shape for source in node.inputs]
            places = math.prod(queries[:-1]) * math.prod(keys[:-1])
            total += places * (queries[-1] + values[-1]) // node.op.areas
    return total


def assert_size_changes_no_params(config: str | dict) -> None:
    known, unknown = archdsl.compile_config(config), archdsl.compile_config(config, input_shape=unknown_size(config))
    verify(unknown)
    assert report(unknown).params == report(known).params
    unsized = any("conv" in node.op.kind and node.type.height is None for node in unknown.nodes)
    assert report(unknown).macs == (None if unsized else report(known).macs)  # a pooled 1 × 1 map has a size
    assert list(unknown.levels) == list(known.levels)


def unknown_size(config: str | dict) -> tuple[None, None, int]:
    return (None, None, archdsl.compile_config(config).input.channels)
