"""The best boxes of a detector by ONNX's own operator, as archdsl.detections has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy
from onnx import ModelProto, TensorProto, ValueInfoProto, helper

from archdsl.backends.form import Suppression
from archdsl.backends.onnx.emission import Emission

BOXES, SCORES, CLASSES, IMAGES = "boxes", "scores", "classes", "images"
_COUNT = "detections"  # the name of a side: boxes that are left, of all images
_DROPPED = -1.0  # below every score
_SCOPE = "suppression"


def suppress(model: ModelProto, by: Suppression) -> None:
    """Leave the boxes that archdsl.detections leaves, by falling score, those of one image after those of another.

    boxes (B, N, 4), scores (B, N, classes) -> boxes (K, 4), scores (K), classes (K), and in images (K) which image of
    the batch each is of. Classes and images are int64. What else has a row for each box, (B, N, …), is left for the K;
    other results stay as they are.
    """
    given = {each.name: each for each in model.graph.output}
    raw = {name: _renamed(model, name) for name in given}
    to = Emission(model.graph)
    to.within(_SCOPE)
    best, classes = _best(to, raw)
    confidence = to.weight("confidence", numpy.asarray([by.confidence]))
    kept = _kept(to, raw[BOXES], best, classes, _sides(given[SCORES])[-1], by, confidence)
    count = to("Min", to.side(kept, 1), to.integers([by.limit]))
    scores, places = to.several("TopK", 2, kept, count, axis=1)
    entries = to.transpose(to("NonZero", to("Greater", scores, confidence)), 1, 0)
    image = to.slice(entries, 1, 0, 1)
    own = to.concat([image, to("Unsqueeze", to("GatherND", places, entries), to.integers([1]))], 1)
    has_rows = [name for name, each in given.items() if _sides(each)[1:-1] == _sides(given[BOXES])[1:-1]]
    results = raw | {name: to("GatherND", raw[name], own) for name in has_rows}
    results[SCORES] = to("GatherND", scores, entries)
    results[CLASSES] = to("Squeeze", to("GatherND", classes, own), to.integers([1]))
    results[IMAGES] = to("Squeeze", image, to.integers([1]))
    for name, value in results.items():
        to.finish("Identity", value, name)
    _describe(model, given, has_rows)


def set_confidence(model: ModelProto, confidence: float) -> None:
    """Change the score that a box is left above."""
    (array,) = [each for each in model.graph.initializer if each.name == f"{_SCOPE}/confidence"]
    array.raw_data = numpy.asarray([confidence], "float32").tobytes()


def _renamed(model: ModelProto, result: str) -> str:
    """Another name for what was a result."""
    node = next(node for node in model.graph.node if result in node.output)
    node.name = node.output[0] = name = f"all/{result}"
    return name


def _best(to: Emission, raw: Mapping[str, str]) -> tuple[str, str]:
    """The best score of each box (B, N, 1), 0 where a box is without end, and its class, the first of equal ones."""
    scores = to("ReduceMax", raw[SCORES], axes=[-1], keepdims=1)
    size = to("ReduceSum", to("Abs", raw[BOXES]), to.integers([-1]), keepdims=1)
    is_finite = to("Less", size, to.exact(float("inf")))
    return to("Where", is_finite, scores, to.exact(0)), to("ArgMax", raw[SCORES], axis=-1, keepdims=1)


def _kept(to: Emission, boxes: str, best: str, classes: str, class_count: int, by: Suppression, confidence: str) -> str:
    """(B, N): the scores of the boxes that are left, and _DROPPED for the others."""
    numbers = to.reshape(to.integers(range(class_count)), 1, -1, 1)
    is_own = to("Equal", to.transpose(classes, 0, 2, 1), numbers)
    own = to("Where", is_own, to.transpose(best, 0, 2, 1), to.exact(0))  # the operator takes each class alone
    limits = to.integers([by.limit]), to.exact([by.iou]), confidence
    found = to("NonMaxSuppression", boxes, own, *limits)  # (K, 3): image, class, box
    places = to.take(found, (0, 2), 1)
    flat = to("Squeeze", best, to.integers([-1]))
    dropped = to("Expand", to.exact(_DROPPED), to("Shape", flat))
    return to("ScatterND", dropped, places, to("GatherND", flat, places))


def _describe(model: ModelProto, given: Mapping[str, ValueInfoProto], has_rows: list[str]) -> None:
    sides: dict[str, list[Any]] = {name: [_COUNT, *_sides(given[name])[2:]] for name in has_rows}
    sides |= {SCORES: [_COUNT], CLASSES: [_COUNT], IMAGES: [_COUNT]}
    floats = {name: _sides(each) for name, each in given.items()} | sides
    kinds = {name: TensorProto.INT64 if name in (CLASSES, IMAGES) else TensorProto.FLOAT for name in floats}
    first = [BOXES, SCORES, CLASSES, IMAGES]
    del model.graph.output[:]
    model.graph.output.extend(
        helper.make_tensor_value_info(name, kinds[name], floats[name])
        for name in [*first, *[each for each in floats if each not in first]]
    )


def _sides(value: ValueInfoProto) -> list[Any]:
    return [side.dim_param or side.dim_value for side in value.type.tensor_type.shape.dim]
