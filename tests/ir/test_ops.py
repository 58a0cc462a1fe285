"""Operations against Keras's own layers and NumPy: values, weights, any size of image, gradients, saving."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import keras
from support.applied import APPLIED

import archdsl
from archdsl.ir import ops
from archdsl.ir.emission import EmitContext
from archdsl.ir.node import Op, ShapeError
from archdsl.ir.types import FeatureMap, TensorType, Tokens, Vector

pytestmark = pytest.mark.keras
MAP, ODD, VECTOR, TOKENS = FeatureMap(6, 8, 4), FeatureMap(7, 5, 4), Vector(4), Tokens(6, 4, (2, 3))


def model_of(op: Op, *types: TensorType) -> Any:
    keras.utils.set_random_seed(0)
    begin = [keras.Input(each.shape) for each in types]
    return keras.Model(begin, op.emit(EmitContext(keras), "node", *begin))


def arrays_of(*types: TensorType) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.normal(size=(2, *each.shape)).astype("float32") for each in types]


def result_of(op: Op, *types: TensorType) -> np.ndarray:
    return np.asarray(model_of(op, *types)(arrays_of(*types)))


def check(found: Any, expected: Any) -> None:
    assert np.shape(found) == np.shape(expected)
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("op", "types"), APPLIED, ids=str)
def test_an_operation_owns_the_arrays_of_its_formula(op: Op, types: tuple[TensorType, ...]) -> None:
    model = model_of(op, *types)
    owned = [(tuple(weight.shape), weight.trainable) for weight in model.weights]
    assert owned == [(weight.shape, weight.trainable) for weight in op.weights(*types)]
    layers = [layer for layer in model.layers if layer.weights]
    assert [layer.name for layer in layers] == ["node"] * bool(owned)  # which shared weights need


OF_KNOWN_SIZE = (ops.Flatten, ops.Resize, ops.ToMap, ops.Transpose)


@pytest.mark.parametrize(
    ("op", "types"), [each for each in APPLIED if any(len(known.shape) > 1 for known in each[1])], ids=str
)
def test_an_operation_is_the_same_for_any_size(op: Op, types: tuple[TensorType, ...]) -> None:
    unknown = [each._replace(**dict.fromkeys({"height", "image_width", "length"} & {*each._fields})) for each in types]  # type: ignore[union-attr]
    unknown = [known if known.shape[:-1] == (1, 1) else each for known, each in zip(types, unknown, strict=True)]
    if isinstance(op, OF_KNOWN_SIZE) or (isinstance(op, ops.Attention) and op.areas > 1):
        if not isinstance(op, ops.ToMap):
            with pytest.raises(ShapeError, match="size is not known"):
                op.infer(*unknown)
        return
    model, arrays = model_of(op, *unknown), arrays_of(*types)
    assert model.output_shape == (None, *op.infer(*unknown).shape)
    known = model_of(op, *types)
    model.set_weights(known.get_weights())
    check(model(arrays), known(arrays))


def test_every_operation_is_saved_and_loaded_in_safe_mode(tmp_path: Path) -> None:
    begin = [[keras.Input(each.shape) for each in types] for _, types in APPLIED]
    context = EmitContext(keras)
    made = [op.emit(context, f"node{n}", *each) for n, ((op, _), each) in enumerate(zip(APPLIED, begin, strict=True))]
    flat = [tensor for each in begin for tensor in each]
    model = keras.Model(flat, made)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    arrays = [array for _, types in APPLIED for array in arrays_of(*types)]
    for one, other in zip(model(arrays), loaded(arrays), strict=True):
        assert np.array_equal(np.asarray(one), np.asarray(other), equal_nan=True)


def test_every_operation_passes_finite_gradients_to_its_input_and_weights() -> None:
    import tensorflow as tf

    for op, types in APPLIED:
        model = model_of(op, *types)
        arrays = [tf.constant(array) for array in arrays_of(*types)]
        with tf.GradientTape() as tape:
            tape.watch(arrays)
            loss = tf.reduce_sum(tf.where(tf.math.is_finite(result := model(arrays)), tf.square(result), 0))
        weights = [weight.value for weight in model.trainable_weights]
        gradients = tape.gradient(loss, [*arrays, *weights])
        if isinstance(op, ops.ResizeLike):
            assert gradients.pop() is None  # of the other map only the sides are read
        if isinstance(op, (ops.Ones, ops.StopGradient, ops.Anchors)):
            assert all(each is None for each in gradients), op
            continue
        assert all(each is not None and np.isfinite(each).all() for each in gradients), op


# Facts that memory is worked out from


def gradients_at(model: Any, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Of the sum of the results, times numbers that are always the same, for the inputs and weights."""
    import tensorflow as tf

    given = [tf.constant(array) for array in arrays]
    weights = [weight.value for weight in model.trainable_weights]
    with tf.GradientTape() as tape:
        tape.watch(given)
        result = model(given, training=any("batch" in type(layer).__name__.lower() for layer in model.layers))
        numbers = np.random.default_rng(2).normal(size=result.shape)
        loss = tf.reduce_sum(tf.where(tf.math.is_finite(result), result, 0) * numbers)
    found = tape.gradient(loss, [*given, *weights], unconnected_gradients="zero")
    return [np.asarray(each) for each in found]


@pytest.mark.parametrize(("op", "types"), APPLIED, ids=str)
def test_an_operation_keeps_its_values_for_training_if_gradients_depend_on_them(
    op: Op, types: tuple[TensorType, ...]
) -> None:
    model = model_of(op, *types)
    at_one, at_other = [gradients_at(model, [scale * each for each in arrays_of(*types)]) for scale in (1, -3)]
    depends = not all(np.allclose(one, other) for one, other in zip(at_one, at_other, strict=True))
    assert (op.keeps != "nothing") == depends


@pytest.mark.parametrize("name", ops.ACTIVATIONS)
def test_an_activation_keeps_its_result_if_that_tells_its_slope(name: str) -> None:
    """An increasing function has one slope for each result, but where it is constant."""
    op = ops.Activation(name)  # type: ignore[arg-type]
    values = np.linspace(-8, 8, 401, dtype="float32")
    results = np.asarray(model_of(op, Vector(1))(values[:, None]))[:, 0]
    if name not in ("softmax", "linear"):
        assert (op.keeps == "result") == bool((np.diff(results) > -1e-6).all())


@pytest.mark.parametrize(("op", "types"), APPLIED, ids=str)
def test_a_view_gives_numbers_of_its_input_and_what_gives_all_of_them_takes_nothing(
    op: Op, types: tuple[TensorType, ...]
) -> None:
    (first, *_), result = arrays_of(*types), result_of(op, *types)
    if op.is_view:
        assert np.isin(result, first).all()
    else:
        assert op.in_place or not np.array_equal(result.ravel(), first.ravel())


@pytest.mark.parametrize(("op", "types"), APPLIED, ids=str)
def test_what_changes_each_number_alone_may_take_the_place_of_its_input(op: Op, types: tuple[TensorType, ...]) -> None:
    model, arrays = model_of(op, *types), arrays_of(*types)
    before = np.asarray(model(arrays))
    if before.shape != arrays[0].shape:
        assert not op.in_place
        return
    changed = [arrays[0].copy(), *arrays[1:]]
    changed[0].flat[5] += 1
    places = np.flatnonzero(np.asarray(model(changed)) != before)
    if set(places) <= {5} and len(places):
        assert op.in_place


# Values


@pytest.mark.parametrize("sides", [(6, 8), (7, 5)])
def test_attention_is_that_of_keras(sides: tuple[int, int]) -> None:
    tokens = Tokens(sides[0] * sides[1], 8)
    x = arrays_of(tokens)[0]
    theirs = keras.layers.MultiHeadAttention(2, 4)
    expected = theirs(x, x)
    weights = {weight.path.split("/", 1)[1]: np.asarray(weight) for weight in theirs.weights}
    parts = [
        (np.einsum("bnc,chd->bnhd", x, weights[f"{name}/kernel"]) + weights[f"{name}/bias"]).reshape(2, -1, 8)
        for name in ("query", "key", "value")
    ]
    for form in (tokens, FeatureMap(*sides, 8), FeatureMap(None, None, 8)):
        model = model_of(ops.Attention(2), form, form, form)
        own = [part.reshape(2, *sides, 8) if isinstance(form, FeatureMap) else part for part in parts]
        heads = np.asarray(model(own)).reshape(2, -1, 2, 4)
        kernel, bias = weights["attention_output/kernel"], weights["attention_output/bias"]
        check(np.einsum("bnhd,hdc->bnc", heads, kernel) + bias, expected)


def test_areas_attend_to_themselves() -> None:
    tokens = Tokens(12, 4)
    queries, keys, values = arrays_of(tokens, tokens, tokens)
    whole = np.asarray(model_of(ops.Attention(2, areas=3), tokens, tokens, tokens)([queries, keys, values]))
    small = Tokens(4, 4)
    alone = model_of(ops.Attention(2), small, small, small)
    for area in (slice(0, 4), slice(4, 8), slice(8, 12)):
        check(whole[:, area], alone([queries[:, area], keys[:, area], values[:, area]]))


def test_attention_costs_two_products_of_matrices() -> None:
    queries, keys, values = Tokens(10, 8), Tokens(6, 8), Tokens(6, 16)
    attention = ops.Attention(4)
    assert attention.macs(attention.infer(queries, keys, values), queries, keys, values) == 10 * 6 * 8 + 10 * 6 * 16
    half = ops.Attention(4, areas=2)
    assert half.macs(half.infer(queries, keys, values), queries, keys, values) == (10 * 6 * 8 + 10 * 6 * 16) // 2
    assert attention.macs(queries, Tokens(None, 8), keys, values) is None


@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (3, 2), (4, 2), (3, 1), (2, 3), ((3, 1), (2, 1))])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_a_transposed_convolution_has_the_shape_of_keras(kernel: Any, stride: Any, padding: Any) -> None:
    for given in (MAP, ODD):
        op = ops.TransposedConv2D(5, kernel, stride, padding, bias=True)
        assert op.infer(given).shape == model_of(op, given).output_shape[1:]


def test_costs_are_those_of_the_formulas() -> None:
    assert ops.Dense(10).macs(Vector(10), VECTOR) == 4 * 10
    assert ops.Dense(10).macs(Tokens(6, 10), TOKENS) == 6 * 4 * 10
    transposed = ops.TransposedConv2D(5, 3, 2)
    assert transposed.macs(transposed.infer(MAP), MAP) == 6 * 8 * 3 * 3 * 4 * 5
    assert transposed.infer(MAP).stride == 0.5


def test_channels_are_picked_and_ordered_as_numpy_does() -> None:
    x = arrays_of(FeatureMap(2, 3, 12))[0]
    given = FeatureMap(2, 3, 12)
    groups = x.reshape(2, 2, 3, 3, 4)
    check(result_of(ops.Slice(1, 3, groups=3), given), groups[..., 1:3].reshape(2, 2, 3, 6))
    check(result_of(ops.ChannelShuffle(3), given), np.swapaxes(groups, 3, 4).reshape(2, 2, 3, 12))
    check(result_of(ops.ReverseChannels(), given), x[..., ::-1])


def test_tokens_are_pixels_row_by_row_and_come_back() -> None:
    (x,) = arrays_of(ODD)
    tokens = result_of(ops.ToTokens(), ODD)
    check(tokens, x.reshape(2, 35, 4))
    check(model_of(ops.ToMap(7, 5), Tokens(35, 4))(tokens), x)
    check(model_of(ops.ToMap(2, 3, extra=1), Tokens(7, 4))(tokens[:, :7]), tokens[:, 1:7].reshape(2, 2, 3, 4))


def test_what_is_dropped_in_training_is_whole_images_or_single_values() -> None:
    ones = np.ones((64, 7, 5, 4), "float32")
    for op, counts in ((ops.StochasticDepth(0.5), {0, 140}), (ops.Dropout(0.5), None)):
        dropped = np.asarray(model_of(op, ODD)(ones, training=True))
        assert {*np.unique(dropped)} == {0, 2}
        left = {int(count) for count in (dropped != 0).sum((1, 2, 3))}
        assert left == counts if counts else len(left) > 2
        check(model_of(op, ODD)(ones), ones)


@pytest.mark.parametrize("form", [MAP, ODD, TOKENS, VECTOR], ids=str)
def test_normalising_and_scaling_are_their_formulas(form: TensorType) -> None:
    (x,) = arrays_of(form)
    mean, variance = (1.0, 2.0, 3.0, 4.0), (4.0, 1.0, 0.25, 9.0)
    check(result_of(ops.Normalize(mean, variance), form), (x - np.array(mean)) / np.sqrt(variance))
    check(result_of(ops.Normalize((2.0,), (4.0,)), form), (x - 2) / 2)
    check(result_of(ops.L2Normalize(), form), x / np.linalg.norm(x, axis=-1, keepdims=True))
    check(result_of(ops.LayerScale(0.5), form), x / 2)
    check(result_of(ops.PRelu(), form), np.where(x > 0, x, x / 4))
    centred = x - x.mean(-1, keepdims=True)
    check(result_of(ops.LayerNorm(1e-6), form), centred / np.sqrt(x.var(-1, keepdims=True) + 1e-6))


@pytest.mark.parametrize("form", [MAP, TOKENS, VECTOR], ids=str)
@pytest.mark.parametrize("per_channel", [False, True])
def test_a_weighted_sum_is_the_formula_of_its_paper(per_channel: bool, form: TensorType) -> None:
    """EfficientDet (Tan et al. 2020), section 3.3: unbounded, softmax-based, and fast normalized fusion."""
    arrays = arrays_of(form, form, form)
    w = np.random.default_rng(1).normal(size=(1, 3, 4 if per_channel else 1)).astype("float32")
    positive, powers = np.maximum(w[0], 0), np.exp(w[0])
    factors = {"none": w[0], "relu": positive / (positive.sum(0) + 1e-4), "softmax": powers / powers.sum(0)}
    for normalization, each in factors.items():
        model = model_of(ops.WeightedSum(normalization, per_channel), form, form, form)  # type: ignore[arg-type]
        assert np.unique(model.get_weights()[0]) == [1]
        model.set_weights([w])
        check(model(arrays), sum(factor * x for factor, x in zip(each, arrays, strict=True)))


def anchors_of(rows: int, columns: int, sizes: list[tuple[float, float]], stride: int) -> np.ndarray:
    """x, y, width and height of each, row by row."""
    rings = [((column + 0.5) * stride, (row + 0.5) * stride) for row in range(rows) for column in range(columns)]
    return np.array([(*middle, *size) for middle in rings for size in sizes])


def test_anchors_are_around_the_middles_of_pixels_and_cut_off_at_the_image() -> None:
    sizes = ((10.0, 20.0), (3.0, 2.0))
    expected = anchors_of(7, 5, list(sizes), 8)
    check(result_of(ops.Anchors(sizes, 8), ODD), np.stack([expected] * 2))
    edges = np.concatenate([expected[:, :2] - expected[:, 2:] / 2, expected[:, :2] + expected[:, 2:] / 2], -1)
    edges = np.clip(edges, 0, np.array([37, 55, 37, 55]))  # the last pixels of the map are partly beyond the image
    cut = np.concatenate([(edges[:, :2] + edges[:, 2:]) / 2, edges[:, 2:] - edges[:, :2]], -1)
    check(result_of(ops.Anchors(sizes, 8), ODD, FeatureMap(55, 37, 3)), np.stack([cut] * 2))


def test_boxes_are_made_of_anchors_by_the_formulas_of_their_papers() -> None:
    (x,) = arrays_of(Tokens(70, 4))
    anchors = np.stack([anchors_of(7, 5, [(10, 13), (33, 23)], 8)] * 2)
    cell, size = anchors[..., :2] / 8 - 0.5, anchors[..., 2:]
    sigmoid = 1 / (1 + np.exp(-x))

    def edges(middle: np.ndarray, size: np.ndarray) -> np.ndarray:
        return np.concatenate([middle - size / 2, middle + size / 2], -1)

    def boxes(op: Op) -> np.ndarray:
        return np.asarray(model_of(op, Tokens(70, 4), Tokens(70, 4))([x, anchors.astype("float32")]))

    yolo = edges((2 * sigmoid[..., :2] - 0.5 + cell) * 8, (2 * sigmoid[..., 2:]) ** 2 * size)
    check(boxes(ops.AnchorBoxes("yolo", 8)), yolo)
    k = 1.2
    darknet = edges((sigmoid[..., :2] * k - (k - 1) / 2 + cell) * 8, np.exp(x[..., 2:]) * size)
    check(boxes(ops.AnchorBoxes("darknet", 8, k)), darknet)
    y, across, height, width = np.moveaxis(x * np.array([0.1, 0.1, 0.2, 0.2]), -1, 0)
    middle = anchors[..., :2] + np.stack([across, y], -1) * size
    check(boxes(ops.DeltaBoxes()), edges(middle, np.exp(np.stack([width, height], -1)) * size))


@pytest.mark.parametrize(
    ("op", "types", "fact"),
    [
        (ops.Flatten(), [FeatureMap(None, 4, 4)], "its size is not known"),
        (ops.Conv2D(4), [VECTOR], "got a vector (C); expected a feature map (H, W, C)"),
        (ops.Add(), [MAP, VECTOR], "got a vector (C); expected a feature map (H, W, C)"),
        (ops.Add(), [TOKENS, Tokens(7, 4)], "there are 6 and 7 tokens"),
        (ops.Subtract(), [MAP, MAP, MAP], "got 3 inputs; expected two"),
        (ops.Multiply(), [MAP, Vector(3)], "the gate has 3 channels; expected 1 or 4"),
        (ops.TokenMean(), [MAP], "got a feature map (H, W, C); expected a sequence of tokens (N, C)"),
        (ops.ToTokens(), [TOKENS], "got a sequence of tokens (N, C); expected a feature map (H, W, C)"),
        (ops.ToMap(2, 2), [TOKENS], "6 tokens are not a map of 2 × 2"),
        (ops.Attention(3), [TOKENS] * 3, "4 channels do not divide into 3 heads"),
        (ops.Attention(2, areas=4), [TOKENS] * 3, "6 places do not divide into 4 areas"),
        (ops.Attention(2), [TOKENS, Tokens(6, 8), TOKENS], "queries have 4 channels and keys 8"),
        (ops.ConcatTokens(), [TOKENS, Tokens(1, 5)], "the channels differ"),
        (ops.ChannelShuffle(3), [MAP], "4 channels do not divide into 3 groups"),
        (ops.Normalize((1.0, 2.0), (1.0,)), [MAP], "2 numbers for 4 channels"),
        (ops.ToTokens(parts=3), [MAP], "4 channels do not divide into 3 parts"),
        (ops.Anchors(((1, 1),)), [MAP, MAP, MAP], "got 3 inputs; expected a map, or a map and the image"),
        (ops.AnchorBoxes(), [TOKENS, Tokens(6, 5)], "4 and 5 channels"),
        (ops.DeltaBoxes(), [TOKENS, Tokens(12, 4)], "6 boxes for 12 anchors"),
        (ops.Crop(4), [MAP], "a side of 6 has nothing left without 8 pixels"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_told_with_its_type(op: Op, types: list[Any], fact: str) -> None:
    nodes = [ops.Input(each)() for each in types]
    with pytest.raises(ShapeError) as caught:
        op(*nodes)
    assert fact in caught.value.fact


def test_after_a_resized_map_nothing_is_in_training_that_is_not_asked_to_be() -> None:
    stages = {"p1": {"width": 4, "stride": 2, "body": {"block": "conv"}}}
    layers: dict[str, Any] = {"up": {"block": "resize", "height": 9, "image_width": 5}, "norm": {"block": "norm"}}
    for up in (layers["up"], {"block": "resize_like", "from": ["p1", "input"]}):
        model = archdsl.build_from_config({"stages": stages, "neck": {**layers, "up": up}}, input_shape=(8, 8, 3))
        before = model.get_weights()
        model(np.ones((1, 8, 8, 3), "float32"))
        for old, new in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)
        model(np.ones((1, 8, 8, 3), "float32"), training=True)
        assert any((old != new).any() for old, new in zip(before, model.get_weights(), strict=True))


def test_channels_become_pixels_in_the_order_of_pytorch() -> None:
    x = np.arange(1 * 2 * 3 * 12, dtype="float32").reshape(1, 2, 3, 12)
    import torch

    expected = torch.nn.functional.pixel_shuffle(torch.tensor(x.transpose(0, 3, 1, 2)), 2).numpy().transpose(0, 2, 3, 1)
    for sides in ((2, 3), (None, None), (None, 3)):
        np.testing.assert_array_equal(model_of(ops.DepthToSpace(), FeatureMap(*sides, 12))(x), expected)
