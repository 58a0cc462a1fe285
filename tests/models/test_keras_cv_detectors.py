"""Our detectors give the numbers of keras_cv's with keras_cv's weights: raw maps, and boxes as keras_cv has them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from support import keras, samples

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


class YoloV8(NamedTuple):
    """Arguments of keras_cv's YOLOV8Detector, and its parameters. fpn_depth: its default, or what it recommends."""

    channels: list[int]
    depths: list[int]
    fpn_depth: int
    params: int
    trainable: int | None = None


YOLO_V8S = {
    "xs": YoloV8([32, 64, 128, 256], [1, 2, 2, 1], 2, 3_682_080, 3_670_336),
    "s": YoloV8([64, 128, 256, 512], [1, 2, 2, 1], 2, 13_239_184, 13_216_848),
    "m": YoloV8([96, 192, 384, 576], [2, 4, 4, 2], 2, 25_935_744, 25_902_624),
    "l": YoloV8([128, 256, 512, 512], [3, 6, 6, 3], 3, 41_112_432),
    "xl": YoloV8([160, 320, 640, 640], [3, 6, 6, 3], 3, 64_186_592),
}


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


@pytest.mark.parametrize("backbone", samples.sampled(RETINANETS, ["resnet18_v2"]))
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


@pytest.mark.parametrize(("size", "figures"), YOLO_V8S.items())
def test_yolo_v8_detectors_have_the_parameters_of_keras_cvs(size: str, figures: YoloV8) -> None:
    report = archdsl.analyze(f"keras_cv_yolo_v8_{size}_detect")
    assert report.params == figures.params
    assert figures.trainable in (None, report.trainable_params)


@pytest.mark.parametrize("size", samples.sampled(YOLO_V8S, ["xs"]))
def test_yolo_v8_detectors_give_keras_cvs_numbers(size: str) -> None:
    from keras_cv.src.models.object_detection.yolo_v8 import yolo_v8_detector as decoding

    raw = ["+outputs.box=head_box", "+outputs.class=head_class"]
    ours = archdsl.build_from_config(f"keras_cv_yolo_v8_{size}_detect", raw, input_shape=(None, None, 3))
    channels, depths, fpn_depth = YOLO_V8S[size][:3]
    theirs = keras_cv.models.YOLOV8Detector(
        backbone=keras_cv.models.YOLOV8Backbone(
            stackwise_channels=channels, stackwise_depth=depths, include_rescaling=True
        ),
        num_classes=80,
        bounding_box_format="xyxy",
        fpn_depth=fpn_depth,
    )
    assert theirs.count_params() == ours.count_params()
    oracle.copy_weights(theirs, ours)
    images = oracle.random_images(np.random.default_rng(0), 128, 192)
    expected, found = theirs(images), ours(images)
    levels = LEVELS[:3]
    assert difference(expected["boxes"], flat([found[f"box_{level}"] for level in levels], 64)) <= TOLERANCE
    logits = flat([found[f"class_{level}"] for level in levels], 80)
    assert difference(expected["classes"], keras.ops.sigmoid(logits)) <= TOLERANCE
    assert difference(expected["classes"], found["scores"]) <= TOLERANCE
    places, strides = decoding.get_anchors(image_shape=images.shape[1:])
    distances = decoding.decode_regression_to_boxes(expected["boxes"])
    boxes = decoding.dist2bbox(distances, places) * keras.ops.expand_dims(strides, -1)
    assert difference(boxes, found["boxes"]) <= TOLERANCE


# Classes


@pytest.mark.parametrize("name", ["YOLOV8Detector", "RetinaNet"])
def test_a_class_takes_the_arguments_of_keras_cvs(name: str) -> None:
    ours, theirs = getattr(archdsl.models, name).__new__, getattr(keras_cv.models, name).__init__
    given = [
        [(each.name, each.default) for each in inspect.signature(of).parameters.values()][1:] for of in (ours, theirs)
    ]
    assert given[0] == given[1]


@pytest.mark.parametrize(("classes", "fpn_depth"), [(3, 1), (150, 3)])  # 150: as wide inside as there are classes
def test_a_yolo_v8_detector_on_any_backbone_is_keras_cvs(classes: int, fpn_depth: int) -> None:
    backbone = {"stackwise_channels": [8, 16, 24, 40], "stackwise_depth": [1, 1, 2, 1], "include_rescaling": True}
    theirs = keras_cv.models.YOLOV8Detector(
        keras_cv.models.YOLOV8Backbone(**backbone), classes, "xyxy", fpn_depth=fpn_depth
    )
    own = archdsl.models.YOLOV8Backbone(**backbone)
    ours = archdsl.models.YOLOV8Detector(own, classes, "xyxy", fpn_depth=fpn_depth)
    assert theirs.count_params() == ours.count_params()
    for name, layer in own.layers_by_node.items():
        for one, other in zip(layer.get_weights(), ours.get_layer(name).get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
    oracle.copy_weights(theirs, ours)
    images = oracle.random_images(np.random.default_rng(0), 128, 192)
    assert difference(theirs(images)["classes"], ours(images)["scores"]) <= TOLERANCE


def test_a_retinanet_on_another_backbone_is_keras_cvs() -> None:
    backbone = {"stackwise_channels": [8, 16, 24, 40], "stackwise_depth": [1, 1, 2, 1], "include_rescaling": True}
    theirs = keras_cv.models.RetinaNet(keras_cv.models.YOLOV8Backbone(**backbone), 3, "xyxy")
    ours = archdsl.models.RetinaNet(archdsl.models.YOLOV8Backbone(**backbone), 3, "xyxy")
    oracle.copy_weights(theirs, ours)
    images = oracle.random_images(np.random.default_rng(0), 128, 192)
    expected, found = theirs(images), ours(images)
    assert difference(keras.ops.sigmoid(expected["classification"]), found["scores"]) <= TOLERANCE
    assert difference(boxes_of_keras_cv(theirs, expected, images.shape[1:]), found["boxes"]) <= TOLERANCE


@pytest.fixture(scope="module")
def backbone() -> archdsl.Backbone:
    return archdsl.from_preset("yolo_v8_xs_backbone", load_weights=False)


def test_a_detector_of_a_class_is_saved_as_its_config(backbone: archdsl.Backbone, tmp_path: Path) -> None:
    model = archdsl.models.YOLOV8Detector(backbone, 80, "xyxy")
    assert model.count_params() == YOLO_V8S["xs"].params
    model.save(tmp_path / "model.keras")
    images = oracle.random_images(np.random.default_rng(0), 64, 64)
    found = keras.saving.load_model(tmp_path / "model.keras")(images)
    for name, expected in model(images).items():
        np.testing.assert_array_equal(expected, found[name])


@pytest.mark.parametrize(
    ("name", "changes", "fact"),
    [
        ("YOLOV8Detector", {"bounding_box_format": "xywh"}, "got 'xywh'; expected 'xyxy'"),
        ("YOLOV8Detector", {"fpn_depth": 0}, "no depth becomes 0"),
        ("YOLOV8Detector", {"label_encoder": 1}, "'label_encoder' cannot be replaced here"),
        ("RetinaNet", {"box_head": 1}, "'box_head' cannot be replaced here"),
        ("RetinaNet", {"backbone": 1}, "got a int; expected an archdsl.Backbone"),
        ("RetinaNet", {"num_classes": 0}, "head.class.values"),
    ],
)
def test_what_a_class_cannot_do_is_refused(name: str, changes: dict[str, Any], fact: str, backbone: Any) -> None:
    given = {"backbone": backbone, "num_classes": 80, "bounding_box_format": "xyxy", **changes}
    with pytest.raises(archdsl.ArchError, match=fact):
        getattr(archdsl.models, name)(**given)
    with pytest.raises(archdsl.ArchError, match="the backbone has no P5"):
        getattr(archdsl.models, name)(
            archdsl.models.YOLOV8Backbone([8, 16, 24], [1, 1, 1], include_rescaling=True), 80, "xyxy"
        )
