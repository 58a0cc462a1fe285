"""The maps a detector takes: any levels from P2 to P7, in any order, from any stage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support import keras

import archdsl

P6 = "+stages.p6={width: 1024, depth: 3}"
P7 = "+stages.p7={width: 1024, depth: 3}"
ALL = ["p2", "p3", "p4", "p5", "p6", "p7"]
SMALL = "++scale.width=0.0625"


def outputs(*levels: str) -> str:
    return f"outputs=[{','.join(levels)}]"


def shapes(config: Any, *overrides: str, side: int = 256) -> dict[str, tuple[Any, ...]]:
    """Of each output, with its stride."""
    report = archdsl.analyze(config, overrides, (side, side, 3))
    return {level: (*info.shape, info.stride) for level, info in report.outputs.items()}


def test_p6_and_p7_are_one_more_stage_each() -> None:
    assert shapes("yolo_v8_s_backbone", P6, P7, outputs(*ALL), side=640) == {
        "P2": (160, 160, 64, 4),
        "P3": (80, 80, 128, 8),
        "P4": (40, 40, 256, 16),
        "P5": (20, 20, 512, 32),
        "P6": (10, 10, 512, 64),
        "P7": (5, 5, 512, 128),
    }


@pytest.mark.parametrize(
    "family",
    [
        "yolo_v8_xs_backbone",
        "csp_darknet_tiny",
        "resnet18_v2",
        "resnet50_v2",
        "darknet53_backbone",
        "cspdarknet53_backbone",
        "yolo_v5_n_backbone",
        "yolo_v7_backbone",
        "yolo_v9_s_backbone",
    ],
)
@pytest.mark.parametrize("levels", [ALL, ["p7", "p2"], ["p4", "p6", "p3"], ["p5"]], ids="-".join)
def test_every_family_gives_any_levels_in_the_order_asked_for(family: str, levels: list[str]) -> None:
    found = shapes(family, P6, P7, outputs(*levels))
    strides = {level.upper(): 2 ** int(level[1]) for level in levels}
    assert {level: (*shape[:2], shape[3]) for level, shape in found.items()} == {
        level: (256 // stride, 256 // stride, stride) for level, stride in strides.items()
    }
    assert list(found) == list(strides)


@pytest.mark.keras
@pytest.mark.parametrize(
    ("config", "overrides"),
    [
        ("yolo_v8_xs_backbone", [P6, P7, outputs(*ALL)]),
        ("yolo_v8_xs_backbone", [P6, P7, outputs("p7", "p2", "p5")]),
        ("csp_darknet_tiny", [outputs("p2")]),
        ("resnet18_v2", ["+stages.p6={width: 512, depth: 2}", outputs("p6", "p3")]),
        ("yolo_v8_xs_backbone", ["+stages.wide={after: p4, width: 640, down: null}", outputs("p4", "wide", "p5")]),
        ("yolo_v9_s_backbone", ["+stages.last={width: 96, down: null, stride: 1}", outputs("last", "p3")]),
    ],
    ids=["all", "unordered", "one", "resnet", "equal stride", "no level"],
)
def test_the_built_model_gives_exactly_the_predicted_maps(config: str, overrides: list[str]) -> None:
    model = archdsl.build_from_config(config, [SMALL, *overrides])
    image = np.random.default_rng(0).uniform(0, 255, (2, 128, 256, 3)).astype("float32")
    maps = model.features()(image)
    predicted = archdsl.analyze(config, [SMALL, *overrides], (128, 256, 3)).outputs
    assert list(maps) == list(predicted)
    assert {level: tuple(tensor.shape) for level, tensor in maps.items()} == {
        level: (2, *info.shape) for level, info in predicted.items()
    }
    for level, tensor in maps.items():  # each is its stage's own map, not a neighbour of the same shape
        alone = model.features([level])(image)[level]
        assert np.array_equal(tensor, alone)
        assert np.array_equal(
            tensor, keras.Model(model.inputs[0], model.get_layer(last_layer(model, level)).output)(image)
        )
    keras.utils.clear_session()


def last_layer(model: archdsl.Backbone, level: str) -> str:
    """The last layer whose name begins with the stage's: what the stage gives."""
    return [layer.name for layer in model.layers if layer.name.startswith(f"{level.lower()}_")][-1]


def test_stages_of_equal_stride_are_both_outputs() -> None:
    found = shapes("yolo_v8_s_backbone", "+stages.wide={after: p4, width: 640, down: null}", outputs("wide", "p4"))
    assert found == {"wide": (16, 16, 320, 16), "P4": (16, 16, 256, 16)}


def test_one_output_needs_no_list_and_none_said_are_all_levels() -> None:
    assert list(shapes("yolo_v8_s_backbone", "outputs=p4")) == ["P4"]
    assert list(shapes("yolo_v8_s_backbone", P6, "~outputs")) == ["P2", "P3", "P4", "P5", "P6"]


WRONG = {
    outputs("p3", "p6"): ("outputs.1", "there is no stage or layer 'p6'; expected one of: p2, p3, p4, p5", ""),
    outputs("P4"): ("outputs.0", "there is no stage or layer 'P4'", "did you mean 'p4'?"),
    outputs("stem_conv2"): ("outputs.0", "there is no stage or layer 'stem_conv2'", ""),
    outputs("p4_body_9"): ("outputs.0", "there is no layer 'p4_body_9'", "did you mean 'p4_body"),
    outputs("p4", "p3", "p4"): ("outputs.2", "'p4' is named twice", ""),
    outputs(): ("outputs", "got a list of 0", ""),
    outputs("4"): ("outputs.0", "expected text, got the number 4", ""),
    "+stages.p7={width: 64}": ("stages.p7", "its total stride is 64, but a stage named p7 has stride 128", "another"),
}


@pytest.mark.parametrize("override", WRONG)
def test_wrong_outputs_are_named_with_their_place(problems_of: Callable[..., Any], override: str) -> None:
    path, message, hint = WRONG[override]
    (problem,) = problems_of("yolo_v8_s_backbone", override)
    assert (problem.file, problem.path) == ("<override 1>", path)
    assert message in problem.message
    assert hint in problem.hint


def test_a_misspelt_layer_of_a_head_has_its_name_suggested() -> None:
    config = {"defaults": ["yolo_v8_xs_detect", "_self_"], "outputs": {"boxes": "head_bxes", "scores": "head_scores"}}
    with pytest.raises(archdsl.ArchError) as raised:
        archdsl.compile_config(config)
    assert [problem.hint for problem in raised.value.problems] == ["did you mean 'head_boxes'?"]
