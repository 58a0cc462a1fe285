"""archdsl.models against keras_cv 0.9.0: the same calls mean the same backbones."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import keras
import keras_cv
import numpy as np
import pytest

import archdsl
from archdsl import models
from archdsl.frontend.importers.keras_cv import yolo_v8
from archdsl.frontend.importers.keras_cv_arguments import arguments_of
from archdsl.ir.ops import Activation

CLASSES = [
    "YOLOV8Backbone",
    "CSPDarkNetBackbone",
    *[f"CSPDarkNet{size}Backbone" for size in ("Tiny", "S", "M", "L", "XL")],
    "ResNetV2Backbone",
    *[f"ResNet{depth}V2Backbone" for depth in (18, 34, 50, 101, 152)],
]
YOLO = {"stackwise_channels": [8, 12, 16], "stackwise_depth": (1, 2, 1), "include_rescaling": False}
RESNET = {
    "stackwise_filters": [8, 8, 16],
    "stackwise_blocks": [2, 3, 2],
    "stackwise_strides": [1, 2, 2],
    "include_rescaling": True,
}
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("YOLOV8Backbone", YOLO),
    ("YOLOV8Backbone", {**YOLO, "activation": "relu", "input_shape": (64, 96, 3)}),
    ("CSPDarkNetBackbone", YOLO),
    ("CSPDarkNetBackbone", {**YOLO, "use_depthwise": True, "include_rescaling": True}),
    ("ResNetV2Backbone", RESNET),
    ("ResNetV2Backbone", {**RESNET, "stackwise_dilations": [1, 1, 2]}),
    # keras_cv adds the first basic stack to its 64-channel stem without a projection.
    ("ResNetV2Backbone", {**RESNET, "block_type": "basic_block", "stackwise_filters": [64, 8, 8]}),
]


def parameters(owner: type) -> list[tuple[str, object, object]]:
    function = owner.__new__ if "__new__" in vars(owner) else owner.__init__
    return [(each.name, each.default, each.kind) for each in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_takes_keras_cvs_arguments_and_lists_its_presets(name: str) -> None:
    ours, theirs = getattr(models, name), getattr(keras_cv.models, name)
    assert parameters(ours) == parameters(theirs)
    for listing in ("presets", "presets_with_weights", "presets_without_weights"):
        assert set(getattr(ours, listing)) == set(getattr(theirs, listing))
    for preset, entry in ours.presets.items():
        assert entry["kaggle_handle"] == theirs.presets[preset]["kaggle_handle"]
        assert entry["metadata"]["params"] == theirs.presets[preset]["metadata"]["params"]


@pytest.mark.parametrize(("name", "arguments"), CALLS)
def test_the_same_call_gives_the_same_backbone(name: str, arguments: dict[str, Any]) -> None:
    ours, theirs = getattr(models, name)(**arguments), getattr(keras_cv.models, name)(**arguments)
    assert ours.count_params() == theirs.count_params()
    assert ours.input_shape == theirs.input_shape
    assert list(ours.pyramid_level_inputs) == list(theirs.pyramid_level_inputs)
    fixed = {level: keras.ops.shape(value) for level, value in maps(ours).items()}
    assert fixed == {level: keras.ops.shape(value) for level, value in maps(theirs).items()}
    for key in arguments:
        assert ours.get_config()[key] == (list(arguments[key]) if isinstance(arguments[key], tuple) else arguments[key])


def maps(model: keras.Model) -> dict[str, Any]:
    image = np.zeros((1, 64, 96, 3), "float32")
    layers = {level: model.get_layer(name).output for level, name in model.pyramid_level_inputs.items()}
    return dict(keras.Model(model.inputs[0], layers)(image))


def test_leaky_relu_has_the_slope_that_keras_gives_it() -> None:
    backbone = models.YOLOV8Backbone(**YOLO, activation="leaky_relu")
    (slope,) = {node.op.slope for node in backbone.graph.nodes if isinstance(node.op, Activation)}
    assert slope == pytest.approx(-float(keras.activations.get("leaky_relu")(np.array([-1.0]))[0]))


def test_the_widths_of_a_call_have_no_cap() -> None:
    costs = archdsl.analyze(yolo_v8([8, 8, 2048], [1, 1, 1]))
    assert [level.channels for level in costs.outputs.values()] == [8, 8, 2048]


@pytest.mark.parametrize("name", [name for name in models.ResNetV2Backbone.presets if "imagenet" not in name])
def test_a_resnet_halves_its_map_in_every_stage_but_the_first(name: str) -> None:
    assert arguments_of("ResNetV2Backbone", name)["stackwise_strides"] == [1, 2, 2, 2]  # resnet_v2_backbone_presets.py


def test_yolo_v8s_p1_is_the_end_of_the_stem() -> None:
    model = models.YOLOV8Backbone(**YOLO)
    assert model.get_layer(model.pyramid_level_inputs["P1"]).output.shape[-1] == 8
    assert "P1" not in model.pyramid_outputs


@pytest.mark.parametrize(
    ("name", "params"), [("CSPDarkNetTinyBackbone", 2_380_416), ("ResNet18V2Backbone", 11_183_488)]
)
def test_a_size_has_its_class_and_gives_a_model_of_the_family(name: str, params: int, tmp_path: Path) -> None:
    model = getattr(models, name)(input_shape=(64, 64, 3))
    assert model.count_params() == params
    assert any(isinstance(layer, keras.layers.Rescaling) for layer in model.layers)
    assert type(model).__name__ in ("CSPDarkNetBackbone", "ResNetV2Backbone")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    image = np.random.default_rng(0).integers(0, 255, (1, 64, 64, 3), dtype="uint8")
    assert type(loaded) is type(model)
    assert np.array_equal(np.asarray(loaded(image)), np.asarray(model(image)))


def test_from_preset_takes_names_and_replaces_arguments() -> None:
    model = models.CSPDarkNetBackbone.from_preset("csp_darknet_tiny", include_rescaling=False, input_shape=(64, 64, 3))
    assert model.stackwise_channels == [48, 96, 192, 384]
    assert model.input_shape == (None, 64, 64, 3)
    with pytest.raises(archdsl.ArchError, match=r"has no preset 'resnet18_v2'; expected one of: csp_darknet_l"):
        models.CSPDarkNetBackbone.from_preset("resnet18_v2")
    with pytest.raises(archdsl.ArchError, match="has no trained weights"):
        models.ResNetV2Backbone.from_preset("resnet18_v2", load_weights=True)


def test_the_config_of_a_call_is_the_language() -> None:
    model = models.ResNetV2Backbone(**RESNET)
    again = archdsl.build_from_config(model.config)
    again.set_weights(model.get_weights())
    image = np.random.default_rng(0).uniform(0, 255, (1, 64, 96, 3)).astype("float32")
    assert np.array_equal(np.asarray(again(image)), np.asarray(model(image)))


def test_an_input_tensor_and_names_work_as_in_keras_cv() -> None:
    begin = keras.Input((64, 96, 3))
    model = models.YOLOV8Backbone(**YOLO, input_tensor=begin, name="mine")
    assert model.inputs[0] is begin
    assert model.name == "mine"
    assert models.YOLOV8Backbone(**YOLO).name != models.YOLOV8Backbone(**YOLO).name


@pytest.mark.parametrize(
    ("call", "fact"),
    [
        (lambda: models.YOLOV8Backbone([8, 16], [1], False), "stackwise_channels has 2, stackwise_depth has 1"),
        (lambda: models.YOLOV8Backbone([8], [1], False, activation="silo"), "did you mean 'silu'"),
        (lambda: models.ResNetV2Backbone(**RESNET, block_type="blocks"), "did you mean 'block'"),
    ],
)
def test_wrong_arguments_are_told_plainly(call: Any, fact: str) -> None:
    with pytest.raises(archdsl.ArchError, match=fact):
        call()


@pytest.mark.parametrize(
    ("name", "listed", "not_listed"),
    [
        ("YOLOV8Backbone", "yolo_v8_s_backbone_coco (trained)", "resnet50_v2"),
        ("ResNetV2Backbone", "resnet18_v2, ", "yolo_v8"),
        ("CSPDarkNetTinyBackbone", "csp_darknet_tiny_imagenet (trained)", "csp_darknet_l"),
    ],
)
def test_the_documentation_of_from_preset_lists_the_presets(name: str, listed: str, not_listed: str) -> None:
    """As keras_cv's own test_preset_docstring wants it of its classes."""
    family = getattr(models, name)
    text = family.from_preset.__doc__
    assert all(preset in text for preset in family.presets)
    assert listed in text
    assert not_listed not in text
    assert list(inspect.signature(family.from_preset).parameters) == ["preset", "load_weights", "kwargs"]
