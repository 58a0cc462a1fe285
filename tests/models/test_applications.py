"""keras.applications as configs: the same parameters and, with the same weights, the same numbers; and editable."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import yaml
from support import keras
from support.samples import sampled

import archdsl
from archdsl.frontend.compose.search_path import config_root, preset_names


class Application(NamedTuple):
    """The class of keras.applications, and sides of images that a backbone and a classifier are compared at."""

    name: str
    sides: tuple[int, ...] = (64, 97)
    classifier_sides: tuple[int, ...] = ()


APPLICATIONS: dict[str, Application] = {
    **{f"vgg{layers}": Application(f"VGG{layers}", classifier_sides=(224,)) for layers in (16, 19)},
    **{f"resnet{layers}": Application(f"ResNet{layers}") for layers in (50, 101, 152)},
    **{f"resnet{layers}_v2": Application(f"ResNet{layers}V2") for layers in (50, 101, 152)},
    "inception_v3": Application("InceptionV3", (75, 96)),
    "inception_resnet_v2": Application("InceptionResNetV2", (75, 96)),
    "xception": Application("Xception", (71, 96)),
    "mobilenet": Application("MobileNet", (64, 96)),  # which pads an odd side of a map as if it were even
    "mobilenet_v2": Application("MobileNetV2"),
    "mobilenet_v3_small": Application("MobileNetV3Small"),
    "mobilenet_v3_large": Application("MobileNetV3Large"),
    **{f"densenet{layers}": Application(f"DenseNet{layers}") for layers in (121, 169, 201)},
    **{f"efficientnet_b{size}": Application(f"EfficientNetB{size}") for size in range(8)},
    **{f"efficientnet_v2_{size}": Application(f"EfficientNetV2{size.upper()}") for size in ("b0", "b1", "b2", "b3")},
    **{f"efficientnet_v2_{size}": Application(f"EfficientNetV2{size.upper()}") for size in "sml"},
    **{f"convnext_{size}": Application(f"ConvNeXt{size.title()}") for size in ("tiny", "small", "base", "large")},
    "convnext_xlarge": Application("ConvNeXtXLarge"),
    "nasnet_mobile": Application("NASNetMobile"),
    "nasnet_large": Application("NASNetLarge"),
}
TASKS = ("backbone", "classify")
# The backbones of version 2 are those of keras_cv, whose stacks have other strides: resnet50_v2 and its like.
KERAS_CVS = {f"resnet{layers}_v2_backbone" for layers in (50, 101, 152)}
PRESETS = [f"{name}_{task}" for name in APPLICATIONS for task in TASKS if f"{name}_{task}" not in KERAS_CVS]
SAMPLE = [  # at odd sides too, where padding matters
    ("mobilenet_classify", 96),
    ("mobilenet_v2_backbone", 97),
    ("mobilenet_v3_small_classify", 97),
    ("efficientnet_b0_classify", 64),
    ("resnet50_v2_classify", 97),
    ("convnext_tiny_classify", 64),
]


@pytest.fixture
def fresh_keras() -> Iterable[None]:
    """No model outlives its test."""
    yield
    keras.utils.clear_session()


def of_keras(preset: str, side: int) -> Any:
    """The network of keras.applications that a preset is."""
    name, _, task = preset.rpartition("_")
    make = getattr(keras.applications, APPLICATIONS[name].name)
    return make(weights=None, include_top=task == "classify", input_shape=(side, side, 3))


def sides(preset: str) -> tuple[int, ...]:
    name, _, task = preset.rpartition("_")
    application = APPLICATIONS[name]
    return (task == "classify" and application.classifier_sides) or application.sides


def randomize(model: Any) -> None:
    """Give every weight a value away from its start that keeps activations at a usual size."""
    generator = np.random.default_rng(0)
    for weight in model.weights:
        low, high = (0.8, 1.2) if weight.name in ("gamma", "moving_variance", "variance") else (-0.1, 0.1)
        if weight.name not in ("kernel", "depthwise_kernel", "pointwise_kernel", "count"):
            weight.assign(generator.uniform(low, high, weight.shape))
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # it keeps a copy of its statistics


def settle(model: Any, images: Any) -> None:
    """Give batch norms the statistics of these images: else the result of a deep network hardly depends on them."""
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
    model(images, training=True)
    for layer, momentum in zip(norms, momenta, strict=True):
        layer.momentum = momentum


def difference(expected: Any, found: Any) -> float:
    """The largest difference, as a part of the largest value."""
    expected, found = np.asarray(expected), np.asarray(found)
    assert found.shape == expected.shape
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def count(weights: Iterable[Any]) -> int:
    return sum(int(np.prod(weight.shape)) for weight in weights)


@pytest.mark.keras
@pytest.mark.usefixtures("fresh_keras")
@pytest.mark.parametrize("case", sampled([(name, side) for name in PRESETS for side in sides(name)], SAMPLE), ids=str)
def test_a_preset_gives_the_numbers_of_keras_applications(case: tuple[str, int]) -> None:
    preset, side = case
    theirs = of_keras(preset, side)
    randomize(theirs)
    images = np.random.default_rng(1).uniform(0, 255, (8, side, side, 3)).astype("float32")
    settle(theirs, images)
    ours = archdsl.build_from_config(preset, input_shape=(side, side, 3))
    assert ours.count_params() == theirs.count_params()
    assert count(ours.trainable_weights) == count(theirs.trainable_weights)
    archdsl.weights.load(ours, theirs)
    assert difference(theirs(images[:2]), theirs(images[2:4])) > 1e-3
    assert difference(theirs(images[:2]), ours(images[:2])) <= 1e-5


def test_every_application_of_keras_that_is_here_has_both_presets() -> None:
    assert {f"{name}_classify" for name in APPLICATIONS} <= set(preset_names())
    assert set(PRESETS) <= set(preset_names())


# Trainable parameters and all of them, with a classifier of 1000 classes, as timm 1.0.31 counts them; RepVGG and
# MobileOne with their branches. Keras does not have these.
COUNTS = {
    "regnetx_004_classify": (5_157_512, 5_194_184),
    "regnety_004_classify": (4_344_144, 4_371_296),
    "repvgg_a0_classify": (9_108_968, 9_132_616),
    "mobileone_s0_classify": (5_293_272, 5_381_464),
    "hrnet_w18_classify": (21_299_004, 21_350_220),
    "hrnet_w18_small_classify": (13_187_464, 13_211_496),
    "vit_tiny_patch16_classify": (5_717_416, 5_717_416),
    "vit_small_patch16_classify": (22_050_664, 22_050_664),
    "vit_base_patch16_classify": (86_567_656, 86_567_656),
}


@pytest.mark.parametrize(("preset", "counts"), COUNTS.items())
def test_a_preset_has_the_parameters_that_others_count(preset: str, counts: tuple[int, int]) -> None:
    report = archdsl.analyze(preset, input_shape=(224, 224, 3))
    assert (report.trainable_params, report.params) == counts


# What can be changed: for each family a small variant of it, and what the change must do to the graph.

NARROW = "scale.width=0.125"
CHANGES: dict[str, tuple[str, ...]] = {
    "vgg16_backbone": (NARROW, "stages.p4.depth=1", "conventions.activation=silu"),
    "resnet50_backbone": (NARROW, "stages.p4.depth=2", "conventions.activation=silu"),
    "resnet18_classify": (NARROW, "stages.p4.depth=1", "conventions.activation=silu"),
    "resnet50_v1_5_classify": (NARROW, "stages.p4.depth=2", "conventions.activation=silu"),
    "resnet50_v2_classify": ("+scale.width=0.125", "stages.p4.depth=2", "conventions.activation=silu"),
    "inception_v3_backbone": (NARROW, "stages.p4.depth=1", "conventions.activation=silu"),
    "inception_resnet_v2_backbone": (NARROW, "stages.p4.depth=1", "conventions.activation=silu"),
    "xception_backbone": (NARROW, "stages.p4.depth=1", "conventions.activation=silu"),
    "mobilenet_classify": ("scale.width=0.25", "stages.p4.depth=2", "conventions.activation=silu"),
    "mobilenet_v2_backbone": ("scale.width=0.35", "stages.p4.depth=2", "conventions.activation=silu"),
    "mobilenet_v3_small_classify": ("scale.width=0.5", "stages.p4.depth=1", "conventions.activation=silu"),
    "densenet121_classify": ("scale.width=0.25", "stages.p4.depth=3", "conventions.activation=silu"),
    "efficientnet_b0_classify": ("scale.width=0.25", "stages.p4.depth=1", "conventions.activation=relu"),
    "efficientnet_v2_b0_backbone": ("scale.width=0.25", "stages.p4.depth=1", "conventions.activation=relu"),
    "convnext_tiny_classify": (NARROW, "stages.p4.depth=2", "conventions.norm.kind=batch"),
    "darknet19_classify": (NARROW, "stages.p4.depth=1", "conventions.activation=silu"),
    "regnety_004_classify": ("scale.width=0.5", "stages.p4.depth=1", "conventions.activation=silu"),
    "repvgg_a0_classify": (NARROW, "stages.p4.depth=1", "conventions.activation=silu"),
    "mobileone_s0_classify": (NARROW, "stages.p4.depth=1", "conventions.activation=silu"),
    "nasnet_large_backbone": (NARROW, "stages.p4.depth=2", "conventions.activation=silu"),
    "hrnet_w18_classify": ("scale.width=0.5", "stages.p4.depth=1", "conventions.activation=silu"),
    "vit_tiny_patch16_classify": ("scale.width=0.25", "stages.p4.depth=1", "conventions.norm.epsilon=0.001"),
}
# The gradient of rep_conv's parallel convolutions makes TensorFlow's oneDNN corrupt its memory on some processors: the
# process ends; with TF_ENABLE_ONEDNN_OPTS=0 these train too.
CRASH_ONEDNN = {"repvgg_a0_classify", "mobileone_s0_classify"}
SAMPLE_CHANGES = ["resnet50_v2_classify", "mobilenet_classify", "efficientnet_b0_classify", "convnext_tiny_classify"]


def operations(preset: str, *overrides: str) -> list[str]:
    graph = archdsl.compile_config(preset, overrides, input_shape=(96, 96, 3))
    return [str(node.op) for node in graph.nodes if node.name.split("_")[0] not in ("p1", "p2", "head")]


@pytest.mark.parametrize("preset", CHANGES)
def test_overrides_of_a_family_change_what_they_name(preset: str) -> None:
    width, depth, other = CHANGES[preset]
    whole = archdsl.compile_config(preset, [], (640, 640, 3))
    narrow, shallow = [archdsl.compile_config(preset, [change], (640, 640, 3)) for change in (width, depth)]
    factor = float(width.rpartition("=")[2])
    last = list(whole.levels)[-1]
    assert narrow.levels[last].channels == pytest.approx(factor * whole.levels[last].channels, rel=0.06)
    assert len(shallow.nodes) < len(whole.nodes)
    assert shallow.levels[last].type.shape[:2] == whole.levels[last].type.shape[:2]
    changed = operations(preset, other)
    assert len(changed) == len(operations(preset))
    assert changed != operations(preset)


@pytest.mark.keras
@pytest.mark.usefixtures("fresh_keras")
@pytest.mark.parametrize("preset", sampled(CHANGES, SAMPLE_CHANGES))
def test_a_variant_of_a_family_trains_saves_loads_and_fuses(preset: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    model = archdsl.build_from_config(preset, CHANGES[preset], input_shape=(96, 96, 3))
    randomize(model)
    images = np.random.default_rng(0).uniform(-1, 1, (2, 96, 96, 3)).astype("float32")
    if preset not in CRASH_ONEDNN or os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0":
        model.compile("sgd", "mse", run_eagerly=True)  # tracing and compiling take longer than all the rest
        assert np.isfinite(model.fit(images, np.zeros(model(images).shape), verbose=0).history["loss"]).all()
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert difference(model(images), again(images)) <= 1e-6
    assert difference(model(images), archdsl.fuse(model)(images)) <= 1e-4


def test_families_are_short() -> None:
    lengths = []
    for path in (config_root() / "family").glob("*.yaml"):
        lines = [line for line in path.read_text().splitlines() if line.strip() and not line.lstrip().startswith("#")]
        assert yaml.safe_load("\n".join(lines))["description"]
        lengths.append(len(lines))
    assert np.median(lengths) <= 40
