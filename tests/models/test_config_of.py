"""A functional Keras model → a config that gives the same network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import yaml
from keras import layers

import archdsl
from archdsl import weights
from archdsl.frontend.importers.network_config import config_text

TOLERANCE = 1e-5  # of the largest value


def randomised(model: Any) -> Any:
    generator = np.random.default_rng(0)
    for weight in model.weights:
        values = generator.normal(size=weight.shape) * 0.1
        is_positive = weight.name in ("gamma", "moving_variance", "variance")
        weight.assign((1 + np.abs(values) if is_positive else values).astype(weight.dtype))
    for layer in model.layers:
        if isinstance(layer, layers.Normalization):  # which computes with copies
            layer.finalize_state()
    return model


def built_again(model: Any) -> archdsl.Backbone:
    """From the text of its config, with its weights."""
    text = yaml.safe_dump(archdsl.config_of(model), sort_keys=False)
    again = archdsl.build_from_config(yaml.safe_load(text))
    weights.load(again, model)
    return again


def check_same(model: Any) -> archdsl.Backbone:
    again = built_again(randomised(model))
    assert again.count_params() == model.count_params()
    sides = [side or 64 for side in model.inputs[0].shape[1:]]
    image = np.random.default_rng(1).normal(size=(2, *sides)).astype("float32")
    expected, found = model(image), again(image)
    expected = expected if isinstance(expected, dict) else {"": expected}
    found = found if isinstance(found, dict) else {"": found}
    assert set(found) == set(expected)
    for name, own in ((name, np.array(values)) for name, values in expected.items()):
        other = np.array(found[name])
        assert own.shape == other.shape
        assert np.abs(own - other).max() <= TOLERANCE * np.abs(own).max()
    return again


def two_branches() -> keras.Model:
    """With layers that the applications lack, a layer that is used twice, a model inside of it, and two results."""
    image = keras.Input((32, 48, 3))
    x = layers.Conv2D(8, (3, 5), strides=2, padding="same", activation="relu", name="Lambda!")(image)
    twice = layers.Conv2D(8, 3, padding="same", activation="silu", name="input")
    left = layers.LeakyReLU(0.2)(twice(x))
    right = layers.PReLU(shared_axes=[1, 2])(twice(twice(layers.MaxPooling2D(3, 1, "same")(x))))
    inner_input = keras.Input((16, 24, 8))
    inner = layers.SeparableConv2D(8, 3, padding="same", activation="gelu")(inner_input)
    inner = keras.Model(inner_input, layers.GroupNormalization(4)(inner), name="inner")
    joined = layers.Concatenate()([left, inner(right), layers.Average()([left, right])])
    down = layers.Conv2D(12, 3, dilation_rate=2, groups=4, use_bias=False)(
        layers.ZeroPadding2D(((1, 2), (3, 4)))(joined)
    )
    down = layers.LayerNormalization()(layers.AveragePooling2D(2)(down))
    up = layers.Conv2DTranspose(8, 4, 2, "same")(layers.Cropping2D(1)(down))
    up = layers.UpSampling2D(2, interpolation="bilinear")(layers.ReLU(4.0)(up))
    gate = layers.Reshape((1, 1, 8))(layers.GlobalAveragePooling2D()(up))
    gated = (1 - up * 2 + 3) * layers.Conv2D(8, 1, activation="sigmoid")(gate)
    classes = layers.Dense(5, activation="softmax", name="classes")(layers.Dropout(0.1)(layers.Flatten()(down)))
    return keras.Model(image, {"mask": layers.Subtract(name="map")([gated, up]), "classes": classes})


APPLICATIONS = {
    "mobilenet_v2": lambda: keras.applications.MobileNetV2((64, 64, 3), 0.35, weights=None),
    "resnet50": lambda: keras.applications.ResNet50(weights=None, input_shape=(64, 64, 3)),
    "efficientnet_b0": lambda: keras.applications.EfficientNetB0(weights=None, input_shape=(64, 64, 3)),
    "convnext": lambda: keras.applications.ConvNeXtTiny(weights=None, input_shape=(64, 64, 3), classes=10),
    "open_sides": lambda: keras.applications.MobileNetV3Small((None, None, 3), weights=None, include_top=False),
}


@pytest.mark.parametrize("make", [*APPLICATIONS.values(), two_branches], ids=[*APPLICATIONS, "two_branches"])
def test_a_keras_model_as_a_config_gives_the_same_numbers(make: Callable[[], keras.Model]) -> None:
    check_same(make())


DEPTHS = {  # of stages p2 to p5, from the papers: those that are not their first block, where that has a shortcut
    "ResNet50": ([2, 3, 5, 2], 60),  # He et al. 2015, table 1: 3, 4, 6, 3
    "DenseNet121": ([6, 12, 24, 16], 55),  # Huang et al. 2017, table 1
    "VGG16": ([3, 3, 3, None], 50),  # Simonyan and Zisserman 2015, table 1; two convolutions before p2 are p1's
    "MobileNetV2": ([None, 2, 3, 2], 60),  # Sandler et al. 2018, table 2: 2, 3, 4, 3
}


@pytest.mark.parametrize("name", DEPTHS)
def test_what_repeats_is_a_block_and_a_stage_has_the_depth_of_the_paper(name: str) -> None:
    depths, most_lines = DEPTHS[name]
    config = archdsl.config_of(getattr(keras.applications, name)(weights=None))
    assert [config["stages"][f"p{level}"].get("depth") for level in (2, 3, 4, 5)] == depths
    text = config_text(config)
    assert yaml.safe_load(text) == config
    assert text.count("\n") <= most_lines


def test_a_layer_that_others_read_is_not_hidden_in_a_block() -> None:
    image = keras.Input((16, 16, 4))
    x, seen = image, []
    for number in range(4):
        x = layers.Conv2D(4, 3, padding="same", name=f"conv{number}")(x)
        seen += [x] if number == 2 else []
        x = layers.ReLU(name=f"relu{number}")(layers.AveragePooling2D(1, name=f"pool{number}")(x))
    model = keras.Model(image, layers.Add(name="sum")([x, *seen]))
    config = check_same(model).config
    entries = config["stages"]["net"]["post"]
    assert len(config["blocks"]) == 1
    assert entries["sum"]["from"][0] in entries and entries["sum"]["from"][1] in entries


def test_the_usual_norm_is_a_convention_and_layers_keep_their_names() -> None:
    config = archdsl.config_of(keras.applications.MobileNetV2((64, 64, 3), weights=None), fold=False)
    assert config["conventions"]["norm"] == {"kind": "batch", "momentum": 0.999, "epsilon": 1e-3}
    entries = {name: entry for stage in config["stages"].values() for name, entry in stage["post"].items()}
    assert entries["bn_conv1"] == {"block": "norm"}
    assert entries["block_2_depthwise"] == {"block": "depthwise_conv", "kernel": 3, "bias": False}


def test_equal_layers_in_a_row_are_one_line_where_no_stride_tells_stages() -> None:
    x = image = keras.Input((8, 8, 3))
    for name in "abcdef":
        x = keras.layers.Conv2D(3, 3, padding="same", name=name)(x)
    assert archdsl.config_of(keras.Model(image, x))["stages"] == {
        "net": {"post": {"a": {"block": "conv", "width": 3, "kernel": 3, "depth": 6}}}
    }


def test_names_without_a_letter_that_a_config_can_have_are_numbered() -> None:
    x = image = keras.Input((8, 8, 3))
    for name in ("畳み込み", "слой", "2"):
        x = keras.layers.Conv2D(4, 3, name=name)(x)
    config = archdsl.config_of(keras.Model(image, x), fold=False)
    assert list(config["stages"]["net"]["post"]) == ["layer", "layer_2", "layer_2_2"]


def test_strides_tell_the_stages_and_what_follows_them_is_the_head() -> None:
    config = archdsl.config_of(keras.applications.ResNet50(weights=None, input_shape=(64, 64, 3)), fold=False)
    assert list(config["stem"]) == ["conv1_pad"]
    assert list(config["stages"]) == ["p1", "p2", "p3", "p4", "p5"]
    assert list(config["stages"]["p4"]["post"])[-1] == "conv4_block6_out"
    assert next(iter(config["head"])) == "avg_pool"
    assert config["outputs"][:-1] == ["p1", "p2", "p3", "p4", "p5"]
    graph = archdsl.compile_config(config, ["~head", "outputs=[p3]"])
    assert {name: str(node.type) for name, node in graph.outputs.items()} == {"P3": "8x8x512"}


def test_a_network_that_comes_back_to_finer_maps_has_them_in_the_head() -> None:
    image = keras.Input((32, 32, 3))
    down = layers.Conv2D(8, 3, strides=2, padding="same", name="stem_conv")(image)
    deep = layers.Conv2D(8, 3, strides=2, padding="same", name="deep")(down)
    joined = layers.Add(name="joined")([layers.UpSampling2D(name="up")(deep), down])
    config = check_same(keras.Model(image, joined)).config
    assert {stage: list(entry["post"]) for stage, entry in config["stages"].items()} == {
        "p1": ["stem_conv"],
        "p2": ["deep"],
    }
    assert config["head"]["joined"]["from"] == ["up", "p1_stem_conv"]


def test_a_normalised_image_that_is_rescaled_for_each_channel() -> None:
    """As in EfficientNet with its trained weights."""
    image = keras.Input((16, 16, 3))
    x = layers.Rescaling([2.0, 3.0, 4.0])(layers.Normalization()(layers.Rescaling(1 / 255)(image)))
    check_same(keras.Model(image, layers.Conv2D(4, 3)(x)))


def test_two_calls_of_one_prelu_share_its_slopes() -> None:
    image = keras.Input((16, 16, 3))
    twice = layers.PReLU(shared_axes=[1, 2])
    check_same(keras.Model(image, twice(layers.Conv2D(3, 3)(twice(image)))))


def test_a_model_that_gives_back_its_input_is_refused() -> None:
    image = keras.Input((16, 16, 3))
    with pytest.raises(archdsl.ArchError, match="its input"):
        archdsl.config_of(keras.Model(image, [image, layers.ReLU()(image)]))


def test_every_layer_that_cannot_be_said_is_named_at_once() -> None:
    class Own(layers.Layer):
        def call(self, x: Any) -> Any:
            return x

    image = keras.Input((8, 8, 3))
    x = layers.Lambda(lambda each: each * 2, name="twice")(image)
    x = Own(name="mine")(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, name="deep")(x)
    x = layers.Conv2D(4, 1, activation=lambda each: each, name="odd")(x)
    x = keras.ops.roll(x, 1)
    with pytest.raises(archdsl.ArchError) as raised:
        archdsl.config_of(keras.Model(image, x))
    assert [each.path for each in raised.value.problems][:4] == ["twice", "mine", "deep", "odd"]
    assert len(raised.value.problems) == 5
    assert "Lambda" in str(raised.value)
    assert "depth_multiplier=2" in str(raised.value)


@pytest.mark.parametrize("shapes", [[(8, 8, 3), (8, 8, 3)], [(8,)]])
def test_a_model_that_does_not_take_one_image_is_refused(shapes: list[tuple[int, ...]]) -> None:
    images = [keras.Input(shape) for shape in shapes]
    result = layers.Add()(images) if len(images) > 1 else layers.Dense(2)(images[0])
    with pytest.raises(archdsl.ArchError, match="one image"):
        archdsl.config_of(keras.Model(images, result))


def test_the_config_of_a_backbone_is_its_own() -> None:
    model = archdsl.build_from_config("csp_darknet_tiny", weights=False)
    assert archdsl.config_of(model) == model.config
