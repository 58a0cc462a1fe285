"""Detectors with anchors: parameters and costs as measured elsewhere, boxes and scores as plain NumPy computes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from support import keras
from support.graphs import trained_by_section

import archdsl


class Figures(NamedTuple):
    """Trainable parameters of backbone, neck and head, and MACs of an image of 640 × 640."""

    backbone: int
    neck: int
    head: int
    macs: int


# ultralytics/yolov3, ultralytics/yolov5 and WongKinYiu/yolov7, measured; YOLOv7 before it is re-parameterised.
MEASURED = {
    "yolo_v3_detect": Figures(40_584_928, 20_906_496, 457_725, 77_945_651_200),
    "yolo_v3_tiny_detect": Figures(1_573_776, 7_082_240, 196_350, 6_585_753_600),
    "yolo_v5_n_detect": Figures(1_046_368, 710_784, 115_005, 2_234_060_800),
    "yolo_v5_s_detect": Figures(4_171_456, 2_834_688, 229_245, 8_216_780_800),
    "yolo_v7_detect": Figures(13_371_808, 23_790_592, 457_725, 52_884_684_800),
    "yolo_v7_tiny_detect": Figures(2_464_416, 3_533_440, 229_245, 6_850_355_200),
}

# Trainable parameters as a whole, as YOLOv5 6.0 prints them: recalled, without a source that was looked at.
PRINTED = {"yolo_v5_m_detect": 21_190_557, "yolo_v5_l_detect": 46_563_709, "yolo_v5_x_detect": 86_749_405}

# Bytes of a weights file of Darknet, without its header of 20; billions of operations, and the side of the image.
DARKNET = {
    "yolo_v3_detect": (248_007_028, 65.86, 416),
    "yolo_v3_tiny_detect": (35_434_936, 5.57, 416),
    "yolo_v4_detect": (257_717_620, 128.4, 608),
    "yolo_v4_tiny_detect": (24_251_256, 6.91, 416),
}
ANCHORS = {
    "yolo_v3_tiny_detect": 3 * (40**2 + 20**2),
    "yolo_v4_tiny_detect": 3 * (40**2 + 20**2),
    **dict.fromkeys(("yolo_v3_detect", "yolo_v4_detect", "yolo_v5_n_detect", "yolo_v7_detect"), 25_200),
}


@pytest.mark.parametrize(("name", "figures"), MEASURED.items())
def test_a_detector_has_the_measured_parameters_and_macs(name: str, figures: Figures) -> None:
    assert trained_by_section(name) == {part: getattr(figures, part) for part in ("backbone", "neck", "head")}
    assert archdsl.analyze(name).macs == figures.macs


@pytest.mark.parametrize(("name", "params"), PRINTED.items())
def test_a_detector_has_the_printed_parameters(name: str, params: int) -> None:
    assert archdsl.analyze(name).trainable_params == params


@pytest.mark.parametrize(("name", "figures"), DARKNET.items())
def test_a_detector_of_darknet_has_the_size_and_the_cost_that_darknet_prints(name: str, figures: Any) -> None:
    size, billions, side = figures
    report = archdsl.analyze(name, input_shape=(side, side, 3))
    assert 4 * report.params == size
    assert report.flops == pytest.approx(billions * 1e9, rel=1e-3)


@pytest.mark.parametrize(("name", "count"), ANCHORS.items())
def test_a_detector_gives_a_box_and_scores_for_each_anchor(name: str, count: int) -> None:
    outputs = archdsl.analyze(name).outputs
    assert {key: info.shape for key, info in outputs.items()} == {"boxes": (count, 4), "scores": (count, 80)}


@pytest.mark.parametrize("classes", [1, 20])
def test_the_number_of_classes_is_one_override(classes: int) -> None:
    report = archdsl.analyze("yolo_v7_tiny_detect", [f"head.raw.classes={classes}"])
    assert report.outputs["scores"].shape == (25_200, classes)
    assert report.trainable_params == 6_227_101 - 3 * (80 - classes) * (128 + 256 + 512 + 3)


# Numbers

SIZES = [[[10, 13], [16, 30], [33, 23]], [[30, 61], [62, 45], [59, 119]]]
SMALL: dict[str, Any] = {
    "conventions": {"activation": "silu", "norm": {"kind": "batch"}},
    "stages": {
        "p1": {"width": 8, "down": {"block": "conv", "kernel": 3, "stride": 2}},
        "p2": {"width": 8, "down": {"block": "conv", "kernel": 3, "stride": 2}},
    },
    "head": {
        "raw": {"block": "anchor_branch", "each": ["p1", "p2"], "classes": 2},
        "decode": {"block": "anchor_decode", "from": "raw", "sizes": SIZES},
    },
    "outputs": {"boxes": "head_decode_boxes", "scores": "head_decode_scores", "raw": "head_raw"},
}


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def decoded(maps: list[np.ndarray], formula: str, spreads: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (x1, y1, x2, y2 in pixels) and scores, one anchor after the other."""
    boxes, scores = [], []
    for raw, stride, sizes, k in zip(maps, (2, 4), SIZES, spreads, strict=True):
        _, rows, columns, channels = raw.shape
        for row in range(rows):
            for column in range(columns):
                for each, (width, height) in zip(np.split(raw[:, row, column], 3, -1), sizes, strict=True):
                    assert each.shape[-1] == channels // 3 == 7
                    x, y, wide, high, chance, *classes = each.astype("float64").T
                    if formula == "yolo":
                        x, y = (2 * sigmoid(x) - 0.5 + column) * stride, (2 * sigmoid(y) - 0.5 + row) * stride
                        wide, high = (2 * sigmoid(wide)) ** 2 * width, (2 * sigmoid(high)) ** 2 * height
                    else:
                        x = (sigmoid(x) * k - (k - 1) / 2 + column) * stride
                        y = (sigmoid(y) * k - (k - 1) / 2 + row) * stride
                        wide, high = np.exp(wide) * width, np.exp(high) * height
                    boxes.append(np.stack([x - wide / 2, y - high / 2, x + wide / 2, y + high / 2], -1))
                    scores.append(np.stack([sigmoid(chance) * sigmoid(each) for each in classes], -1))
    return np.stack(boxes, 1), np.stack(scores, 1)


@pytest.mark.keras
@pytest.mark.parametrize(
    ("formula", "spread", "spreads"),
    [("yolo", 2, [2, 2]), ("darknet", 1, [1, 1]), ("darknet", [1.2, 1.05], [1.2, 1.05])],
    ids=str,
)
def test_boxes_and_scores_are_those_of_a_plain_implementation(
    formula: str, spread: Any, spreads: list[float], tmp_path: Path
) -> None:
    keras.utils.set_random_seed(1)
    overrides = [f"+head.decode.formula={formula}", f"+head.decode.spread={spread}"]
    model = archdsl.build_from_config(SMALL, overrides, input_shape=(None, None, 3))
    plain = model.to_keras()
    model.save(tmp_path / "ours.keras")
    plain.save(tmp_path / "plain.keras")
    saved = [keras.saving.load_model(tmp_path / name, safe_mode=True) for name in ("ours.keras", "plain.keras")]
    for sides in ((16, 24), (40, 16)):
        images = np.random.default_rng(0).uniform(-3, 3, (2, *sides, 3)).astype("float32")
        for each in (model, plain, *saved):
            found = {name: np.asarray(value) for name, value in each(images).items()}
            boxes, scores = decoded([found["raw_p1"], found["raw_p2"]], formula, spreads)
            assert np.ptp(found["raw_p1"]) > 1
            np.testing.assert_allclose(found["boxes"], boxes, rtol=1e-4, atol=1e-4)
            np.testing.assert_allclose(found["scores"], scores, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("override", "fact"),
    [
        ("head.decode.sizes=[[[1,2],[3,4],[5,6]]]", "got 2 maps, anchors for 1 and spreads for 2"),
        ("+head.decode.spread=[1,1,1]", "got 2 maps, anchors for 2 and spreads for 3"),
        ("head.decode.sizes=[[[1,2],[3,4]],[[5,6],[7,8]]]", "21 channels do not divide into 2 parts"),
        ("head.raw.classes=0", "classes"),
        ("head.decode.sizes=[[[1,2,3]],[[5,6]]]", "sizes"),
    ],
)
def test_anchors_that_do_not_fit_the_maps_are_refused(override: str, fact: str) -> None:
    with pytest.raises(archdsl.ArchError, match=fact):
        archdsl.analyze(SMALL, [override])
