"""Weights of Keras models that were built by others: paired by structure, whatever the layers are called."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import yaml
from keras import layers
from support.steps import at_most

import archdsl
from archdsl import weights
from archdsl.weights.keras_structure import structure_of
from archdsl.weights.structure import Edge, Part, Structure, isomorphism

TOLERANCE = 1e-5  # of the largest value
BLOCKS = """
input: {shape: [null, null, 3], rescale: false}
conventions: {activation: relu, padding: same, norm: {kind: batch, epsilon: 1.0e-3}}
"""
VGG = """
input: {shape: [null, null, 3], rescale: false}
conventions: {activation: relu, padding: same, norm: {kind: none}}
stage_defaults: {down: {block: max_pool, kernel: 2, stride: 2}, body: {block: conv_bn_act, kernel: 3}}
stem: {a: {block: conv_bn_act, width: 64, kernel: 3}, b: {block: conv_bn_act, width: 64, kernel: 3}}
stages:
  p1: {width: 128, depth: 2}
  p2: {width: 256, depth: 3}
  p3: {width: 512, depth: 3}
  p4: {width: 512, depth: 3}
tail: {pool: {block: max_pool, kernel: 2, stride: 2}}
"""
# A stage with a projection and a residual; two branches of the same shapes, joined in order; a gate.
BRANCHED = (
    BLOCKS
    + """
stem: {conv: {block: conv_bn_act, width: 16, kernel: 3, stride: 2}}
stages:
  p2:
    width: 16
    down: {block: conv_bn_act, kernel: 3, stride: 2}
    body: {block: branched}
  p3:
    width: 32
    down: {block: conv_bn_act, kernel: 3, stride: 2}
    body: {block: branched}
    post: {gate: {block: squeeze_excite, expansion: 0.25}}
blocks:
  branched:
    arguments: {width: null}
    layers:
      one: {block: conv_bn_act, width: $width, from: input}
      two: {block: conv_bn_act, width: $width, from: input}
      deep: {block: conv_bn_act, width: $width, kernel: 3, from: two}
      join: {block: concat, from: [deep, one, two]}
      fuse: {block: conv_bn_act, width: $width, from: join}
      side: {block: conv_bn_act, width: $width, from: input}
      sum: {block: add, from: [fuse, side]}
"""
)


def built(text: str, *overrides: str) -> archdsl.Backbone:
    return archdsl.build_from_config(yaml.safe_load(text), overrides)


def randomised(model: Any, seed: int = 0) -> Any:
    generator = np.random.default_rng(seed)
    for weight in model.weights:
        values = generator.normal(size=weight.shape) * 0.1
        is_positive = weight.name in ("gamma", "moving_variance", "variance")
        weight.assign((1 + np.abs(values) if is_positive else values).astype(weight.dtype))
    return model


def assert_same_numbers(ours: Any, theirs: Any) -> None:
    for height, image_width in ((64, 96), (96, 64)):
        image = np.random.default_rng(1).uniform(0, 1, (2, height, image_width, 3)).astype("float32")
        expected = np.asarray(theirs(image))
        assert np.abs(np.asarray(ours(image)) - expected).max() <= TOLERANCE * np.abs(expected).max()


def problem_of(act: Callable[[], object]) -> archdsl.Problem:
    with pytest.raises(archdsl.ArchError) as caught:
        act()
    assert len(caught.value.problems) == 1
    return caught.value.problems[0]


def branched(shuffle: random.Random, classes: int = 0) -> keras.Model:
    """BRANCHED as somebody else writes it: layers made, and branches added, in any order; some in a model inside."""

    def conv(width: int, kernel: int = 1, stride: int = 1) -> Callable[[Any], Any]:
        made = {
            "conv": lambda: layers.Conv2D(width, kernel, strides=stride, padding="same", use_bias=False),
            "norm": lambda: layers.BatchNormalization(),
            "act": lambda: layers.ReLU(),
        }
        order = shuffle.sample(list(made), 3)
        found = {name: made[name]() for name in order}
        return lambda x: found["act"](found["norm"](found["conv"](x)))

    def block(x: Any, width: int) -> Any:
        kernels = {"deep": 3, "one": 1, "two": 1, "fuse": 1, "side": 1}
        convs = {name: conv(width, kernels[name]) for name in shuffle.sample(list(kernels), 5)}
        one, two = convs["one"](x), convs["two"](x)
        joined = layers.Concatenate()([convs["deep"](two), one, two])
        return layers.Add()(shuffle.sample([convs["fuse"](joined), convs["side"](x)], 2))

    def nested(x: Any, width: int) -> Any:
        inside = keras.Input(x.shape[1:])
        return keras.Model(inside, block(inside, width))(x)

    image = keras.Input((None, None, 3))
    x = block(conv(16, 3, 2)(conv(16, 3, 2)(image)), 16)
    x = nested(conv(32, 3, 2)(x), 32)
    gate = layers.GlobalAveragePooling2D()(x)
    gate = layers.Dense(32, "sigmoid", use_bias=False)(layers.Dense(8, "relu", use_bias=False)(gate))
    x = layers.Multiply()(shuffle.sample([x, layers.Reshape((1, 1, 32))(gate)], 2))
    return randomised(keras.Model(image, layers.Dense(classes)(x) if classes else x))


# In memory


def test_a_plain_chain_of_keras_applications_gives_its_numbers() -> None:
    theirs = randomised(keras.applications.VGG16(weights=None, include_top=False))
    ours = built(VGG)
    transfer = weights.load(ours, theirs)
    assert (len(transfer.moved), transfer.left, transfer.unused) == (13, (), ())
    assert [each.stored for each in transfer.moved][:3] == ["block1_conv1", "block1_conv2", "block2_conv1"]
    assert_same_numbers(ours, theirs)


@pytest.mark.parametrize("seed", range(6))
def test_branches_residuals_gates_and_nested_models_give_their_numbers_in_any_order(seed: int) -> None:
    theirs = branched(random.Random(seed))
    ours = built(BRANCHED)
    assert not weights.load(ours, theirs).left
    assert_same_numbers(ours, theirs)


def test_layers_that_are_used_several_times_are_paired_once() -> None:
    text = """
input: {rescale: false}
stages: {p1: {width: 8, down: {block: conv, kernel: 3, stride: 2}}}
head:
  up: {block: upsample, from: p1}
  side: {block: conv, from: up, width: 8}
  tower: {block: conv, each: [p1, up], width: 8, kernel: 3, share: true}
"""
    ours = built(text + "outputs: [head_side, head_tower_p1, head_tower_up]\n")
    image = keras.Input((None, None, 3))
    stem, side, tower = (layers.Conv2D(8, kernel, padding="same") for kernel in (3, 1, 3))
    stem.strides = (2, 2)
    half = stem(image)
    up = layers.UpSampling2D()(half)
    small, large = tower(half), tower(up)
    theirs = randomised(keras.Model(image, [large, small, side(up)]))
    assert len(weights.load(ours, theirs).moved) == 3
    for name, layer in (("head_side_conv", side), ("head_tower_p1_conv", tower), ("p1_down_conv", stem)):
        assert np.array_equal(ours.layers_by_node[name].get_weights()[0], layer.get_weights()[0])
    separate = keras.Model(image, [layers.Conv2D(8, 3, padding="same")(up), small, side(up)])
    assert "shared in another way" in problem_of(lambda: weights.load(ours, separate)).message


def test_a_layer_that_does_the_work_of_two_and_one_that_does_it_otherwise() -> None:
    text = """
input: {rescale: false}
conventions: {activation: linear, norm: {kind: none}}
stages:
  p1:
    width: 12
    down: {block: conv, kernel: 3, stride: 2}
    body: {block: separable_conv, kernel: 3}
    post: {point: {block: conv, width: 4}, deep: {block: depthwise_conv, kernel: 5}}
"""
    image = keras.Input((None, None, 3))
    x = layers.Conv2D(12, 3, strides=2, padding="same")(image)
    x = layers.SeparableConv2D(12, 3, padding="same")(x)
    x = layers.Conv2D(4, 5, groups=4, padding="same")(layers.Dense(4)(x))
    theirs = randomised(keras.Model(image, x))
    ours = built(text)
    weights.load(ours, theirs)
    assert_same_numbers(ours, theirs)


# What does not fit


def test_the_first_layer_without_a_partner_is_named_on_both_sides() -> None:
    theirs = branched(random.Random(0))
    ours = built(BRANCHED, "stages.p3.width=24")
    before = ours.get_weights()
    problem = problem_of(lambda: weights.load(ours, theirs))
    assert problem.code == "weights"
    assert "first that differs is p3_down_conv, with 3×3×16×24; the other has conv2d" in problem.message
    assert "with 3×3×16×32" in problem.message
    assert "partial" in problem.hint
    assert all(np.array_equal(old, new) for old, new in zip(before, ours.get_weights(), strict=True))


def test_the_same_layers_that_are_joined_in_another_order_are_refused() -> None:
    theirs = branched(random.Random(0))
    ours = built(BRANCHED.replace("[deep, one, two]", "[one, deep, two]"))
    assert "concatenate of 3" in problem_of(lambda: weights.load(ours, theirs)).message


def test_what_is_not_a_network_of_layers_is_refused() -> None:
    class Written(keras.Model):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x

    ours = built(BRANCHED)
    for source in (Written(), keras.Sequential([layers.Dense(1)]), layers.Dense(1), 3, None, {}):
        assert "not functional" in problem_of(lambda source=source: weights.load(ours, source)).message


def test_numbers_that_are_not_finite_are_refused() -> None:
    theirs = branched(random.Random(0))
    theirs.layers[1].set_weights([np.full(weight.shape, np.nan) for weight in theirs.layers[1].weights])
    assert (
        "stem_conv_conv has values that are not finite"
        in problem_of(lambda: weights.load(built(BRANCHED), theirs)).message
    )


def test_models_inside_of_models_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archdsl.weights.keras_walk.MAX_TENSORS", 1_000)
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, layers.ReLU()(image))
    for _ in range(9):
        outer = keras.Input((8, 8, 3))
        model = keras.Model(outer, model(model(outer)))
    assert "more than" in problem_of(lambda: weights.load(built(BRANCHED), model)).message


# In part


def test_a_variant_gets_what_is_computed_or_used_in_the_same_way() -> None:
    theirs = branched(random.Random(0), classes=5)
    ours = built(BRANCHED)
    transfer = weights.load(ours, theirs, partial=True)
    assert "of the other model w" in transfer.summary()
    assert not transfer.left
    assert len(transfer.unused) == 1
    assert_same_numbers(ours, keras.Model(theirs.inputs, theirs.layers[-1].input))


def test_stages_in_the_middle_of_a_variant_get_theirs_too() -> None:
    theirs = randomised(keras.applications.VGG16(weights=None, include_top=False))
    ours = built(VGG, "stages.p1.width=96", "stages.p3.depth=4")
    transfer = weights.load(ours, theirs, partial=True)
    names = {each.node: each.stored for each in transfer.moved}
    assert names["stem_b_conv"] == "block1_conv2"
    assert names["p2_body_3_conv"] == "block3_conv3"
    assert names["p4_body_3_conv"] == "block5_conv3"
    changed = {"p1_body_1_conv", "p1_body_2_conv", "p2_body_1_conv", "p2_body_2_conv", "p3_body_2_conv"}
    assert {each.node for each in transfer.left} == changed


# Files of keras.applications


@pytest.fixture(scope="module")
def resnet() -> keras.Model:
    return randomised(keras.applications.ResNet50V2(weights=None, include_top=False))


def write_listed(model: keras.Model, path: Path, rename: Callable[[str], str] = str, **changed: Any) -> None:
    """The file that Keras 2 writes: the names of the layers, and of the arrays of each."""
    with h5py.File(path, "w") as file:
        owners = model.layers
        file.attrs["layer_names"] = np.array([rename(layer.name).encode() for layer in owners])
        for layer in owners:
            group = file.create_group(rename(layer.name))
            names = [f"{rename(layer.name)}/{weight.name}:0" for weight in layer.weights]
            group.attrs["weight_names"] = np.array([name.encode() for name in names])
            for name, weight in zip(names, layer.get_weights(), strict=True):
                group[name] = changed.get(layer.name, weight)


@pytest.fixture(scope="module")
def ours() -> archdsl.Backbone:
    return archdsl.build_from_config("resnet50_v2", weights=False)


def emptied(model: archdsl.Backbone) -> None:
    model.set_weights([np.zeros(weight.shape) for weight in model.weights])


@pytest.fixture(scope="module")
def copied(resnet: keras.Model, ours: archdsl.Backbone) -> list[np.ndarray]:
    """The weights of our model with those of the model in memory."""
    weights.load(ours, resnet)
    return list(ours.get_weights())


def assert_loaded(ours: archdsl.Backbone, file: Path, copied: list[np.ndarray]) -> None:
    emptied(ours)
    transfer = weights.load(ours, file)
    assert (len(transfer.moved), transfer.left, transfer.unused) == (102, (), ())
    assert all(np.array_equal(old, new) for old, new in zip(copied, ours.get_weights(), strict=True))


def test_the_file_of_a_model_gives_what_the_model_gives(
    resnet: keras.Model, ours: archdsl.Backbone, copied: list[np.ndarray], tmp_path: Path
) -> None:
    write_listed(resnet, tmp_path / "resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5")
    assert_loaded(ours, tmp_path / "resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5", copied)
    resnet.save_weights(tmp_path / "a.weights.h5")
    assert_loaded(ours, tmp_path / "a.weights.h5", copied)
    resnet.save(tmp_path / "a.h5")
    assert_loaded(ours, tmp_path / "a.h5", copied)


def test_the_file_of_a_model_that_needs_to_know_the_size_of_its_image_fits_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keras's NASNet has other layers for an image of unknown size, which is what NASNetLarge is built for."""
    mobile = keras.applications.NASNetMobile
    theirs = randomised(mobile(weights=None, include_top=False, input_shape=(97, 97, 3)))
    any_size = {"weights": None, "include_top": False, "input_shape": (None, None, 3)}
    monkeypatch.setattr(keras.applications, "NASNetMobile", lambda **given: mobile(**{**any_size, **given}))
    write_listed(theirs, tmp_path / "NASNet-mobile-no-top.h5")
    ours = archdsl.build_from_config("nasnet_mobile_backbone", weights=False)
    weights.load(ours, theirs)
    copied = ours.get_weights()
    emptied(ours)
    transfer = weights.load(ours, tmp_path / "NASNet-mobile-no-top.h5")
    assert (len(transfer.moved), transfer.left, transfer.unused) == (548, (), ())
    assert all(np.array_equal(*each) for each in zip(ours.get_weights(), copied, strict=True))
    image = np.random.default_rng(1).uniform(0, 1, (2, 97, 97, 3)).astype("float32")
    expected = np.asarray(theirs(image))
    assert np.abs(np.asarray(ours(image)) - expected).max() <= TOLERANCE * np.abs(expected).max()


def test_a_file_with_names_in_the_places_of_others_is_refused(
    resnet: keras.Model, ours: archdsl.Backbone, tmp_path: Path
) -> None:
    swapped = {"conv2_block1_0_conv": "conv2_block1_3_conv", "conv2_block1_3_conv": "conv2_block1_0_conv"}
    write_listed(resnet, tmp_path / "a.h5", lambda name: swapped.get(name, name))
    message = problem_of(lambda: weights.load(ours, tmp_path / "a.h5")).message
    assert "'conv2_block1_3_conv' is in the place of 'conv2_block1_0_conv'" in message


def test_a_file_of_keras_applications_goes_into_a_variant_in_part(resnet: keras.Model, tmp_path: Path) -> None:
    write_listed(resnet, tmp_path / "a.h5")
    ours = archdsl.build_from_config("resnet50_v2", ["stages.p4.depth=8"], weights=False)
    assert "p4" in problem_of(lambda: weights.load(ours, tmp_path / "a.h5")).message
    transfer = weights.load(ours, tmp_path / "a.h5", partial=True)
    assert "of the file w" in transfer.summary()
    assert {each.entry for each in transfer.left} == {"stages.p4.body"}
    assert not transfer.unused


def test_a_file_that_claims_a_far_larger_model_builds_none(
    resnet: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_listed(resnet, tmp_path / "a.h5")
    monkeypatch.setattr(keras.applications, "ResNet50V2", lambda **arguments: pytest.fail("built"))
    with pytest.raises(archdsl.ArchError, match="does not fit"):
        weights.load(built(BRANCHED), tmp_path / "a.h5")


# Structures


def chain(length: int) -> Structure:
    """Two equal branches, of which nothing says which is which, again and again."""
    parts = [Part("input", "input 0")]
    while len(parts) < length:
        last = Edge(len(parts) - 1)
        for name in "ab":
            parts.append(Part(f"{name}{len(parts)}", "kernel", (last,), owner=len(parts), shapes=((3, 3, 4, 4),)))
        parts.append(Part("sum", "add", (Edge(len(parts) - 2), Edge(len(parts) - 1)), is_ordered=False))
    return Structure(tuple(parts))


def test_the_work_grows_with_the_network() -> None:
    counts = []
    for length in (3_000, 6_000):
        one, other = chain(length), chain(length)
        with at_most(10_000_000) as count:
            assert isomorphism(one, other)
        counts.append(count[0])
    assert counts[1] < 2.3 * counts[0]


def test_parts_that_nothing_tells_apart_are_paired_without_contradiction() -> None:
    """Two equal branches of two layers, the first of which are summed in another order on the other side."""

    def crossed(order: tuple[int, int]) -> Structure:
        def kernel(source: int, owner: int) -> Part:
            return Part(f"k{owner}", "kernel", (Edge(source),), shapes=((1, 1),), owner=owner)

        def total(one: int, other: int) -> Part:
            return Part("sum", "add", (Edge(one), Edge(other)), is_ordered=False)

        first = [kernel(0, 1 + order[0]), kernel(0, 1 + order[1])]
        second = [kernel(1, 3), kernel(2, 4)] if order == (0, 1) else [kernel(2, 3), kernel(1, 4)]
        parts = [Part("input", "input 0"), *first, *second, total(1, 2), total(3, 4)]
        return Structure(tuple(parts))

    pairs = isomorphism(crossed((0, 1)), crossed((1, 0)))
    assert pairs
    assert sorted(pairs.values()) == list(range(7))
    assert isomorphism(crossed((0, 1)), crossed((0, 1)))


def test_structures_leave_out_what_has_no_weights() -> None:
    image = keras.Input((8, 8, 3))
    x = layers.ReLU()(layers.ZeroPadding2D()(layers.Rescaling(2.0)(image)))
    found = structure_of([layers.Dropout(0.1)(layers.Conv2D(4, 3)(x))], [image])
    assert [part.kind for part in found.parts] == ["input 0", "kernel"]
