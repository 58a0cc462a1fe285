"""Boxes that are left of all that a detector gives, and a photo on its way in and its boxes on their way out."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import keras
import numpy
import pytest
from PIL import Image

import archdsl

Outputs = dict[str, Any]
BACKENDS: dict[str, Callable[[Any], Any]] = {"numpy": numpy.asarray, "keras": keras.ops.convert_to_tensor}


def drawn(seed: int, count: int, classes: int, images: int = 2) -> Outputs:
    """Boxes at whole pixels, so that no overlap depends on how it is rounded, and scores of which many are equal."""
    random = numpy.random.default_rng(seed)
    corners = random.integers(0, 200, (images, count, 2))
    boxes = numpy.concatenate([corners, corners + random.integers(0, 60, (images, count, 2))], -1)
    return {"boxes": boxes.astype("float32"), "scores": (random.integers(0, 101, (images, count, classes)) / 100)}


def overlap(one: Any, other: Any) -> float:
    """Intersection over union of two boxes, as its definition says."""
    width = max(0, min(one[2], other[2]) - max(one[0], other[0]))
    height = max(0, min(one[3], other[3]) - max(one[1], other[1]))
    united = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)) - width * height
    return width * height / united if width * height else 0.0


def plainly(boxes: Any, scores: Any, confidence: float, iou: float, limit: int, per_class: bool) -> list[int]:
    """The boxes of one image that are kept, one after the other."""
    best = [(float(max(row)), int(numpy.argmax(row))) for row in scores.tolist()]
    order = sorted(range(len(best)), key=lambda place: (-best[place][0], place))
    kept: list[int] = []
    corners = boxes.tolist()
    for place in [place for place in order if best[place][0] > numpy.float32(confidence)]:
        if len(kept) == limit:
            break
        rivals = [other for other in kept if not per_class or best[other][1] == best[place][1]]
        if all(numpy.float32(overlap(corners[place], corners[other])) <= numpy.float32(iou) for other in rivals):
            kept.append(place)
    return kept


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("per_class", [True, False])
@pytest.mark.parametrize(
    ("count", "classes", "limit"), [(0, 3, 5), (1, 1, 5), (60, 1, 300), (300, 4, 300), (300, 4, 7), (3000, 80, 100)]
)
def test_the_boxes_kept_are_those_of_the_definition(
    backend: str, per_class: bool, count: int, classes: int, limit: int
) -> None:
    outputs = drawn(count + classes, count, classes)
    options = {"confidence": 0.3, "iou": 0.5, "limit": limit, "per_class": per_class}
    found = archdsl.detections({name: BACKENDS[backend](array) for name, array in outputs.items()}, **options)
    assert found["boxes"].shape == (2, limit, 4) and found["classes"].shape == (2, limit)
    for image in range(2):
        boxes, scores = outputs["boxes"][image], outputs["scores"][image].astype("float32")
        kept = plainly(boxes, scores, **options)
        number = found["count"][image]
        assert number == len(kept)
        numpy.testing.assert_array_equal(found["boxes"][image, :number], boxes[kept])
        numpy.testing.assert_array_equal(found["scores"][image, :number], scores[kept].max(-1, initial=0))
        numpy.testing.assert_array_equal(found["classes"][image, :number], scores[kept].argmax(-1))
        assert not found["boxes"][image, number:].any() and not found["scores"][image, number:].any()
        assert (found["classes"][image, number:] == -1).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_equal_boxes_leave_the_first_and_touching_ones_all(backend: str) -> None:
    boxes = numpy.array([[[0, 0, 10, 10], [0, 0, 10, 10], [10, 0, 20, 10], [5, 5, 5, 5], [5, 5, 5, 5]]], "float32")
    outputs = {"boxes": BACKENDS[backend](boxes), "scores": BACKENDS[backend](numpy.full((1, 5, 1), 0.5, "float32"))}
    found = archdsl.detections(outputs, iou=0.0)
    numpy.testing.assert_array_equal(found["boxes"][0, : found["count"][0]], boxes[0, [0, 2, 3, 4]])
    assert archdsl.detections(outputs, iou=1.0)["count"] == 5
    assert archdsl.detections(outputs, confidence=0.5)["count"] == 0


def test_tensorflow_suppresses_its_own_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow

    asked = []
    suppression = tensorflow.image.non_max_suppression
    monkeypatch.setattr(
        tensorflow.image, "non_max_suppression", lambda *given: (asked.append(1), suppression(*given))[1]
    )
    outputs = drawn(0, 20, 2, images=1)
    archdsl.detections(outputs)
    assert not asked
    archdsl.detections({name: tensorflow.constant(array) for name, array in outputs.items()})
    assert len(asked) == 2  # classes


def test_what_else_there_is_for_each_box_comes_along() -> None:
    outputs = drawn(1, 50, 2)
    number = numpy.arange(100).reshape(2, 50)
    found = archdsl.detections({**outputs, "number": number, "prototypes": numpy.zeros((2, 9, 9))}, iou=0.4)
    assert "prototypes" not in found
    for image in range(2):
        places = found["number"][image, : found["count"][image]] - 50 * image
        numpy.testing.assert_array_equal(found["boxes"][image, : len(places)], outputs["boxes"][image, places])


def test_boxes_that_are_not_numbers_are_not_found() -> None:
    boxes = numpy.array([[[0, 0, numpy.nan, 10], [0, 0, numpy.inf, 10], [0, 0, 10, 10], [0, 0, 9, 10]]])
    scores = numpy.array([[[0.9], [0.8], [0.7], [numpy.nan]]])
    found = archdsl.detections({"boxes": boxes, "scores": scores})
    assert found["count"] == 1
    numpy.testing.assert_array_equal(found["boxes"][0, 0], [0, 0, 10, 10])


@pytest.mark.parametrize(
    ("outputs", "options", "code"),
    [
        ({"boxes": numpy.zeros((1, 2, 4))}, {}, "detector"),
        (numpy.zeros((1, 2, 4)), {}, "detector"),
        ({"boxes": numpy.zeros((1, 2, 6)), "scores": numpy.zeros((1, 2, 3))}, {}, "detector"),
        ({"boxes": numpy.zeros((1, 2, 4)), "scores": numpy.zeros((1, 3, 3))}, {}, "detector"),
        ({"boxes": numpy.zeros((1, 2, 4)), "scores": numpy.zeros((1, 2, 0))}, {}, "detector"),
        (drawn(0, 2, 2), {"confidence": 1.5}, "range"),
        (drawn(0, 2, 2), {"iou": float("nan")}, "range"),
        (drawn(0, 2, 2), {"limit": 0}, "range"),
    ],
)
def test_other_outputs_are_refused(outputs: Any, options: dict[str, Any], code: str) -> None:
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.detections(outputs, **options)
    assert [problem.code for problem in caught.value.problems] == [code]


def bilinear(image: Any, height: int, width: int) -> Any:
    """By its definition: centres of pixels on centres of pixels, and each between the four that are nearest."""

    def weights(size: int, new: int) -> Any:
        places = numpy.clip((numpy.arange(new) + 0.5) * size / new - 0.5, 0, size - 1)
        low = numpy.minimum(places.astype(int), max(size - 2, 0))
        matrix = numpy.zeros((new, size))
        matrix[numpy.arange(new), low] = 1 - (places - low)
        matrix[numpy.arange(new), numpy.minimum(low + 1, size - 1)] += places - low
        return matrix

    rows = numpy.tensordot(weights(image.shape[0], height), image, 1)
    return numpy.tensordot(weights(image.shape[1], width), rows, (1, 1)).swapaxes(0, 1)


@pytest.mark.parametrize(
    ("height", "width", "size", "inner", "corner"),
    [
        (427, 640, 640, (427, 640), (106, 0)),  # an odd row: 106 above, 107 below
        (100, 300, 64, (21, 64), (21, 0)),
        (30, 20, 640, (640, 427), (0, 106)),
        (64, 64, (96, 160), (96, 96), (0, 32)),
        (1, 1000, 32, (1, 32), (15, 0)),  # its height would be 0.03
    ],
)
def test_a_photo_is_put_in_the_middle_of_a_grey_page(
    height: int, width: int, size: Any, inner: tuple[int, int], corner: tuple[int, int]
) -> None:
    image = numpy.random.default_rng(0).integers(0, 256, (height, width, 3), dtype="uint8")
    fitted = archdsl.letterbox(image, size)
    sides = size if isinstance(size, tuple) else (size, size)
    expected = numpy.full((*sides, 3), 114.0)
    rows, columns = (slice(first, first + side) for first, side in zip(corner, inner, strict=True))
    expected[rows, columns] = bilinear(image, *inner)
    numpy.testing.assert_allclose(fitted.image, expected, atol=1.01)
    assert numpy.abs(fitted.image - expected).mean() < 0.6
    assert (fitted.top, fitted.left) == corner and fitted.original == (height, width)
    numpy.testing.assert_array_equal(archdsl.letterbox(Image.fromarray(image), size).image, fitted.image)


def test_boxes_find_their_way_back() -> None:
    fitted = archdsl.letterbox(numpy.zeros((300, 600, 3), "uint8"), 640)
    boxes = numpy.array([[0, 0, 600, 300], [10, 20, 30, 40]])
    inside = fitted.from_original(boxes)
    numpy.testing.assert_allclose(inside[0], [0, 160, 640, 480], rtol=1e-6)
    numpy.testing.assert_allclose(fitted.to_original(inside), boxes, atol=1e-3)
    numpy.testing.assert_allclose(fitted.to_original([-5, 100, 700, 640]), [0, 0, 600, 300])


@pytest.mark.parametrize(
    ("image", "size"),
    [
        (numpy.zeros((4, 4, 3)), 32),
        (numpy.zeros((4, 4, 2), "uint8"), 32),
        (numpy.zeros((0, 4, 3), "uint8"), 32),
        (numpy.zeros((4, 4, 3), "uint8"), 0),
        (numpy.zeros((4, 4, 3), "uint8"), (32, 32, 3)),
        (numpy.zeros((4, 4, 3), "uint8"), 10**9),
    ],
)
def test_other_images_and_sizes_are_refused(image: Any, size: Any) -> None:
    with pytest.raises(archdsl.ArchError):
        archdsl.letterbox(image, size)


def test_neither_imports_keras() -> None:
    program = """
import sys, numpy, archdsl
archdsl.letterbox(numpy.zeros((4, 4, 3), "uint8"), 32).to_original([0, 0, 1, 1])
archdsl.detections({"boxes": numpy.zeros((1, 2, 4)), "scores": numpy.ones((1, 2, 3))})
assert not {"keras", "tensorflow", "matplotlib"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def gaussian(box: Any) -> tuple[Any, Any]:
    """Middle and covariance of points drawn evenly from a turned box."""
    x, y, width, height, angle = box
    turn = numpy.array([[numpy.cos(angle), -numpy.sin(angle)], [numpy.sin(angle), numpy.cos(angle)]])
    return numpy.array([x, y]), turn @ numpy.diag([width**2, height**2]) @ turn.T / 12


def prob_iou(one: Any, other: Any) -> float:
    """Llerena et al. 2021: 1 - Hellinger distance, of the Bhattacharyya coefficient of two Gaussians, by matrices."""
    (mean, covariance), (mean2, covariance2) = gaussian(one), gaussian(other)
    middle, apart = (covariance + covariance2) / 2, mean - mean2
    determinants = numpy.linalg.det(covariance) * numpy.linalg.det(covariance2)
    distance = apart @ numpy.linalg.inv(middle) @ apart / 8
    distance += numpy.log(numpy.linalg.det(middle) / numpy.sqrt(determinants)) / 2
    return float(1 - numpy.sqrt(1 - min(1, numpy.exp(-distance))))


def drawn_turned(seed: int, count: int) -> Outputs:
    random = numpy.random.default_rng(seed)
    middles, sides = random.uniform(0, 60, (2, count, 2)), random.uniform(5, 40, (2, count, 2))
    boxes = numpy.concatenate([middles, sides, random.uniform(-0.8, 2.4, (2, count, 1))], -1).astype("float32")
    scores = random.permutation(6 * count).reshape(2, count, 3) / (6 * count)
    return {"boxes": boxes, "scores": scores.astype("float32")}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("per_class", [True, False])
def test_turned_boxes_are_suppressed_by_their_gaussians(per_class: bool, backend: str) -> None:
    outputs = drawn_turned(0, 80)
    given = {name: BACKENDS[backend](array) for name, array in outputs.items()}
    found = archdsl.detections(given, confidence=0.3, iou=0.4, per_class=per_class)
    assert found["boxes"].shape == (2, 300, 5)
    for image, (boxes, scores) in enumerate(zip(outputs["boxes"], outputs["scores"], strict=True)):
        kept: list[int] = []
        for place in numpy.argsort(-scores.max(-1)):
            rivals = [other for other in kept if not per_class or scores[other].argmax() == scores[place].argmax()]
            alone = all(prob_iou(boxes[place], boxes[other]) <= 0.4 for other in rivals)
            kept += [int(place)] if scores[place].max() > 0.3 and alone else []
        assert 5 < len(kept) < 75
        numpy.testing.assert_array_equal(found["boxes"][image, : found["count"][image]], boxes[kept])


def test_a_box_turned_by_half_a_turn_is_the_same_and_one_without_an_area_is_no_error() -> None:
    half = numpy.pi
    boxes = [[20, 20, 10, 4, 0.3], [20, 20, 10, 4, 0.3 + half], [20, 20, 0, 0, 0], [20, 20, 4, 10, 0.3]]
    scores = numpy.array([[[0.9], [0.8], [0.7], [0.6]]])
    found = archdsl.detections({"boxes": numpy.array([boxes]), "scores": scores}, iou=0.6)
    assert found["count"] == 3 and found["scores"][0, :3].tolist() == pytest.approx([0.9, 0.7, 0.6])


def test_masks_are_sums_of_prototypes_within_their_boxes() -> None:
    """YOLACT (Bolya et al. 2019), section 3.3: sigmoid(P C^T), cropped; a prototype's pixel is 4 × 4 of the image."""
    random = numpy.random.default_rng(0)
    outputs = {
        "boxes": numpy.array([[[4.0, 8.0, 20.0, 40.0], [0.0, 0.0, 48.0, 32.0], [1.0, 1.0, 2.0, 2.0]]]),
        "scores": numpy.array([[[0.5, 0.1], [0.2, 0.9], [0.1, 0.1]]]),
        "masks": random.normal(size=(1, 3, 5)),
        "prototypes": random.normal(size=(1, 10, 12, 5)),
    }
    found = archdsl.detections(outputs, limit=4, size=(40, 48))
    assert found["masks"].shape == (1, 4, 10, 12) and found["count"] == 2
    for rank, (place, (left, top, right, bottom)) in enumerate(((1, (0, 0, 12, 8)), (0, (1, 2, 5, 10)))):
        expected = numpy.zeros((10, 12))
        whole = 1 / (1 + numpy.exp(-outputs["prototypes"][0] @ outputs["masks"][0, place]))
        expected[top:bottom, left:right] = whole[top:bottom, left:right]
        numpy.testing.assert_allclose(found["masks"][0, rank], expected, atol=1e-6)
    assert not found["masks"][0, 2:].any()
    assert archdsl.detections(outputs)["masks"].shape == (1, 300, 5)  # coefficients, where no size is known
    with pytest.raises(archdsl.ArchError, match="expected"):
        archdsl.detections({**outputs, "prototypes": numpy.zeros((1, 10, 12, 6))}, size=40)
