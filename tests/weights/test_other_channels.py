"""Weights for another number of image channels: RGB with depth, multispectral, grey."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from support import TESTS
from support.named_checkpoints import CASES

import archdsl
from archdsl import weights

CONFIG = {
    "conventions": {"activation": "relu"},
    "stem": {"conv": {"block": "conv_bn_act", "width": 8, "kernel": 3, "stride": 2}},
    "stages": {
        "p2": {"width": 16, "depth": 2, "down": {"block": "conv_bn_act", "stride": 2}, "body": {"block": "c2f"}}
    },
}
FOCUS: dict[str, Any] = {**CONFIG, "stem": {"focus": {"block": "focus"}, "conv": {"block": "conv", "width": 8}}}


def of(channels: int, config: dict[str, Any] = CONFIG) -> archdsl.Backbone:
    return archdsl.build_from_config(config, input_shape=(32, 32, channels))


def kernel_of(model: Any) -> Any:
    return np.array(
        model.layers_by_node["stem_conv" if "stem_conv" in model.layers_by_node else "stem_conv_conv"].kernel
    )


def loaded(model: Any, source: Any, way: str, folder: Path) -> Any:
    if way == "memory":
        return weights.load(model, source.to_keras(), partial=True)
    weights.save(source, folder / f"source{way}")
    return weights.load(model, folder / f"source{way}", partial=True)


WAYS = [".safetensors", ".weights.h5", "memory"]


@pytest.mark.parametrize("way", WAYS)
def test_more_channels_get_the_kernels_in_turn_at_their_share(way: str, tmp_path: Path) -> None:
    source, model = of(3), of(5)
    report = loaded(model, source, way, tmp_path)
    was = kernel_of(source)
    expected = np.stack([was[:, :, channel] for channel in (0, 1, 2, 0, 1)], axis=2) * 0.6
    assert np.allclose(kernel_of(model), expected, rtol=1e-6)
    assert not report.left
    assert not report.unused
    assert [each.node for each in report.moved if each.made] == ["stem_conv_conv"]
    assert "stem_conv_conv has the kernels of 3 channels in turn for 5, times 0.6" in report.summary()


@pytest.mark.parametrize("way", WAYS)
def test_a_grey_picture_gives_what_it_gave_in_colour(way: str, tmp_path: Path) -> None:
    source, model = of(3), of(1)
    report = loaded(model, source, way, tmp_path)
    grey = np.random.default_rng(0).normal(size=(1, 32, 32, 1)).astype("float32")
    expected, found = np.array(source(np.repeat(grey, 3, axis=-1))), np.array(model(grey))
    assert np.abs(expected - found).max() <= 1e-5 * np.abs(expected).max()
    assert "the sum over 3 channels for 1" in report.summary()


@pytest.mark.parametrize("channels", [1, 6])
def test_the_quarters_of_a_focus_are_kept_apart(channels: int, tmp_path: Path) -> None:
    """Of pictures whose channels are all the same, both see the same."""
    source, model = of(3, FOCUS), of(channels, FOCUS)
    loaded(model, source, ".safetensors", tmp_path)
    grey = np.random.default_rng(0).normal(size=(1, 32, 32, 1)).astype("float32")
    expected, found = (np.array(each(np.repeat(grey, each.inputs[0].shape[-1], axis=-1))) for each in (source, model))
    assert np.abs(expected - found).max() <= 1e-5 * np.abs(expected).max()


def test_without_partial_another_number_of_channels_is_refused(tmp_path: Path) -> None:
    source, model = of(3), of(4)
    weights.save(source, tmp_path / "source.safetensors")
    for given in (tmp_path / "source.safetensors", source.to_keras()):
        with pytest.raises(archdsl.ArchError, match="3×3×3×8"):
            weights.load(model, given)


def test_a_convolution_that_differs_elsewhere_stays_as_it_is(tmp_path: Path) -> None:
    source = of(3)
    weights.save(source, tmp_path / "source.safetensors")
    model = archdsl.build_from_config(CONFIG, ["stem.conv.kernel=5"], input_shape=(32, 32, 4))
    before = kernel_of(model)
    report = weights.load(model, tmp_path / "source.safetensors", partial=True)
    assert np.array_equal(kernel_of(model), before)
    assert "stem_conv_conv" in [each.node for each in report.left]


def test_an_application_for_four_channels() -> None:
    """As depth beside RGB: MobileNetV2, whose convolutions are all but the first where they belong."""
    source = keras.applications.MobileNetV2((64, 64, 3), weights=None, include_top=False)
    model = archdsl.build_from_config("mobilenet_v2_backbone", input_shape=(64, 64, 4))
    report = weights.load(model, source, partial=True)
    assert not report.left
    assert not report.unused
    assert len([each for each in report.moved if each.made]) == 1


FILES = TESTS / "weights" / "files"
NARROW = ["scale.width=0.03125", "+head.box.bins=4", "+head.boxes.bins=4", "head.class.classes=2"]
OF_PYTORCH = {
    "yolo_v8.pt": ("yolo_v8_s_detect", NARROW, "stem_conv_conv"),
    "yolo_v5.pt": ("yolo_v5_s_backbone", NARROW[:1], "stem_conv_conv"),
    "named/timm_resnet18.safetensors": (*CASES["timm_resnet18"], "stem_conv_conv"),
    "named/timm_convnext.safetensors": (*CASES["timm_convnext"], "stem_conv_conv"),
    "named/timm_vit.safetensors": (*CASES["timm_vit"], "p4_down_conv"),
}


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("file", OF_PYTORCH)
def test_a_checkpoint_of_pytorch_keeps_all_of_its_layers(file: str, channels: int) -> None:
    config, overrides, name = OF_PYTORCH[file]
    overrides = [each for each in overrides if not each.startswith("input.shape")]
    side = 32 if "vit" in file else 64
    models = [
        archdsl.build_from_config(config, [*overrides, f"input.shape=[{side},{side},{n}]"]) for n in (3, channels)
    ]
    weights.load(models[0], FILES / file)
    report = weights.load(models[1], FILES / file, partial=True)
    assert not report.left
    assert not report.unused
    assert [each.node for each in report.moved if each.made] == [name]
    first, other = (np.array(model.layers_by_node[name].kernel) for model in models)
    wanted = first.sum(axis=2, keepdims=True) if channels == 1 else first[:, :, [0, 1, 2, 0]] * 0.75
    assert np.allclose(other, wanted, rtol=1e-5)
