"""The shipped configs: every published preset is there, and costs what keras_cv publishes."""

from __future__ import annotations

import pytest
from support import samples

import archdsl
from archdsl.analysis.expect import check_expectations
from archdsl.frontend.compose.config import load
from archdsl.frontend.compose.search_path import config_root
from archdsl.frontend.sections import GROUPS

# Parameters as counted by keras_cv 0.9.0 (backbone presets of YOLOV8, CSPDarkNet and ResNetV2).
KERAS_CV_PARAMS = {
    "yolo_v8_xs_backbone": 1_277_680,
    "yolo_v8_s_backbone": 5_089_760,
    "yolo_v8_m_backbone": 11_872_464,
    "yolo_v8_l_backbone": 19_831_744,
    "yolo_v8_xl_backbone": 30_972_080,
    "yolo_v8_xs_backbone_coco": 1_277_680,
    "yolo_v8_s_backbone_coco": 5_089_760,
    "yolo_v8_m_backbone_coco": 11_872_464,
    "yolo_v8_l_backbone_coco": 19_831_744,
    "yolo_v8_xl_backbone_coco": 30_972_080,
    "csp_darknet_tiny": 2_380_416,
    "csp_darknet_s": 4_223_488,
    "csp_darknet_m": 12_374_400,
    "csp_darknet_l": 27_111_424,
    "csp_darknet_xl": 56_837_970,
    "csp_darknet_tiny_imagenet": 2_380_416,
    "csp_darknet_l_imagenet": 27_111_424,
    "resnet18_v2": 11_183_488,
    "resnet34_v2": 21_299_072,
    "resnet50_v2": 23_564_800,
    "resnet101_v2": 42_626_560,
    "resnet152_v2": 58_331_648,
    "resnet50_v2_imagenet": 23_564_800,
}
TRAINED = {name for name in KERAS_CV_PARAMS if name.endswith(("_coco", "_imagenet"))}


def test_every_keras_cv_preset_is_shipped() -> None:
    assert set(KERAS_CV_PARAMS) <= {preset.name for preset in archdsl.list_presets()}


@pytest.mark.parametrize("name", KERAS_CV_PARAMS)
def test_a_preset_has_as_many_parameters_as_in_keras_cv(name: str) -> None:
    costs = archdsl.analyze(name)
    assert costs.params == KERAS_CV_PARAMS[name]
    check_expectations(load(name), costs)


def test_the_list_says_which_presets_have_trained_weights() -> None:
    assert {preset.name for preset in archdsl.list_presets() if preset.has_weights} == TRAINED


def test_every_preset_promises_its_parameters_and_macs() -> None:
    assert [preset.name for preset in archdsl.list_presets() if None in (preset.params, preset.macs)] == []


CONFIGS = [path for path in sorted(config_root().rglob("*.yaml")) if path.parent.name not in GROUPS]


@pytest.mark.parametrize("path", samples.files(CONFIGS), ids=lambda path: path.stem)
def test_every_shipped_config_compiles_and_says_what_it_is(path: str) -> None:
    config = load(path)
    assert "stages" not in config.values or archdsl.compile_config(path).nodes  # one is a part of a family
    if "conventions" in config.values or "description" in config.values:
        assert config.values["description"]
        assert config.values["source"].startswith("https://")
    else:
        assert config.values == {"outputs": None}, "a part that only takes something away"


@pytest.mark.parametrize("name", KERAS_CV_PARAMS)
def test_a_preset_has_p3_to_p5_at_strides_8_to_32(name: str) -> None:
    outputs = archdsl.analyze(name, input_shape=(256, 320, 3)).outputs
    for level, stride in (("P3", 8), ("P4", 16), ("P5", 32)):
        assert outputs[level].stride == stride
        assert outputs[level].shape == (256 // stride, 320 // stride, outputs[level].channels)
