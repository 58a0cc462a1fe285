"""The best boxes of a detector by ONNX's operator are those of archdsl.detections."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

import archdsl
from archdsl.backends.form import Suppression
from archdsl.backends.onnx.suppression import suppress


def model(classes: int, by: Suppression) -> onnx.ModelProto:
    """Boxes and scores, and a row for each box of something else, as they come, suppressed."""
    sides = {"boxes": 4, "scores": classes, "points": 6}
    given, found = [
        [
            helper.make_tensor_value_info(f"{begin}{name}", TensorProto.FLOAT, ["batch", "places", last])
            for name, last in sides.items()
        ]
        for begin in ("all_", "")
    ]
    nodes = [helper.make_node("Identity", [f"all_{name}"], [name], f"output/{name}") for name in sides]
    graph = helper.make_graph(nodes, "one", given, found)
    made = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])
    suppress(made, by)
    onnx.checker.check_model(made, full_check=True)
    return made


def drawn(count: int, classes: int) -> dict[str, Any]:
    """Boxes at whole pixels, so that no overlap depends on how it is rounded, and scores of which many are equal."""
    random = np.random.default_rng(count + classes)
    corners = random.integers(0, 200, (2, count, 2))
    boxes = np.concatenate([corners, corners + random.integers(0, 60, (2, count, 2))], -1).astype("float32")
    scores = (random.integers(0, 101, (2, count, classes)) / 100).astype("float32")
    boxes[1, count // 2] = np.inf, 0, np.nan, 0
    scores[1, count // 2] = 1
    return {"boxes": boxes, "scores": scores, "points": random.normal(size=(2, count, 6)).astype("float32")}


@pytest.mark.parametrize("confidence", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(
    ("count", "classes", "iou", "limit"),
    [(1, 1, 0.5, 5), (60, 1, 0.5, 300), (300, 4, 0.0, 300), (300, 4, 0.5, 7), (300, 4, 1.0, 20), (3000, 80, 0.7, 100)],
)
def test_the_boxes_left_are_those_of_detections(
    count: int, classes: int, confidence: float, iou: float, limit: int
) -> None:
    outputs = drawn(count, classes)
    options = {"confidence": confidence, "iou": iou, "limit": limit}
    session = onnxruntime.InferenceSession(model(classes, Suppression(**options)).SerializeToString())
    given = {f"all_{name}": array for name, array in outputs.items()}
    names = [each.name for each in session.get_outputs()]
    assert names == ["boxes", "scores", "classes", "images", "points"]
    found = dict(zip(names, session.run(None, given), strict=True))
    wanted = archdsl.detections(outputs, **options)
    is_there = np.arange(limit) < wanted["count"][:, None]
    for name in ("boxes", "scores", "classes", "points"):
        np.testing.assert_array_equal(found[name], wanted[name][is_there])
    np.testing.assert_array_equal(found["images"], np.nonzero(is_there)[0])


def test_a_file_leaves_by_default_what_detections_leaves() -> None:
    theirs = inspect.signature(archdsl.detections).parameters
    assert Suppression()._asdict() == {name: theirs[name].default for name in Suppression._fields}
