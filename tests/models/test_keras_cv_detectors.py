"""Our detectors give the numbers of keras_cv's with keras_cv's weights: raw maps, and boxes as keras_cv has them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from support import keras

import archdsl

keras_cv = pytest.importorskip("keras_cv")

from support import oracle  # noqa: E402

TOLERANCE = 1e-5  # of the largest value, in float32
LEVELS = ["n3", "n4", "n5", "n6", "n7"]
# Parameters and trainable ones of keras_cv 0.9.0's RetinaNet for 80 classes, by count_params.
RETINANETS = {
    "resnet18_v2": (20_236_916, 20_229_108),
    "resnet50_v2": (36_845_300, 36_799_860),
    "resnet101_v2": (55_907_060, 55_809_396),
}

BLOCKS = {"resnet18_v2": [2, 2, 2, 2], "resnet50_v2": [3, 4, 6, 3], "resnet101_v2": [3, 4, 23, 3]}


@pytest.fixture(autouse=True)
def fresh_keras() -> Iterable[None]:
    yield
    keras.utils.clear_session()


def difference(expected: Any, found: Any) -> float:
    expected, found = np.asarray(expected), np.asarray(found)
    assert found.shape == expected.shape
    assert np.abs(expected[0] - expected[1]).max() > 1e-3 * np.abs(expected).max(), "the image must matter"
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def params_of(report: archdsl.Report, section: str) -> int:
    return sum(layer.params for layer in report.layers if layer.path.split(".")[0] == section)


def flat(maps: Iterable[Any], channels: int) -> np.ndarray:
    """(B, H, W, A channels), … -> (B, A H W + …, channels)."""
    return np.concatenate([np.reshape(np.asarray(each), (len(each), -1, channels)) for each in maps], 1)


@pytest.mark.parametrize(("backbone", "counts"), RETINANETS.items())
def test_retinanets_have_the_parameters_of_keras_cvs(backbone: str, counts: tuple[int, int]) -> None:
    report = archdsl.analyze(f"retinanet_{backbone}_detect")
    assert (report.params, report.trainable_params) == counts
    assert params_of(report, "head") == 3_429_840 + 1_853_220
    assert backbone != "resnet50_v2" or params_of(report, "neck") == 7_997_440


@pytest.mark.parametrize(
    "backbone", ["resnet18_v2", *[pytest.param(name, marks=pytest.mark.full) for name in list(RETINANETS)[1:]]]
)
def test_retinanets_give_keras_cvs_numbers(backbone: str) -> None:
    theirs = keras_cv.models.RetinaNet(
        backbone=keras_cv.models.ResNetV2Backbone(
            stackwise_filters=[64, 128, 256, 512],
            stackwise_blocks=BLOCKS[backbone],
            stackwise_strides=[1, 2, 2, 2],
            block_type="basic_block" if backbone == "resnet18_v2" else "block",
            include_rescaling=True,
        ),
        num_classes=80,
        bounding_box_format="xyxy",
    )
    raw = ["+outputs.box=head_box", "+outputs.class=head_class"]
    ours = archdsl.build_from_config(f"retinanet_{backbone}_detect", raw, input_shape=(None, None, 3))
    assert theirs.count_params() == ours.count_params()
    oracle.copy_weights(theirs, ours)
    images = oracle.random_images(np.random.default_rng(0), 256, 384)
    expected, found = theirs(images), ours(images)
    logits = flat([found[f"class_{level}"] for level in LEVELS], 80)
    assert difference(expected["box"], flat([found[f"box_{level}"] for level in LEVELS], 4)) <= TOLERANCE
    assert difference(expected["classification"], logits) <= TOLERANCE
    assert difference(keras.ops.sigmoid(expected["classification"]), found["scores"]) <= TOLERANCE
    assert difference(boxes_of_keras_cv(theirs, expected, images.shape[1:]), found["boxes"]) <= TOLERANCE


def boxes_of_keras_cv(model: Any, expected: Any, shape: tuple[int, ...]) -> Any:
    """As its decode_predictions has them, before it suppresses any."""
    from keras_cv.src.bounding_box.converters import _decode_deltas_to_boxes

    anchors = keras.ops.concatenate(list(model.anchor_generator(image_shape=shape).values()), axis=0)
    form = {"anchor_format": "xyxy", "box_format": "xyxy", "variance": [0.1, 0.1, 0.2, 0.2]}
    return _decode_deltas_to_boxes(anchors, expected["box"], image_shape=shape, **form)
