"""`archdsl.keras_layer`: a user's Keras layer as a block, its rules compared with the layer that is built."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from support import warm

import archdsl
from archdsl.analysis.expect import check_expectations
from archdsl.blocks import registry
from archdsl.frontend.compose.config import load
from archdsl.ir.cost import Weight
from archdsl.ir.types import FeatureMap
from archdsl.schemas.json_form import json_schema_of

Write = Callable[[str, str], Path]


class Gate(keras.layers.Layer):  # type: ignore[misc]
    """Each channel times a number of its own, every `stride`-th pixel, and `width` channels."""

    def __init__(self, width: int, stride: int = 1, **kwargs: Any):
        super().__init__(**kwargs)
        self.width, self.stride = width, stride

    def build(self, shape: Any) -> None:
        self.scale = self.add_weight(shape=(shape[-1],), name="scale")
        self.mix = self.add_weight(shape=(shape[-1], self.width), name="mix")
        self.count = self.add_weight(shape=(), name="count", initializer="zeros", trainable=False)

    def call(self, x: Any) -> Any:
        return (x[:, :: self.stride, :: self.stride] * self.scale) @ self.mix

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width, "stride": self.stride}


def gate_shape(x: FeatureMap, width: int, stride: int) -> FeatureMap:
    return x.strided(stride).with_channels(width)


def gate_weights(x: FeatureMap, width: int) -> list[Any]:
    return [(x.channels,), (x.channels, width), Weight("count", (), trainable=False)]


ASKED = {"stride": lambda stride: stride}
RULES = {"shape": gate_shape, "weights": gate_weights}
NET = {
    "stem": {"conv": {"block": "conv_bn_act", "width": 8, "kernel": 3, "stride": 2}},
    "stages": {"p2": {"width": 12, "stride": 2, "depth": 2, "body": {"block": "gate"}}},
}


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Blocks that a test registers are gone after it."""
    monkeypatch.setattr(registry, "_blocks", dict(registry.all_blocks()))
    yield


def one_layer(block: str, **arguments: Any) -> dict[str, Any]:
    """A backbone of an image of 6 channels and one layer."""
    return {"input": {"shape": [None, None, 6]}, "stages": {"a": {"body": {"block": block, **arguments}}}}


# Costs are those of the layer that Keras builds


@pytest.mark.parametrize("rules", [RULES, ASKED, {"shape": gate_shape}], ids=["rules", "asked", "half asked"])
@pytest.mark.parametrize("shape", [(64, 96, 3), (None, None, 3)], ids=["known size", "any size"])
def test_costs_are_known_before_and_equal_those_of_the_built_model(rules: Any, shape: Any) -> None:
    archdsl.keras_layer(Gate, **rules)
    report = archdsl.analyze(NET, input_shape=shape)
    model = archdsl.build_from_config(NET, input_shape=shape)
    assert report.params == model.count_params()
    assert report.trainable_params == sum(int(np.prod(each.shape)) for each in model.trainable_weights)
    assert report.outputs["P2"].shape == tuple(model.outputs[0].shape[1:])
    assert report.outputs["P2"].stride == 4


@pytest.mark.parametrize(
    ("layer", "arguments", "stride"),
    [
        (keras.layers.DepthwiseConv2D, {"kernel_size": 5, "strides": 2, "padding": "same", "depth_multiplier": 3}, 2),
        (keras.layers.DepthwiseConv2D, {"kernel_size": [5, 3]}, 1),
        (keras.layers.Cropping2D, {"cropping": 20}, 1),
        (keras.layers.LayerNormalization, {}, 1),
        (keras.layers.BatchNormalization, {}, 1),
        (keras.layers.UpSampling2D, {"size": 2}, 0.5),
        (keras.layers.GlobalAveragePooling2D, {"keepdims": True}, 1),
        (keras.layers.SeparableConv2D, {"filters": 7, "kernel_size": 3, "strides": 3}, 3),
        (keras.layers.SpatialDropout2D, {"rate": 0.5}, 1),
    ],
)
def test_keras_own_layers_are_wrapped_with_no_rule_but_their_stride(
    layer: Any, arguments: dict[str, Any], stride: float
) -> None:
    block = archdsl.keras_layer(layer, stride=None if stride == 1 else stride)
    config = one_layer(block.name, **arguments)
    report = archdsl.analyze(config, input_shape=(48, 60, 6))
    x = keras.Input((48, 60, 6))
    expected = keras.Model(x, layer(**arguments)(x))
    assert report.outputs == {}
    last = report.nodes[-1]
    assert (last.shape, last.stride) == (expected.outputs[0].shape[1:], stride)
    assert (report.params, last.params) == (expected.count_params(),) * 2
    assert archdsl.build_from_config(config).count_params() == expected.count_params()


def test_a_function_that_makes_a_layer_is_a_block_with_its_signature() -> None:
    def mixer(*, width: registry.Width, kernel: registry.Kernel = 3, name: str) -> Any:
        """Depth and then width."""
        return keras.layers.SeparableConv2D(width, kernel, padding="same", name=name)

    block = archdsl.keras_layer(mixer, shape=lambda x, width: x.with_channels(width))
    assert (block.name, block.summary, list(block.parameters)) == (
        "mixer",
        "Depth and then width.",
        ["width", "kernel"],
    )
    config = {"scale": {"width": 0.5}, "stages": {"a": {"width": 16, "body": {"block": "mixer"}}}}
    assert archdsl.compile_config(config).output.channels == 8
    with pytest.raises(archdsl.ArchError, match=r"stages\.a\.body\.kernel: got the number 0; expected a value ≥ 1"):
        archdsl.compile_config(config, ["+stages.a.body.kernel=0"])


def test_the_cost_in_multiplications_is_what_its_rule_says() -> None:
    rules = {**RULES, "macs": lambda x, width: x.height * x.image_width * x.channels * width}
    archdsl.keras_layer(Gate, **rules)
    assert archdsl.analyze(one_layer("gate", width=4), input_shape=(10, 10, 6)).macs == 2400
    assert archdsl.analyze(one_layer("gate", width=4), input_shape=None).macs is None


def test_multiplications_that_no_rule_counts_are_not_known() -> None:
    archdsl.keras_layer(keras.layers.SeparableConv2D)
    archdsl.keras_layer(keras.layers.LeakyReLU)
    config = one_layer("separable_conv2d", filters=4, kernel_size=3)
    assert archdsl.analyze(config, input_shape=(10, 10, 6)).macs is None
    assert archdsl.analyze(one_layer("leaky_re_lu"), input_shape=(10, 10, 6)).macs == 0
    with pytest.raises(archdsl.ArchError, match="promises 5, the graph has an unknown number"):
        check_expectations(load({**config, "expect": {"macs": 5}}), archdsl.analyze(config))


@pytest.mark.parametrize("shape", [(48, 60, 6), (None, None, 6)])
def test_a_layer_that_is_asked_has_to_have_its_stride_stated(shape: Any) -> None:
    archdsl.keras_layer(keras.layers.MaxPooling2D)
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.analyze(one_layer("max_pooling2d", strides=2), input_shape=shape)
    (problem,) = caught.value.problems
    assert "for 1024x1280x6 the layer gives 512x640x6, which is not a stride of 1" in problem.message
    assert "stride=2" in problem.hint


def test_a_layer_follows_no_setting_of_keras_for_the_order_of_sides() -> None:
    archdsl.keras_layer(keras.layers.SeparableConv2D)
    keras.config.set_image_data_format("channels_first")
    try:
        model = archdsl.build_from_config(one_layer("separable_conv2d", filters=4, kernel_size=3, padding="same"))
    finally:
        keras.config.set_image_data_format("channels_last")
    assert model.output_shape == (None, None, None, 4)


def test_the_receptive_field_is_the_whole_image_unless_a_rule_says_better() -> None:
    archdsl.keras_layer(Gate, name="unknown")
    archdsl.keras_layer(Gate, name="pointwise", reach=lambda: 1)
    archdsl.keras_layer(keras.layers.DepthwiseConv2D, reach=lambda kernel_size: kernel_size)
    fields = []
    for body in ({"block": "unknown"}, {"block": "pointwise"}, {"block": "depthwise_conv2d", "kernel_size": 5}):
        config = {**NET, "stages": {"a": {"width": 4, "body": body}}, "outputs": ["a"]}
        fields.append(archdsl.analyze(config).outputs["a"].receptive_field)
    assert fields == [None, 3, 3 + 4 * 2]


def test_with_rules_for_all_costs_keras_is_not_imported(write: Write) -> None:
    plugin = """
import archdsl
import archdsl.blocks

def gate(*, width, name):
    import keras
    return keras.layers.Dense(width, name=name)

archdsl.keras_layer(gate, shape=lambda x, width: x.with_channels(width), weights=lambda x, width: [(x.channels, width)])
"""
    program = f"""
import sys, archdsl
config = {{"stages": {{"a": {{"width": 4, "body": {{"block": "gate"}}}}}}}}
assert archdsl.analyze(config, plugins=[{str(write("mine.py", plugin))!r}]).params == 12
assert not {{"keras", "tensorflow"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_asking_a_layer_does_not_change_what_a_model_begins_with() -> None:
    archdsl.keras_layer(Gate, **ASKED)
    state = random.getstate()
    archdsl.compile_config(NET, input_shape=(40, 40, 3))
    assert random.getstate() == state


# Rules that are wrong


WRONG: dict[str, tuple[dict[str, Any], tuple[Any, ...], str]] = {
    "channels": (
        {"shape": lambda x, stride: x.strided(stride)},
        (64, 64, 3),
        "for 32x32x8 the shape rule gives 16x16x8, the layer 16x16x12; expected the same",
    ),
    "size": (
        {"shape": lambda x, width: x.with_channels(width)},
        (64, 64, 3),
        "for 32x32x8 the shape rule gives 32x32x12, the layer 16x16x12; expected the same",
    ),
    "size of any image": (
        {"shape": lambda x, width, stride: x._replace(channels=width, stride=x.stride * stride)},
        (None, None, 3),
        "for 1024x1280x8 the shape rule gives 1024x1280x12, the layer 512x640x12; expected the same",
    ),
    "rounding": (
        {
            "shape": lambda x, width, stride: FeatureMap(
                x.height and x.height // stride, x.image_width and x.image_width // stride, width, x.stride * stride
            )
        },
        (None, None, 3),
        "for 1023x1281x8 the shape rule gives 511x640x12, the layer 512x641x12; expected the same",
    ),
    "stride": (
        {"shape": lambda x, width, stride: x.strided(stride)._replace(channels=width, stride=x.stride)},
        (64, 64, 3),
        "for 1024x1280x8 the layer gives 512x640x12, which is not a stride of 1",
    ),
    "a stride beside the shape": (
        {**RULES, "stride": lambda: 4},
        (64, 64, 3),
        "for 1024x1280x8 the layer gives 512x640x12, which is not a stride of 4",
    ),
    "weights": (
        {**RULES, "weights": lambda x, width: [(width,)]},
        (64, 64, 3),
        "the weights rule gives (12,), the layer owns (8,) and (8, 12) and (), not trained; expected the same",
    ),
    "weights that training leaves": (
        {**RULES, "weights": lambda x, width: [(x.channels,), (x.channels, width), ()]},
        (64, 64, 3),
        "the weights rule gives (8,) and (8, 12) and (), the layer owns (8,) and (8, 12) and (), not trained",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_rule_is_an_error_when_the_model_is_built(wrong: str) -> None:
    rules, shape, message = WRONG[wrong]
    archdsl.keras_layer(Gate, **rules)
    config = {**NET, "stages": {"a": {**NET["stages"]["p2"], "depth": 1}}}
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.build_from_config(config, input_shape=shape)
    (problem,) = caught.value.problems
    assert problem.code == "keras-layer"
    assert f"a_body_gate, of block 'gate': {message}" in problem.message
    assert problem.file == __file__
    assert problem.line > 0


def test_a_rule_may_refuse_sizes_and_is_not_tried_at_them() -> None:
    def halved(x: FeatureMap, width: int, stride: int) -> FeatureMap:
        if x.height and x.height % 32:
            raise archdsl.ir.node.ShapeError("expected a multiple of 32")
        return gate_shape(x, width, stride)

    archdsl.keras_layer(Gate, shape=halved)
    assert archdsl.build_from_config(NET, input_shape=(256, 256, 3)).output_shape == (None, 64, 64, 12)
    with pytest.raises(archdsl.ArchError, match="expected a multiple of 32"):
        archdsl.build_from_config(NET, input_shape=(250, 250, 3))


def test_arguments_may_be_mappings_and_types_that_no_config_can_be_checked_against() -> None:
    class Options:
        pass

    def scaled(*, options: dict[str, float], other: Options | None = None, name: str) -> Any:
        return keras.layers.Rescaling(options["scale"], name=name)

    block = archdsl.keras_layer(scaled)
    assert json_schema_of(block.schema)["required"] == ["options"]
    graph = archdsl.compile_config(one_layer("scaled", options={"scale": 2.0}))
    assert str(graph.output.op) == "scaled(options={'scale': 2.0})"


def fails(x: FeatureMap, **arguments: Any) -> FeatureMap:
    raise KeyError("no such size")


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"shape": fails}, "the shape rule of block 'gate' fails: KeyError"),
        ({"shape": lambda x: (4, 4, 4)}, "the shape rule of block 'gate' fails: TypeError: expected a FeatureMap"),
        (
            {**RULES, "stride": lambda width: 0},
            "the stride rule of block 'gate' fails: ValueError: expected",
        ),
        ({"weights": lambda x: [8]}, "the weights rule of block 'gate' fails: TypeError"),
        ({"reach": lambda stride: str(stride) + "px"}, "the reach rule of block 'gate' fails: ValueError"),
        ({"shape": lambda x, other: x}, "the shape rule of block 'gate' fails: TypeError"),
    ],
)
def test_a_rule_that_fails_is_reported_at_the_layer(rules: dict[str, Any], message: str, write: Write) -> None:
    archdsl.keras_layer(Gate, **rules)
    path = write("net.yaml", "stages:\n  a:\n    width: 4\n    body: {block: gate}\n")
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.compile_config(path)
    (problem,) = caught.value.problems
    assert (problem.line, problem.path) == (4, "stages.a.body")
    assert message in problem.message


def test_a_layer_that_fails_is_reported_at_the_layer(problems_of: Callable[..., list[archdsl.Problem]]) -> None:
    archdsl.keras_layer(keras.layers.DepthwiseConv2D)
    (problem,) = problems_of(one_layer("depthwise_conv2d", kernel_size=-1))
    assert (problem.code, problem.path) == ("shape", "stages.a.body")
    assert "making the layer fails: ValueError" in problem.message
    archdsl.keras_layer(keras.layers.GlobalMaxPooling2D)
    (problem,) = problems_of(one_layer("global_max_pooling2d"))
    assert "the layer gives a tensor of shape (None, 6); expected one feature map" in problem.message


class Nameless(keras.layers.Layer):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()


def test_what_is_no_layer_is_refused() -> None:
    with pytest.raises(archdsl.ArchError, match="Path is not a Keras layer"):
        archdsl.keras_layer(Path)
    with pytest.raises(archdsl.ArchError, match="Nameless takes no `name`"):
        archdsl.keras_layer(Nameless)
    with pytest.raises(archdsl.ArchError, match="is neither a class nor a function"):
        archdsl.keras_layer(keras.layers.ReLU())
    with pytest.raises(archdsl.ArchError, match="block 'c2f' is defined twice"):
        archdsl.keras_layer(Gate, name="c2f")
    archdsl.keras_layer(lambda *, name: 3, shape=lambda x: x, weights=lambda x: (), name="three")
    with pytest.raises(archdsl.ArchError, match="gives 3; expected a Keras layer"):
        archdsl.build_from_config(one_layer("three"))
    archdsl.keras_layer(lambda name: keras.layers.ReLU(), shape=lambda x: x, weights=lambda x: (), name="other")
    with pytest.raises(archdsl.ArchError, match="expected the name that it is given"):
        archdsl.build_from_config(one_layer("other"))


# A model with such layers is a model like any other


def test_it_trains_saves_loads_and_fuses(tmp_path: Path) -> None:
    archdsl.keras_layer(Gate, **RULES)
    blocks = {"mine": {"arguments": {"width": None}, "layers": {"a": {"block": "gate", "width": "$width"}}}}
    post = {"conv": {"block": "conv_bn_act", "width": 8}, "mine": {"block": "mine"}}
    stages = {"p2": {**NET["stages"]["p2"], "post": post}}
    config = {**NET, "input": {"rescale": True}, "blocks": blocks, "stages": stages}
    model = archdsl.build_from_config(config, input_shape=(32, 32, 3))
    images = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype("float32")
    model.compile("sgd", "mse", jit_compile=False)
    model.fit(images, np.zeros(model.output_shape[1:])[None].repeat(4, 0), verbose=0)
    expected = np.asarray(model(images))
    assert [layer.name for layer in model.layers if isinstance(layer, Gate)] == [
        "p2_body_1_gate",
        "p2_body_2_gate",
        "p2_mine_a_gate",
    ]
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(images), expected, rtol=1e-5, atol=1e-6)
    fused = archdsl.fuse(model)
    assert sum(isinstance(layer, Gate) for layer in fused.layers) == 3
    np.testing.assert_allclose(fused(images), expected, rtol=1e-3, atol=1e-5)
    model.to_keras().save(tmp_path / "plain.keras")
    plain = keras.models.load_model(tmp_path / "plain.keras")
    np.testing.assert_allclose(plain(images), expected, rtol=1e-5, atol=1e-6)


PLUGIN = """
import archdsl
import archdsl.blocks
import keras

class Halve(keras.layers.Layer):
    \"\"\"Half of every pixel.\"\"\"

    def __init__(self, part=0.5, **kwargs):
        super().__init__(**kwargs)
        self.part = part

    def call(self, x):
        return self.part * x

    def get_config(self):
        return {**super().get_config(), "part": self.part}

archdsl.keras_layer(Halve)
"""


def test_the_command_line_takes_it_from_a_plugin(
    write: Write, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    write("mine.py", PLUGIN)
    write("net.yaml", "stages: {a: {body: {block: halve, part: 0.25}}}\n")
    text = run("blocks", "halve", "--plugin", "mine.py").stdout
    assert "Half of every pixel." in text
    assert ["part", "0.5", "any"] in [line.split() for line in text.splitlines()]
    assert run("build", "net.yaml", "--plugin", "mine.py", "-o", "plain.keras", "--plain").returncode == 0
    program = write(
        "program.py",
        """
import keras, numpy
from archdsl.blocks.plugins import load_plugins
load_plugins(["mine.py"])
print(keras.models.load_model("plain.keras")(numpy.ones((1, 2, 2, 3)))[0, 0, 0, 0])
""",
    )
    printed = warm.run(program.name, folder=program.parent, keras=True)
    assert "0.25" in printed.stdout, printed.stderr
