"""Windows that differ along the two sides, and their padding: shapes by hand, numbers from Keras and NumPy."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from support import keras

import archdsl
from archdsl.analysis.report import receptive_fields
from archdsl.ir.graph import Graph
from archdsl.ir.ops import Conv2D, MaxPool, Pad
from archdsl.ir.passes import run_passes

SIZES = [(12, 16), (13, 17), (12, 17)]


def config_of(*layers: dict[str, Any], padding: str = "same", sides: tuple[int, int] | None = None) -> dict[str, Any]:
    named = {f"layer{number}": layer for number, layer in enumerate(layers)}
    return {
        "input": {"shape": [*(sides or (None, None)), 2]},
        "conventions": {"padding": padding, "activation": "relu"},
        "stages": {"all": {"post": named}},
    }


def graph_of(*layers: dict[str, Any], **arguments: Any) -> Graph:
    return archdsl.compile_config(config_of(*layers, **arguments))


def padded(x: np.ndarray, border: Any, value: float = 0.0) -> np.ndarray:
    return np.pad(x, ((0, 0), *border, (0, 0)), constant_values=value)


BORDERS = {
    1: ((1, 1), (1, 1)),
    (2, 0): ((2, 2), (0, 0)),
    ((0, 1), (2, 3)): ((0, 1), (2, 3)),
    (1, (0, 1)): ((1, 1), (0, 1)),
    "valid": ((0, 0), (0, 0)),
}


@pytest.mark.keras
@pytest.mark.parametrize(("padding", "sides"), product(BORDERS, SIZES), ids=str)
def test_a_convolution_is_padded_by_the_pixels_of_its_layer(padding: Any, sides: tuple[int, int]) -> None:
    layer = {"block": "conv", "width": 3, "kernel": [3, 2], "stride": [2, 1], "padding": padding}
    model = archdsl.build_from_config(config_of(layer))
    x = np.random.default_rng(0).normal(size=(2, *sides, 2)).astype("float32")
    kernel, bias = model.layers_by_node["all_layer0_conv"].get_weights()
    assert kernel.shape == (3, 2, 2, 3)
    expected = keras.ops.conv(padded(x, BORDERS[padding]), kernel, (2, 1), "valid") + bias
    np.testing.assert_allclose(np.asarray(model(x)), np.asarray(expected), atol=1e-5)
    assert graph_of(layer, sides=sides).output.type.shape == tuple(expected.shape[1:])


@pytest.mark.keras
@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"),
    [
        ((3, 3), 1, 1),
        ((3, 3), 2, 1),
        ((5, 1), 1, 1),
        ((3, 3), 1, 2),
        ((2, 3), 1, 1),
        ((1, 1), 2, 1),
        ((3, 5), [2, 1], 1),
    ],
)
@pytest.mark.parametrize("sides", SIZES)
def test_symmetric_puts_as_many_zeros_on_both_sides(
    kernel: tuple[int, int], stride: Any, dilation: int, sides: tuple[int, int]
) -> None:
    """As `padding=dilation * (kernel - 1) // 2` does in PyTorch's Conv2d; explicit only where `same` has others."""
    layer = {"block": "conv", "width": 3, "kernel": list(kernel), "stride": stride, "dilation": dilation}
    model = archdsl.build_from_config(config_of(layer, padding="symmetric"))
    x = np.random.default_rng(0).normal(size=(2, *sides, 2)).astype("float32")
    weights, bias = model.layers_by_node["all_layer0_conv"].get_weights()
    high, wide = [dilation * (side - 1) // 2 for side in kernel]
    around = padded(x, ((high, high), (wide, wide)))
    steps = tuple(stride) if isinstance(stride, list) else stride
    expected = keras.ops.conv(around, weights, steps, "valid", dilation_rate=dilation) + bias
    np.testing.assert_allclose(np.asarray(model(x)), np.asarray(expected), atol=1e-5)
    has_pad = any(isinstance(node.op, Pad) for node in model.graph.nodes)
    assert has_pad == (kernel != (1, 1) and (stride != 1 or kernel == (2, 3)))


def windows(x: np.ndarray, kernel: tuple[int, int], stride: tuple[int, int]) -> np.ndarray:
    """(N, H, W, C) -> (N, H', W', C, kernel)."""
    found = np.lib.stride_tricks.sliding_window_view(x, kernel, axis=(1, 2))[:, :: stride[0], :: stride[1]]
    return found.reshape(*found.shape[:4], -1)


@pytest.mark.keras
@pytest.mark.parametrize(
    ("kernel", "stride", "border"),
    [
        ((2, 2), (2, 2), ((0, 0), (0, 0))),
        ((3, 3), (2, 2), ((1, 1), (1, 1))),
        ((3, 3), (1, 1), ((1, 1), (1, 1))),
        ((1, 5), (1, 3), ((0, 0), (2, 2))),
    ],
)
@pytest.mark.parametrize("sides", SIZES)
def test_poolings_pad_as_pytorch_does_under_symmetric(
    kernel: tuple[int, int], stride: tuple[int, int], border: Any, sides: tuple[int, int]
) -> None:
    """MaxPool2d sees nothing outside, AvgPool2d zeros that count (its default), and both round down."""
    x = np.random.default_rng(0).normal(size=(2, *sides, 2)).astype("float32") - 3  # a zero would be the largest
    layer = {"kernel": list(kernel), "stride": list(stride)}
    highest = archdsl.build_from_config(config_of({"block": "max_pool", **layer}, padding="symmetric"))
    expected = windows(padded(x, border, -np.inf), kernel, stride).max(-1)
    np.testing.assert_allclose(np.asarray(highest(x)), expected, atol=1e-5)
    mean = archdsl.build_from_config(config_of({"block": "avg_pool", **layer}, padding="symmetric"))
    np.testing.assert_allclose(np.asarray(mean(x)), windows(padded(x, border), kernel, stride).mean(-1), atol=1e-5)


@pytest.mark.keras
@pytest.mark.parametrize("sides", SIZES)
def test_a_pad_for_a_window_is_what_same_would_pad(sides: tuple[int, int]) -> None:
    """The zeros before NASNet's poolings, which count, unlike those of padding `same`."""
    pads = {"block": "pad", "padding": "same", "kernel": 3, "stride": 2}
    x = np.random.default_rng(0).normal(size=(2, *sides, 2)).astype("float32") - 9
    conv = {"block": "conv", "width": 3, "kernel": 3, "stride": 2, "bias": False}
    explicit = archdsl.build_from_config(config_of(pads, {**conv, "padding": "valid"}, sides=sides))
    implicit = archdsl.build_from_config(config_of(conv, sides=sides))
    implicit.set_weights(explicit.get_weights())
    np.testing.assert_allclose(np.asarray(explicit(x)), np.asarray(implicit(x)), atol=1e-5)
    pooled = archdsl.build_from_config(
        config_of(pads, {"block": "max_pool", "kernel": 3, "padding": "valid"}, sides=sides)
    )
    assert np.asarray(pooled(x)).max() == 0


@pytest.mark.keras
def test_a_padded_maximum_is_saved_and_loaded(tmp_path: Any) -> None:
    config = config_of({"block": "max_pool", "kernel": 3, "padding": [[0, 1], 1]})
    model, x = archdsl.build_from_config(config), np.random.default_rng(0).normal(size=(1, 9, 9, 2)).astype("float32")
    for file, saved in (("model.keras", model), ("plain.keras", model.to_keras())):
        saved.save(tmp_path / file)
        loaded = keras.saving.load_model(tmp_path / file, safe_mode=True)
        np.testing.assert_array_equal(np.asarray(loaded(x)), np.asarray(model(x)))


@pytest.mark.keras
def test_crop_is_the_inverse_of_pad() -> None:
    border = [[0, 1], [2, 3]]
    model = archdsl.build_from_config(
        config_of({"block": "pad", "padding": border}, {"block": "crop", "padding": border})
    )
    x = np.random.default_rng(0).normal(size=(1, 5, 6, 2)).astype("float32")
    np.testing.assert_array_equal(np.asarray(model(x)), x)


def test_equal_sides_are_one_number() -> None:
    assert Conv2D(4, (3, 3), (2, 2)) == Conv2D(4, 3, 2)
    assert MaxPool([3, 3], [2, 1]) == MaxPool(3, (2, 1))  # type: ignore[arg-type]
    assert Pad(((1, 1), (1, 1))) == Pad(1) != Pad((1, 2))
    assert Pad(((0, 1), (0, 1))).border == ((0, 1), (0, 1))
    assert Pad((0, 1)).border == ((0, 0), (1, 1))


def test_costs_and_strides_of_two_sided_windows_are_counted_by_hand() -> None:
    layer = {"block": "conv", "width": 8, "kernel": [1, 7], "stride": [1, 2], "bias": False}
    graph = graph_of(layer, sides=(10, 21))
    assert graph.output.type.shape == (10, 11, 8)
    assert graph.output.type.strides == (1, 2)
    assert graph.cost.params == 1 * 7 * 2 * 8
    assert graph.cost.macs == 10 * 11 * 1 * 7 * 2 * 8


def test_a_row_and_a_column_see_as_much_as_a_square() -> None:
    """Inception v3, figure 6: 1 × 7 and 7 × 1 in place of 7 × 7."""
    flat = [{"block": "conv", "width": 4, "kernel": kernel} for kernel in ([1, 7], [7, 1])]
    graph = graph_of(*flat)
    assert receptive_fields(graph)[graph.output] == 7
    strided = graph_of({**flat[0], "stride": [1, 2]}, flat[0])
    assert receptive_fields(strided)[strided.output] == 7 + 2 * 6


def test_maps_of_different_strides_along_one_side_do_not_fit() -> None:
    layers = [
        {"block": "conv", "width": 2, "stride": [1, 2]},
        {"block": "conv", "width": 2, "stride": [2, 1], "from": "input"},
        {"block": "add", "from": ["layer0", "layer1"]},
    ]
    with pytest.raises(archdsl.ArchError, match="their strides are 1 × 2 and 2 × 1; expected maps of one stride"):
        graph_of(*layers)


def test_a_stage_has_a_stride_for_each_side_and_a_level_the_same_for_both() -> None:
    config = {"stages": {"p1": {"width": 4, "stride": [2, 1], "body": {"block": "conv", "kernel": 3}}}}
    with pytest.raises(archdsl.ArchError, match="its total stride is 2 × 1, but a stage named p1 has stride 2"):
        archdsl.compile_config(config)
    config["stages"] = {"text": config["stages"]["p1"]}
    assert archdsl.compile_config(config).output.type.strides == (2, 1)


@pytest.mark.keras
def test_branches_of_other_sides_fuse_into_the_square_one() -> None:
    """ACNet (Ding et al. 2019, figure 1): 3 × 3 + 1 × 3 + 3 × 1."""
    conv = {"block": "conv", "width": 4, "from": "input"}
    branches = [{**conv, "kernel": kernel} for kernel in (3, [1, 3], [3, 1])]
    config = config_of(*branches, {"block": "add", "from": ["layer0", "layer1", "layer2"]}, padding="symmetric")
    model = archdsl.build_from_config(config)
    fused = archdsl.fuse(model)
    assert [node.op for node in fused.graph.nodes[1:]] == [Conv2D(4, 3, bias=True)]
    x = np.random.default_rng(0).normal(size=(1, 9, 8, 2)).astype("float32")
    np.testing.assert_allclose(fused(x), model(x), rtol=1e-4, atol=1e-5)
    row, column = graph_of(branches[1]), graph_of(*branches[1:], {"block": "add", "from": ["layer0", "layer1"]})
    assert len(run_passes(column)[0].nodes) > len(row.nodes)  # neither holds the other


@pytest.mark.parametrize(
    ("argument", "fact"),
    [
        ("kernel: [3]", "the list is too short: item 2 is missing"),
        ("kernel: [3, 0]", "got the number 0; expected a value ≥ 1"),
        ("kernel: [3, 3, 3]", "expected at most 2 entries"),
        ("stride: 33", "got the number 33; expected a value ≤ 32"),
        ("stride: [1, 33]", "got the number 33; expected a value ≤ 32"),
        ("padding: full", "got text 'full'; expected one of: same, symmetric, valid"),
        ("padding: -1", "got the number -1; expected a value ≥ 0"),
        ("padding: [[0, 1], [0, -1]]", "got the number -1; expected a value ≥ 0"),
        ("padding: true", "got true"),
    ],
)
def test_a_wrong_window_is_told_at_its_place(argument: str, fact: str, tmp_path: Any) -> None:
    file = tmp_path / "net.yaml"
    file.write_text(f"stages: {{all: {{width: 4, body: {{block: conv, {argument}}}}}}}\n")
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.compile_config(file)
    (problem,) = caught.value.problems
    assert fact in problem.message
    assert problem.path.startswith(f"stages.all.body.{argument.partition(':')[0]}")
