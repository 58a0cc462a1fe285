"""Whole detectors: parameters and costs as measured elsewhere, and boxes as a plain implementation computes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from support import keras
from support.graphs import trained_by_section

import archdsl
from archdsl.analysis.expect import check_expectations
from archdsl.frontend.compose.config import load
from archdsl.ir import ops
from archdsl.ir.emission import EmitContext

BINS = 16


class Figures(NamedTuple):
    """Trainable parameters of backbone, neck and head, MACs of an image of 640 × 640, and pixels with a box.

    The MACs are with those of the fixed convolution that means are computed with: 4 × 16 for each pixel.
    """

    backbone: int
    neck: int
    head: int
    macs: int
    places: int = 8400


# Ultralytics 8.4.190, measured, without the 16 fixed numbers of the head. Its size n is xs of YOLOv8 here.
MEASURED = {
    "yolo_v8_xs_detect": Figures(1272656, 986880, 897648, 4371993600),
    "yolo_v8_s_detect": Figures(5079712, 3939840, 2146992, 14301312000),
    "yolo_v8_l_detect": Figures(19808576, 18238464, 5644464, 82574259200),
    "yolo_v8_xs_p2_detect": Figures(1272656, 1036672, 1044800, 8613811200, 34000),
    "yolo_v8_s_p2_detect": Figures(5079712, 4137728, 1666880, 19673011200, 34000),
    "yolo_v8_xs_p6_detect": Figures(1900880, 1831296, 1252160, 4366521600, 8500),
    "yolo_v8_s_p6_detect": Figures(7589536, 7312128, 3010112, 14257286400, 8500),
    "yolo_v5u_n_detect": Figures(1046368, 710784, 897648, 3862451200),
    "yolo_v5u_s_detect": Figures(4171456, 2834688, 2146992, 11997721600),
    "yolo_v9_t_detect": Figures(708720, 729696, 690288, 4155520000),
    "yolo_v9_s_detect": Figures(2820576, 2903744, 1594032, 13612364800),
    "yolo_v10_n_detect": Figures(1198928, 646784, 929792, 4313945600),
    "yolo_v10_s_detect": Figures(3888800, 2538752, 1700704, 12454528000),
    "yolo_11_n_detect": Figures(1365472, 793696, 464896, 3271251200),
    "yolo_11_s_detect": Figures(5441984, 3166400, 850352, 10794880000),
    "yolo_11_m_detect": Figures(10352192, 8289792, 1472688, 34052224000),
    "yolo_12_n_detect": Figures(1388256, 749120, 464896, 3735481600),
    "yolo_v8_xs_segment": Figures(1272656, 986880, 1150416, 6001382400),
    "yolo_v8_xs_pose": Figures(1272656, 986880, 1035918, 4588864800),
    "yolo_v8_xs_obb": Figures(1272656, 986880, 969315, 4494700800),
    "yolo_v8_s_segment": Figures(5079712, 3939840, 2801488, 20043084800),
    "yolo_v8_s_pose": Figures(5079712, 3939840, 2606478, 15092877600),
    "yolo_v8_s_obb": Figures(5079712, 3939840, 2433171, 14791872000),
    "yolo_11_n_segment": Figures(1365472, 793696, 717664, 4900640000),
    "yolo_11_n_obb": Figures(1365472, 793696, 536563, 3393958400),
    "yolo_11_s_segment": Figures(5441984, 3166400, 1504848, 16536652800),
    "yolo_11_s_obb": Figures(5441984, 3166400, 1136531, 11285440000),
}

# The same source: trainable parameters and MACs of an image of 640 × 640.
CLASSIFIERS = {
    "yolo_v8_xs_classify": (2719288, 1644595200),
    "yolo_v8_s_classify": (6361736, 6223923200),
    "yolo_11_n_classify": (2812104, 1616793600),
    "yolo_11_s_classify": (6724008, 6050355200),
}

# The parameters as a whole, as Ultralytics prints them. v8 m was measured, xl and xl_p2 are in its issue 3607; the
# others were recalled, and have no source that was looked at.
PRINTED = {
    "yolo_v8_m_detect": 25902640,
    "yolo_v8_xl_detect": 68229648,
    "yolo_v8_xl_p2_detect": 66637536,
    "yolo_v5u_m_detect": 25111456,
    "yolo_v9_m_detect": 20216160,
    "yolo_v9_c_detect": 25590912,
    "yolo_v10_m_detect": 16576768,
    "yolo_v10_l_detect": 25888688,
    "yolo_v10_x_detect": 31808960,
    "yolo_11_l_detect": 25372160,
    "yolo_11_x_detect": 56966176,
    "yolo_12_s_detect": 9284096,
    "yolo_12_m_detect": 20199168,
    "yolo_12_l_detect": 26450784,
    "yolo_12_x_detect": 59210784,
}

# Millions of parameters, fused, in the tables of docs.ultralytics.com/models/yolov8 and /yolo11; recalled, but for v8 m
# segment (issue 14007) and 11 x classify (pull request 22258). They tell another structure, not another rounding.
TABLES = {
    "yolo_11_x_classify": 29.6,
    "yolo_v8_m_segment": 27.3,
    "yolo_v8_l_segment": 46.0,
    "yolo_v8_xl_segment": 71.8,
    "yolo_v8_m_pose": 26.4,
    "yolo_v8_l_pose": 44.4,
    "yolo_v8_xl_pose": 69.4,
    "yolo_v8_m_obb": 26.4,
    "yolo_v8_l_obb": 44.5,
    "yolo_v8_xl_obb": 69.5,
    "yolo_v8_m_classify": 17.0,
    "yolo_v8_l_classify": 37.5,
    "yolo_v8_xl_classify": 57.4,
    "yolo_11_m_segment": 22.4,
    "yolo_11_l_segment": 27.6,
    "yolo_11_x_segment": 62.1,
    "yolo_11_m_pose": 20.9,
    "yolo_11_l_pose": 26.2,
    "yolo_11_x_pose": 58.8,
    "yolo_11_m_obb": 20.9,
    "yolo_11_l_obb": 26.2,
    "yolo_11_x_obb": 58.8,
}
TASKS = ("_detect", "_segment", "_pose", "_obb")
DETECTORS = sorted(
    each.name for each in archdsl.list_presets() if each.name.startswith("yolo_") and each.name.endswith(TASKS)
)


@pytest.mark.parametrize(("name", "figures"), MEASURED.items())
def test_a_detector_has_the_measured_parameters_and_macs(name: str, figures: Figures) -> None:
    assert trained_by_section(name) == {part: getattr(figures, part) for part in ("backbone", "neck", "head")}
    report = archdsl.analyze(name)
    assert report.macs == figures.macs - 4 * BINS * figures.places
    boxes, scores = (report.outputs[result].shape for result in ("boxes", "scores"))
    assert boxes == (figures.places, 5 if name.endswith("_obb") else 4)
    assert scores == (figures.places, 1 if name.endswith("_pose") else 80)


@pytest.mark.parametrize(("name", "params"), PRINTED.items())
def test_a_detector_has_the_printed_parameters(name: str, params: int) -> None:
    assert archdsl.analyze(name).trainable_params == params - BINS


@pytest.mark.parametrize(("name", "figures"), CLASSIFIERS.items())
def test_a_classifier_has_the_measured_parameters_and_macs(name: str, figures: tuple[int, int]) -> None:
    report = archdsl.analyze(name)
    assert (report.trainable_params, report.macs) == figures


@pytest.mark.parametrize(("name", "millions"), TABLES.items())
def test_larger_sizes_have_the_parameters_of_the_tables(name: str, millions: float) -> None:
    assert archdsl.analyze(name).trainable_params / 1e6 == pytest.approx(millions, abs=0.1)


@pytest.mark.parametrize(("size", "params"), [("n", 2908491), ("s", 9948795)])
def test_yolo_11_finds_poses_of_80_classes_with_the_measured_parameters(size: str, params: int) -> None:
    # the model file of Ultralytics has 80 classes, that of YOLOv8 one
    report = archdsl.analyze(f"yolo_11_{size}_pose", ["head.class.classes=80"])
    assert report.trainable_params == params


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_keeps_what_it_expects_and_names_its_results(name: str) -> None:
    report = archdsl.analyze(name)
    check_expectations(load(name), report)
    assert list(report.outputs)[:2] == ["boxes", "scores"]


def test_any_neck_and_head_go_on_any_backbone() -> None:
    overrides = ["neck=pan_c2f", "head=dfl_detect", "head.class.classes=20"]
    ends = archdsl.analyze("csp_darknet_s", overrides).outputs
    assert [(name, ends[name].shape) for name in ("boxes", "scores")] == [("boxes", (8400, 4)), ("scores", (8400, 20))]


def test_classes_make_the_branches_as_wide_as_they_ask_for() -> None:
    # 80 classes: 80 channels inside, one: as many as the finest map, 64; above 100 no more than that
    widths = {}
    for classes in (1, 80, 1000):
        nodes = archdsl.analyze("yolo_v8_xs_detect", [f"head.class.classes={classes}"]).nodes
        widths[classes] = next(node.shape[-1] for node in nodes if node.name == "head_class_n3_conv1_conv")
    assert widths == {1: 64, 80: 80, 1000: 100}


# Numbers

SMALL = {
    "conventions": {"activation": "silu", "norm": {"kind": "batch"}},
    "stages": {
        "p1": {"width": 8, "down": {"block": "conv", "kernel": 3, "stride": 2}},
        "p2": {"width": 8, "down": {"block": "conv", "kernel": 3, "stride": 2}},
    },
    "head": {
        "box": {"block": "box_branch", "each": ["p1", "p2"], "from": "p1"},
        "class": {"block": "class_branch", "each": ["p1", "p2"], "from": "p1", "classes": 3},
        "boxes": {"block": "dfl_boxes", "from": "box"},
        "scores": {"block": "class_scores", "from": "class"},
    },
    "outputs": {"boxes": "head_boxes", "scores": "head_scores"},
}
RAW = {
    f"head_{branch}_{level}": f"head_{branch}_{level}_{last}"
    for level in ("p1", "p2")
    for branch, last in (("box", "distances"), ("class", "logits"))
}


def decoded(raw: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (x1, y1, x2, y2 in pixels) and scores: means of distributions around the middle of each pixel."""
    boxes, scores = [], []
    for level, stride in (("p1", 2), ("p2", 4)):
        distances, logits = raw[f"head_box_{level}"], raw[f"head_class_{level}"]
        for row in range(distances.shape[1]):
            for column in range(distances.shape[2]):
                runs = np.exp(distances[:, row, column].astype("float64").reshape(-1, 4, BINS))
                left, top, right, bottom = ((runs / runs.sum(-1, keepdims=True)) @ np.arange(BINS)).T
                x, y = column + 0.5, row + 0.5
                boxes.append(np.stack([x - left, y - top, x + right, y + bottom], -1) * stride)
                scores.append(1 / (1 + np.exp(-logits[:, row, column].astype("float64"))))
    return np.stack(boxes, 1), np.stack(scores, 1)


def check(model: Any, images: np.ndarray, raw: dict[str, np.ndarray]) -> None:
    found = model(images)
    for result, expected in zip((found["boxes"], found["scores"]), decoded(raw), strict=True):
        np.testing.assert_allclose(np.asarray(result), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.keras
@pytest.mark.parametrize("shape", [(None, None, 3), (16, 24, 3)])
def test_boxes_and_scores_are_those_of_a_plain_implementation(shape: Any, tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    model = archdsl.build_from_config(SMALL, input_shape=shape)
    for layer in model.layers:
        if layer.name.startswith("head_box") and layer.name.endswith("distances"):
            layer.kernel.assign(keras.random.normal(layer.kernel.shape))  # distributions with a shape
    plain = model.to_keras()
    model.save(tmp_path / "ours.keras")
    plain.save(tmp_path / "plain.keras")
    saved = [keras.saving.load_model(tmp_path / name, safe_mode=True) for name in ("ours.keras", "plain.keras")]
    maps = keras.Model(model.inputs, {name: model.get_layer(layer).output for name, layer in RAW.items()})
    for side in [shape[0]] if shape[0] else [16, 40]:
        images = np.random.default_rng(side).uniform(-3, 3, (2, side, 24, 3)).astype("float32")
        raw = {name: np.asarray(value) for name, value in maps(images).items()}
        assert np.ptp(raw["head_box_p1"]) > 1
        for each in (model, plain, *saved):
            check(each, images, raw)


@pytest.mark.keras
@pytest.mark.parametrize("sides", [(None, None), (3, 5)])
def test_points_and_turned_boxes_are_those_of_a_plain_implementation(sides: Any) -> None:
    random = np.random.default_rng(3)
    points, distances, angles = (random.normal(size=(2, 3, 5, size)).astype("float32") for size in (6, 4, 1))
    context = EmitContext(keras)
    begin = [keras.Input((*sides, size)) for size in (6, 4, 1)]
    ends = [ops.Keypoints(8).emit(context, "a", begin[0]), ops.RotatedBoxes(16).emit(context, "b", *begin[1:])]
    found = [np.asarray(each) for each in keras.Model(begin, ends)([points, distances, angles])]
    for row in range(3):
        for column in range(5):
            for first in (0, 3):
                right, down, seen = points[:, row, column, first : first + 3].T
                expected = [(2 * right + column) * 8, (2 * down + row) * 8, 1 / (1 + np.exp(-seen))]
                np.testing.assert_allclose(found[0][:, row, column, first : first + 3].T, expected, rtol=1e-5)
            left, top, right, bottom = distances[:, row, column].T
            angle = (1 / (1 + np.exp(-angles[:, row, column, 0])) - 0.25) * np.pi
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            offset = np.einsum("ijb,jb->ib", turn, np.array([right - left, bottom - top]) / 2)
            middle = (offset + np.array([[column + 0.5], [row + 0.5]])) * 16
            expected = [*middle, (left + right) * 16, (top + bottom) * 16, angle]
            np.testing.assert_allclose(found[1][:, row, column].T, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.keras
@pytest.mark.parametrize("areas", [1, 2])
def test_attention_on_a_map_is_that_of_a_plain_implementation(areas: int) -> None:
    # of every head queries and keys of 4 channels and values of 8 lie side by side; an area is half of the rows
    keras.utils.set_random_seed(2)
    attention = {"block": "map_attention", "heads": 2, "areas": areas}
    style = {"activation": "silu", "padding": "symmetric", "norm": {"kind": "none"}}
    config = {"input": {"shape": [4, 6, 16]}, "conventions": style, "stages": {"only": {"body": attention}}}
    model = archdsl.build_from_config(config)
    x = np.random.default_rng(0).normal(size=(2, 4, 6, 16)).astype("float32")
    mixed = np.asarray(model.get_layer("only_body_qkv_conv")(x)).reshape(2 * areas, 24 // areas, 2, 16)
    query, key, value = np.split(mixed, [4, 8], axis=-1)
    fit = np.exp(np.einsum("bqhc,bkhc->bhqk", query, key) / 2)
    seen = np.einsum("bhqk,bkhc->bqhc", fit / fit.sum(-1, keepdims=True), value).reshape(2, 4, 6, 16)
    position = np.asarray(model.get_layer("only_body_position")(value.reshape(2, 4, 6, 16)))
    expected = model.get_layer("only_body_projection_conv")(seen + position)
    np.testing.assert_allclose(np.asarray(model(x)), np.asarray(expected), rtol=1e-4, atol=1e-4)


@pytest.mark.keras
@pytest.mark.parametrize("kind", ["mixed_bfloat16", "mixed_float16"])
def test_boxes_keep_their_places_in_mixed_precision(kind: str, tmp_path: Path) -> None:
    keras.config.set_dtype_policy(kind)
    try:
        model = archdsl.build_from_config(SMALL, input_shape=(640, 640, 3))
    finally:
        keras.config.set_dtype_policy("float32")
    images = np.zeros((1, 640, 640, 3), "float32")  # flat distributions: 7.5 pixels of the map to every side
    model.save(tmp_path / "model.keras")
    for each in (model, keras.saving.load_model(tmp_path / "model.keras"), model.to_keras()):
        boxes = np.asarray(each(images)["boxes"])
        assert boxes.dtype == "float32"
        np.testing.assert_allclose(boxes[0, -1], [(159.5 - 7.5) * 4] * 2 + [(159.5 + 7.5) * 4] * 2, atol=0.01)


@pytest.mark.keras
@pytest.mark.parametrize(
    ("name", "results"),
    [
        ("yolo_v8_xs_segment", {"boxes": (84, 4), "scores": (84, 80), "masks": (84, 32), "prototypes": (16, 16, 32)}),
        ("yolo_v8_xs_pose", {"boxes": (84, 4), "scores": (84, 1), "points": (84, 51)}),
        ("yolo_v8_xs_obb", {"boxes": (84, 5), "scores": (84, 80)}),
        (
            "yolo_v10_n_detect",
            dict.fromkeys(("boxes", "many_boxes"), (84, 4)) | dict.fromkeys(("scores", "many_scores"), (84, 80)),
        ),
    ],
)
def test_a_network_of_each_task_is_built_saved_and_loaded(name: str, results: dict[str, Any], tmp_path: Path) -> None:
    model = archdsl.build_from_config(name, ["scale.width=0.0625"], weights=False)
    image = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3)).astype("float32")
    found = model(image)
    assert {key: tuple(value.shape)[1:] for key, value in found.items()} == results
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")(image)
    assert all(np.array_equal(found[key], again[key]) for key in results)


@pytest.mark.keras
def test_the_maps_of_a_head_are_features_by_their_names() -> None:
    model = archdsl.build_from_config("yolo_v8_xs_detect", ["scale.width=0.0625"], weights=False)
    maps = model.features(["head_box_n3", "P3", "head_class"])(np.zeros((1, 64, 96, 3), "float32"))
    shapes = {name: tuple(value.shape) for name, value in maps.items()}
    classes = {f"head_class_n{level}": (1, 64 // 2**level, 96 // 2**level, 80) for level in (3, 4, 5)}
    assert shapes == {"head_box_n3": (1, 8, 12, 64), "P3": (1, 8, 12, 16), **classes}
    with pytest.raises(archdsl.ArchError, match="no level 'head_bux_n3'"):
        model.features(["head_bux_n3"])


@pytest.mark.keras
def test_the_second_head_of_yolo_v10_does_not_train_the_maps() -> None:
    import tensorflow as tf

    model = archdsl.build_from_config("yolo_v10_n_detect", input_shape=(64, 64, 3))
    images = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3)).astype("float32")
    trained: dict[str, set[str]] = {}
    for result in ("scores", "many_scores"):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(images)[result])
        gradients = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
        pairs = zip(model.trainable_weights, gradients, strict=True)
        trained[result] = {weight.path.split("_")[0] for weight, gradient in pairs if gradient is not None}
    assert trained["scores"] == {"head"}
    assert trained["many_scores"] >= {"stem", "p3", "neck", "head"}


def test_the_classes_of_both_heads_of_yolo_v10_are_set_at_once() -> None:
    ends = archdsl.analyze("yolo_v10_n_detect", ["head.class.classes=3"]).outputs
    assert {name: info.channels for name, info in ends.items() if "scores" in name} == {"scores": 3, "many_scores": 3}


@pytest.mark.keras
def test_a_head_begins_at_the_prior_of_its_stride() -> None:
    # 5 objects in an image of 640 pixels a side, one of 80 classes each
    model = archdsl.from_preset("yolo_v8_xs_detect", load_weights=False)
    prior = {level: np.unique(model.get_layer(f"head_class_n{level}_logits").bias) for level in (3, 4, 5)}
    for level, stride in ((3, 8), (4, 16), (5, 32)):
        np.testing.assert_allclose(prior[level], [np.log(5 / 80 / (640 / stride) ** 2)], rtol=1e-5)
        assert np.unique(model.get_layer(f"head_box_n{level}_distances").bias) == [2.0]
