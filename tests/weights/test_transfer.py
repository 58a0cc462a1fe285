"""Weights of one architecture in a variant of it, and parts that training leaves alone."""

from __future__ import annotations

import itertools
import json
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from support.keras_cv_files import ALL_LAYOUTS

import archdsl
from archdsl import models, weights
from archdsl.weights.transfer import Transfer

VARIANT = """
defaults: [yolo_v8_xs_backbone, _self_]
stages:
  p3: {depth: 12}
  between: {after: p3, width: 256, down: null}
  p4: {body: {block: csp}}
  p5: {width: 512}
  p6: {width: 1024, depth: 3}
outputs: [p3, p4, p5, p6]
"""
FROZEN = {"freeze": ["stem", "p2"]}


@pytest.fixture(scope="module")
def variant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("variant") / "variant.yaml"
    path.write_text(VARIANT)
    return path


@pytest.fixture(scope="module")
def trained(keras_cv_files: Path) -> dict[str, dict[str, list[np.ndarray]]]:
    """What each layer must get, by keras_cv's file of the whole architecture, for the Keras that wrote it."""

    def arrays(version: str) -> dict[str, list[np.ndarray]]:
        name = "yolo_v8_xs_backbone"
        model = archdsl.build_from_config(name, weights=keras_cv_files / name / f"{version}.weights.h5")
        return {node: layer.get_weights() for node, layer in model.layers_by_node.items()}

    return {version: arrays(version) for version in "23"}


@pytest.mark.parametrize("layout", ALL_LAYOUTS)
def test_a_variant_gets_what_fits_from_every_layout(
    layout: str, variant: Path, keras_cv_files: Path, trained: dict[str, dict[str, list[np.ndarray]]]
) -> None:
    model = archdsl.build_from_config(variant)
    fresh = {name: layer.get_weights() for name, layer in model.layers_by_node.items()}
    transfer = weights.load(model, keras_cv_files / "yolo_v8_xs_backbone" / layout, partial=True)
    moved = {each.node for each in transfer.moved}
    assert {each.node for each in transfer.left} == set(fresh) - moved
    now = {name: layer.get_weights() for name, layer in model.layers_by_node.items()}
    for name, arrays in now.items():
        source = trained[layout[0]] if name in moved else fresh
        assert all(np.array_equal(new, old) for new, old in zip(arrays, source[name], strict=True)), name
    assert {"stem_conv_conv", "p2_body_fuse_bn", "p3_body_1_conv1_conv", "p4_down_conv"} <= moved
    reasons = {each.node: each.reason for each in transfer.left}
    assert {reasons[name] for name in ("p3_body_4_conv1_conv", "between_body_fuse_conv", "p6_down_conv")} == {
        "not in the file"
    }
    assert reasons["p5_down_conv"] == "3×3×128×256 in the file, 3×3×128×128 here"
    assert any("c2f_pre" in name or "body_split" in name for name in transfer.unused)


def test_every_layer_that_a_variant_shares_by_name_and_shape_moves(
    variant: Path, keras_cv_files: Path, trained: dict[str, dict[str, list[np.ndarray]]]
) -> None:
    model = archdsl.build_from_config(variant)
    expected = {
        name
        for name, layer in model.layers_by_node.items()
        if name in trained["2"] and [w.shape for w in layer.get_weights()] == [w.shape for w in trained["2"][name]]
    }
    transfer = weights.load(model, keras_cv_files / "yolo_v8_xs_backbone/2.h5", partial=True)
    assert {each.node for each in transfer.moved} == expected


def test_a_file_without_names_of_no_preset_says_how_to_transfer_it(keras_cv_files: Path) -> None:
    model = models.YOLOV8Backbone([8, 16, 24], [2, 2, 1], True)
    weights.load(model, keras_cv_files / "yolo/3.weights.h5", partial=True)
    with pytest.raises(archdsl.ArchError) as caught:
        weights.load(model, keras_cv_files / "yolo/2.weights.h5", partial=True)
    assert "have no names that tell" in caught.value.problems[0].message
    assert "save that as .safetensors" in caught.value.problems[0].hint


@pytest.mark.parametrize(("unused", "told"), [((), "0 layers of the file were"), (("a",), "1 layer of the file was")])
def test_one_layer_is_not_told_as_several(unused: tuple[str, ...], told: str) -> None:
    assert f"{told} not used" in Transfer("names", "name", (), unused=unused).summary()


def test_weights_of_something_else_are_refused_even_in_part(keras_cv_files: Path) -> None:
    model = archdsl.build_from_config("resnet18_v2")
    with pytest.raises(archdsl.ArchError, match="no layer of resnet18_v2 fits"):
        weights.load(model, keras_cv_files / "yolo_v8_xs_backbone/3.weights.h5", partial=True)


def test_the_command_prints_what_moved_and_what_did_not(
    variant: Path, keras_cv_files: Path, tmp_path: Path, run: Any
) -> None:
    file = str(keras_cv_files / "yolo_v8_xs_backbone/3.weights.h5")
    arguments = ("build", str(variant), "--weights", file, "--freeze", "stem,p2")
    whole = run(*arguments, "--force", "-o", "a.keras")
    assert whole.returncode == 2
    assert "not in the file" in whole.stderr
    assert not (tmp_path / "a.keras").exists()
    part = run(*arguments, "--force", "-o", "a.keras", "--partial")
    assert part.returncode == 0, part.stderr
    lines = {line.split()[0]: line for line in part.stdout.splitlines() if line.strip()}
    assert "2 of 2" in lines["stem.conv"]
    assert "not in the file" in lines["p6.down"]
    assert "3×3×128×256 in the file, 3×3×128×128 here" in lines["p5.down"]
    as_json = json.loads(run(*arguments, "--force", "-o", "a.keras", "--partial", "--json").stdout)
    assert {each["reason"] for each in as_json["transfer"]["left"] if each["entry"] == "stages.p6.down"} == {
        "not in the file"
    }
    assert f"{len(as_json['transfer']['moved'])} of" in part.stdout
    loaded = keras.saving.load_model(tmp_path / "a.keras")
    assert not loaded.get_layer("p2_body_fuse_conv").trainable
    assert loaded.get_layer("p3_body_fuse_conv").trainable


# Frozen stages


def tiny(**more: Any) -> dict[str, Any]:
    return {
        "stem": {"conv": {"block": "conv_bn_act", "width": 8, "kernel": 3, "stride": 2}},
        "stage_defaults": {"down": {"block": "conv_bn_act", "kernel": 3, "stride": 2}, "body": {"block": "c2f"}},
        "stages": {"p2": {"width": 8}, "p3": {"width": 16}},
        **more,
    }


@pytest.mark.parametrize("as_argument", [True, False])
def test_frozen_stages_keep_weights_and_statistics_in_training(as_argument: bool) -> None:
    model = archdsl.build_from_config(tiny(), **FROZEN) if as_argument else archdsl.build_from_config(tiny(**FROZEN))
    before = {name: layer.get_weights() for name, layer in model.layers_by_node.items()}
    model.compile("sgd", "mse", jit_compile=False)
    images = np.random.default_rng(0).uniform(0, 1, (2, 32, 32, 3))
    model.fit(images, np.ones(model(images).shape), verbose=0)
    for name, layer in model.layers_by_node.items():
        same = all(np.array_equal(a, b) for a, b in zip(before[name], layer.get_weights(), strict=True))
        assert same is name.startswith(("stem_", "p2_")), name


def test_what_is_frozen_is_counted_saved_and_loaded(tmp_path: Path) -> None:
    model = archdsl.build_from_config(tiny(**FROZEN))
    counted = archdsl.analyze(tiny(**FROZEN)).trainable_params
    assert counted == sum(weight.numpy().size for weight in model.trainable_variables)
    assert counted < archdsl.analyze(tiny()).trainable_params
    model.save(tmp_path / "a.keras")
    weights.save(model, tmp_path / "a.safetensors")
    names = [weight.path for weight in model.trainable_variables]
    loaded = keras.saving.load_model(tmp_path / "a.keras")
    assert [weight.path for weight in loaded.trainable_variables] == names
    assert [w.path for w in archdsl.build_from_config(tmp_path / "a.safetensors").trainable_variables] == names
    thawed = archdsl.build_from_config(tmp_path / "a.safetensors", freeze=[])
    assert len(thawed.trainable_variables) > len(names)
    for layer in loaded.layers:
        layer.trainable = True  # thawed for the last epochs, and so it stays
    loaded.save(tmp_path / "b.keras")
    again = keras.saving.load_model(tmp_path / "b.keras")
    assert len(again.trainable_variables) == len(thawed.trainable_variables)


def test_a_stage_that_is_not_there_cannot_be_frozen(problems_of: Any) -> None:
    (found,) = problems_of(tiny(freeze=["stem", "p33"]))
    assert (found.code, found.path, found.hint) == ("unknown-stage", "freeze.1", "did you mean 'p3'?")
    assert archdsl.compile_config(tiny(freeze=["p2", "p3"]), ["~stages.p3"]).freeze == ("p2",)
    with pytest.raises(archdsl.ArchError, match="expected a list of freeze"):
        archdsl.build_from_config(tiny(), freeze="stem")


def test_keras_cvs_classes_keep_their_precision_and_what_is_frozen(tmp_path: Path) -> None:
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = models.CSPDarkNetBackbone(stackwise_channels=[8, 16], stackwise_depth=[1, 1], include_rescaling=True)
    finally:
        keras.config.set_dtype_policy("float32")
    model.get_layer("stem_conv_conv").trainable = False
    model.save(tmp_path / "a.keras")
    loaded = keras.saving.load_model(tmp_path / "a.keras", safe_mode=True)
    assert type(loaded) is type(model)
    images = np.zeros((1, 32, 32, 3), "float32")
    assert loaded(images).dtype == model(images).dtype == "float16"
    assert not loaded.get_layer("stem_conv_conv").trainable
    assert loaded.get_layer("p2_down_conv").trainable
    assert keras.config.dtype_policy().name == "float32"


# A backbone out of a larger model


@cache
def larger(kind: str) -> tuple[Any, Any]:
    """A model of keras_cv around a small backbone, and ours of that backbone."""
    import keras_cv.models as theirs

    name, arguments = {
        "detector": ("YOLOV8Backbone", FOUR_STAGES),
        "classifier": ("CSPDarkNetBackbone", FOUR_STAGES),
        "retina": ("ResNetV2Backbone", FOUR_STACKS),
    }[kind]
    backbone, boxes = getattr(theirs, name)(**arguments), {"num_classes": 3, "bounding_box_format": "xywh"}
    make = {
        "detector": lambda: theirs.YOLOV8Detector(backbone=backbone, fpn_depth=1, **boxes),
        "classifier": lambda: theirs.ImageClassifier(backbone=backbone, num_classes=3),
        "retina": lambda: theirs.RetinaNet(backbone=backbone, **boxes),
    }
    model = make[kind]()
    generator = np.random.default_rng(0)
    for weight in backbone.weights:
        weight.assign(generator.uniform(0.5, 1.5, weight.shape) / max(1, np.prod(weight.shape[:-1])))
    return (model, backbone), getattr(models, name)(**arguments)


FOUR_STAGES = {"stackwise_channels": [8, 16, 24, 32], "stackwise_depth": [1, 1, 1, 1], "include_rescaling": True}
FOUR_STACKS = {
    "stackwise_filters": [8, 8, 16, 16],
    "stackwise_blocks": [2, 2, 2, 2],
    "stackwise_strides": [1, 2, 2, 2],
    "include_rescaling": True,
}


def last_level(model: Any) -> Any:
    return keras.Model(model.inputs, model.get_layer(model.pyramid_level_inputs["P5"]).output)


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        *itertools.product(("detector", "classifier", "retina"), (".weights.h5", ".keras")),
        ("detector", ".h5"),  # as Keras 2 writes it too; neither writes a RetinaNet so
    ],
)
def test_a_backbone_is_taken_out_of_a_larger_model_of_keras_cv(kind: str, suffix: str, tmp_path: Path) -> None:
    (whole, backbone), model = larger(kind)
    model.set_weights([np.zeros(weight.shape) for weight in model.weights])
    path = tmp_path / f"whole{suffix}"
    (whole.save_weights if suffix == ".weights.h5" else whole.save)(path)
    with pytest.raises(archdsl.ArchError, match="does not fit"):
        weights.load(model, path)
    transfer = weights.load(model, path, partial=True)
    assert transfer.matched_by == "name"
    assert {each.node.partition("_")[0] for each in transfer.left} == ({"tail"} if kind == "retina" else set())
    assert transfer.unused  # the head
    image = np.random.default_rng(1).uniform(0, 255, (1, 64, 64, 3)).astype("float32")
    maps = [last_level(each)(image) for each in (model, backbone)]  # RetinaNet has no tail
    assert np.allclose(*maps, rtol=1e-4, atol=1e-6)


def test_a_backbone_whose_layers_a_file_does_not_name_is_not_guessed(tmp_path: Path) -> None:
    (whole, _), model = larger("classifier")
    whole.save(tmp_path / "whole.h5")
    with pytest.raises(archdsl.ArchError, match="no names that tell where they belong"):
        weights.load(model, tmp_path / "whole.h5", partial=True)
