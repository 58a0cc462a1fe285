"""What a detector found: the best boxes of all it gives, without those that lie on a better one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archdsl.diagnostics.problems import fail
from archdsl.diagnostics.wording import one_of
from archdsl.models.letterbox import sides_of
from archdsl.models.masks import masks_of
from archdsl.models.overlap import overlap

if TYPE_CHECKING:
    import numpy

    Array = numpy.ndarray[Any, Any]

CANDIDATES = 30_000  # of an image, those with the highest scores
NO_CLASS = -1
_Keep = Callable[["Array", "Array", float, int], "Array"]


def detections(
    outputs: Mapping[str, Any],
    confidence: float = 0.25,
    iou: float = 0.7,
    limit: int = 300,
    per_class: bool = True,
    size: int | Sequence[int] | None = None,
) -> dict[str, Array]:
    """The objects in the outputs of a detector, as NumPy arrays, by falling score.

    `outputs` has `boxes` (B, N, 4) xyxy, or (B, N, 5) for boxes that are turned, x, y, width, height and radians; and
    `scores` (B, N, classes), of NumPy or of any backend of Keras. A box is of its best class, and is left out where
    that scores no more than `confidence`, or where it overlaps a better one by more than `iou`: intersection over
    union, or of turned boxes ProbIoU (Llerena et al. 2021). With `per_class` only a box of the same class counts.
    `iou=1` leaves none out, for a detector that needs no suppression. At most `limit` boxes of an image are kept.

    -> boxes (B, limit, 4 or 5), scores (B, limit), classes (B, limit), and how many there are: count (B). After those,
    boxes and scores are 0 and classes -1. What else `outputs` has for every box, (B, N, …), is there too. With `size`,
    a side or (height, width) of the images, `masks` (B, N, k) times `prototypes` (B, h, w, k) are masks
    (B, limit, h, w): how likely a pixel is of the object, 0 outside of its box.
    Raises ArchError for other shapes, and for a number out of its range.
    """
    _check_range("confidence", confidence, 0, 1)
    _check_range("iou", iou, 0, 1)
    _check_range("limit", limit, 1, CANDIDATES)
    import numpy

    arrays = _checked(outputs)
    boxes, scores = arrays["boxes"].astype("float32"), arrays["scores"].astype("float32")
    classes, best = scores.argmax(-1).astype("int32"), scores.max(-1)
    extra = {name: array for name, array in arrays.items() if array.shape[:2] == boxes.shape[:2]}
    found = {**extra, "boxes": boxes, "scores": best, "classes": classes}
    keep = _keep_for(outputs["boxes"])
    groups = classes if per_class else numpy.zeros_like(classes)
    kept = [
        _kept(*each, confidence=confidence, iou=iou, limit=limit, keep=keep)
        for each in zip(boxes, best, groups, strict=True)
    ]
    picked = {name: _picked(array, kept, limit, NO_CLASS if name == "classes" else 0) for name, array in found.items()}
    if size is not None and {"masks", "prototypes"} <= {*arrays}:
        picked["masks"] = masks_of(picked["masks"], arrays["prototypes"], picked["boxes"], sides_of(size))
    return {**picked, "count": numpy.array([len(places) for places in kept], "int32")}


def _check_range(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise fail("range", f"{name} is {value}; expected {least} to {most}")


def _checked(outputs: Mapping[str, Any]) -> dict[str, Array]:
    """The outputs as NumPy's arrays."""
    missing = [name for name in ("boxes", "scores") if not isinstance(outputs, Mapping) or name not in outputs]
    if missing:
        has = one_of(list(outputs)) if isinstance(outputs, Mapping) else "expected a dict"
        raise fail("detector", f"these outputs have no '{missing[0]}'; {has}")
    arrays = {name: _as_numpy(value) for name, value in outputs.items()}
    boxes, scores = arrays["boxes"].shape, arrays["scores"].shape
    if len(boxes) != 3 or boxes[-1] not in (4, 5) or len(scores) != 3 or scores[:2] != boxes[:2] or not scores[-1]:
        raise fail("detector", f"boxes {boxes} and scores {scores}; expected (B, N, 4 or 5) and (B, N, classes)")
    return arrays


def _as_numpy(value: Any) -> Array:
    import numpy

    if isinstance(value, (numpy.ndarray, list, tuple)):
        return numpy.asarray(value)
    import keras

    array: Array = keras.ops.convert_to_numpy(value)
    return array


def _kept(
    boxes: Array, scores: Array, groups: Array, *, confidence: float, iou: float, limit: int, keep: _Keep
) -> Array:
    """Places of the boxes of one image that are kept, by falling score; of equal ones the first comes first."""
    import numpy

    (places,) = numpy.nonzero((scores > confidence) & numpy.isfinite(boxes).all(-1))
    places = places[numpy.argsort(-scores[places], kind="stable")[:CANDIDATES]]
    of_group = [places[groups[places] == group] for group in numpy.unique(groups[places])]
    left = [each[keep(boxes[each], scores[each], iou, limit)] for each in of_group]
    together = numpy.sort(numpy.concatenate([places[:0], *left]))
    return together[numpy.argsort(-scores[together], kind="stable")[:limit]]


def _keep_for(boxes: Any) -> _Keep:
    """The suppression of the framework that the boxes are of, where it has one for boxes of this kind."""
    is_of_tensorflow = type(boxes).__module__.startswith("tensorflow.") and boxes.shape[-1] == 4
    return _kept_by_tensorflow if is_of_tensorflow else _kept_by_numpy


def _kept_by_tensorflow(boxes: Array, scores: Array, iou: float, limit: int) -> Array:
    import importlib

    found: Array = importlib.import_module("tensorflow").image.non_max_suppression(boxes, scores, limit, iou).numpy()
    return found


def _kept_by_numpy(boxes: Array, scores: Array, iou: float, limit: int) -> Array:
    """Places of the boxes to keep of those given by falling score, in at most `limit` steps over all that are left."""
    import numpy

    left = numpy.arange(len(boxes))
    found: list[int] = []
    while len(left) and len(found) < limit:
        first, left = left[0], left[1:]
        found.append(first)
        left = left[overlap(boxes[first], boxes[left]) <= numpy.float32(iou)]
    return numpy.array(found, "int64")


def _picked(array: Array, kept: list[Array], limit: int, empty: float) -> Array:
    """The entries of each image at its places, then `empty`. (B, N, …) -> (B, limit, …)."""
    import numpy

    result = numpy.full((len(kept), limit, *array.shape[2:]), empty, array.dtype)
    for row, entries, places in zip(result, array, kept, strict=True):
        row[: len(places)] = entries[places]
    return result
