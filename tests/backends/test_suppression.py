"""The best boxes of a detector by ONNX's operator are those of archdsl.detections, in OpenVINO too."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import openvino
import pytest
from onnx import TensorProto, helper

import archdsl
from archdsl.backends.form import Form, Precision, Suppression
from archdsl.models.export.formats import Onnx, OpenVino


def model(classes: int, form: Form, by: Onnx) -> onnx.ModelProto:
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
    by.suppress(made, form)
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


def in_onnx_runtime(classes: int, by: Suppression, given: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    made = model(classes, Form(suppression=by), Onnx())
    session = onnxruntime.InferenceSession(made.SerializeToString())
    return dict(zip([each.name for each in session.get_outputs()], session.run(None, given), strict=True))


def in_openvino(
    classes: int, by: Suppression, given: Mapping[str, Any], folder: Path, precision: Precision = "float32"
) -> Mapping[str, Any]:
    form = Form(precision=precision, suppression=by)
    OpenVino().write(model(classes, form, OpenVino()), form, folder / "a.xml")
    read = openvino.Core().read_model(folder / "a.xml")
    names = [each.any_name for each in read.outputs]
    return dict(zip(names, openvino.compile_model(read, "CPU")(given).values(), strict=True))


def in_openvino_of_half_precision(*given: Any) -> Mapping[str, Any]:
    return in_openvino(*given, precision="float16")


@pytest.mark.parametrize("confidence", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(
    ("count", "classes", "iou", "limit"),
    [(1, 1, 0.5, 5), (60, 1, 0.5, 300), (300, 4, 0.0, 300), (300, 4, 0.5, 7), (300, 4, 1.0, 20), (3000, 80, 0.7, 100)],
)
@pytest.mark.parametrize("run", [in_onnx_runtime, in_openvino, in_openvino_of_half_precision])
def test_the_boxes_left_are_those_of_detections(
    count: int, classes: int, confidence: float, iou: float, limit: int, run: Any, tmp_path: Path
) -> None:
    outputs = drawn(count, classes)
    options = {"confidence": confidence, "iou": iou, "limit": limit}
    given = {f"all_{name}": array for name, array in outputs.items()}
    found = run(classes, Suppression(**options), given, tmp_path)
    assert list(found) == ["boxes", "scores", "classes", "images", "points"]
    wanted = archdsl.detections(outputs, **options)
    is_there = np.arange(limit) < wanted["count"][:, None]
    for name in ("boxes", "scores", "classes", "points"):
        np.testing.assert_array_equal(found[name], wanted[name][is_there])
    np.testing.assert_array_equal(found["images"], np.nonzero(is_there)[0])


def test_a_file_leaves_by_default_what_detections_leaves() -> None:
    theirs = inspect.signature(archdsl.detections).parameters
    assert Suppression()._asdict() == {name: theirs[name].default for name in Suppression._fields}
