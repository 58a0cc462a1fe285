"""Receptive fields: published figures, hand calculations, and what gradients of a built model reach."""

from __future__ import annotations

import json
from collections.abc import Callable
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
from support import keras

import archdsl
from archdsl.analysis.report import receptive_fields
from archdsl.ir.graph import Graph
from archdsl.ir.node import Node
from archdsl.ir.ops import AvgPool, MaxPool
from archdsl.ir.passes import run_passes

Layers = dict[str, dict[str, Any]]


def fields(config: Any, *overrides: str) -> dict[str, float]:
    """Of every level, at any image size."""
    graph = archdsl.compile_config(config, overrides)
    return of_levels(graph, receptive_fields(graph))


def of_levels(graph: Graph, known: dict[Node, float]) -> dict[str, float]:
    return {level: known[node] for level, node in graph.levels.items()}


def chain(*layers: dict[str, Any]) -> dict[str, Any]:
    """Layers one after the other, as the only stage."""
    return {"stages": {"all": {"pre": {f"layer{number}": layer for number, layer in enumerate(layers)}}}}


def conv(kernel: int, stride: int = 1, dilation: int = 1) -> dict[str, Any]:
    shape = {"kernel": kernel, "stride": stride, "dilation": dilation}
    return {"block": "conv", "width": 4, **{key: value for key, value in shape.items() if value != 1}}


def pool(kernel: int, stride: int) -> dict[str, Any]:
    return {"block": "max_pool", "kernel": kernel, "stride": stride}


def separable(stride: int = 1) -> dict[str, Any]:
    return {"block": "depthwise_conv_bn_act", "width": 4, "stride": stride}


ALEXNET = [conv(11, 4), pool(3, 2), conv(5), pool(3, 2), conv(3), conv(3), conv(3), pool(3, 2)]
VGG_16 = [layer for convolutions in (2, 2, 3, 3, 3) for layer in (*[conv(3)] * convolutions, pool(2, 2))]
MOBILENET = [conv(3, 2), *[separable(stride) for stride in (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)]]


@pytest.mark.parametrize(("layers", "published"), [(ALEXNET, 195), (VGG_16, 212), (MOBILENET, 315)])
def test_plain_networks_have_the_published_receptive_fields(layers: list[dict[str, Any]], published: int) -> None:
    """The table of Araujo et al. 2019, for AlexNet v2, VGG-16 and MobileNet v1."""
    assert fields(chain(*layers)) == {"all": published}


@pytest.mark.parametrize(
    ("depths", "published"),
    [((3, 4, 6, 3), 483), ((3, 4, 23, 3), 1027), ((3, 8, 36, 3), 1507), ((3, 24, 36, 3), 1763)],
    ids=["resnet_50", "resnet_101", "resnet_152", "resnet_200"],
)
def test_resnets_have_the_published_receptive_fields(depths: tuple[int, ...], published: int) -> None:
    """The same table: ResNets that stride in the last block of their first three stacks, as TF-Slim has them."""
    stages: Layers = {f"stack{number}": {"width": 16, "depth": depth} for number, depth in enumerate(depths, 1)}
    stages["stack4"]["stride"] = 1
    config = {
        "conventions": {"padding": "same"},
        "stem": {"conv": {**conv(7, 2), "width": 16}, "pool": pool(3, 2)},
        "stage_defaults": {"stride": 2, "stride_at": "last", "body": {"block": "preact_bottleneck"}},
        "stages": stages,
    }
    assert fields(config)["stack4"] == published


def test_receptive_fields_grow_as_counted_by_hand() -> None:
    """YOLOv8 s: a stem of 3, then for each stage a window of 3 at the last stride and C2f's 3 × 3 pairs at its own."""
    p2 = 3 + 2 * 2 + 2 * 2 * 4
    p3 = p2 + 2 * 4 + 2 * 4 * 8
    p4 = p3 + 2 * 8 + 2 * 4 * 16
    p5 = p4 + 2 * 16 + 2 * 2 * 32 + 3 * 4 * 32  # SPPF: three windows of 5 in a row
    assert fields("yolo_v8_s_backbone") == {"P2": p2, "P3": p3, "P4": p4, "P5": p5}


def test_dilation_and_space_to_depth_widen_it_and_padding_does_not() -> None:
    assert fields(chain(conv(3, dilation=3), conv(5))) == {"all": 1 + 2 * 3 + 4}
    assert fields(chain({"block": "focus"}, conv(3))) == {"all": 2 + 2 * 2}
    for padding in ("same", "symmetric"):
        assert fields({**chain(conv(3), conv(3, 2), conv(1)), "conventions": {"padding": padding}}) == {"all": 5}


def test_a_gate_from_the_whole_map_sees_the_whole_image(run: Callable[..., CompletedProcess[str]]) -> None:
    gate = "+stages.p4.post.gate={block: squeeze_excite}"
    assert archdsl.analyze("yolo_v8_s_backbone", [gate]).outputs["P4"].receptive_field is None
    assert archdsl.analyze("yolo_v8_s_backbone", [gate]).outputs["P3"].receptive_field == 95
    assert "the whole image" in run("show", "yolo_v8_s_backbone", gate).stdout
    outputs = json.loads(run("show", "yolo_v8_s_backbone", gate, "--json").stdout)["outputs"]
    assert outputs["P4"]["receptive_field"] is None


def test_show_prints_each_outputs_size_stride_and_receptive_field(run: Callable[..., CompletedProcess[str]]) -> None:
    lines = run("show", "yolo_v8_s_backbone", "outputs=[p2,p5]", "--size", "480x640").stdout.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("output "))
    assert [line.split() for line in lines[start + 1 : start + 4]] == [
        ["P2", "p2.body", "120", "×", "160", "4", "64", "23", "px"],
        ["P5", "p5.post.sppf", "15", "×", "20", "32", "512", "783", "px"],
        [],
    ]


def test_fusing_changes_no_receptive_field() -> None:
    for name in ("yolo_v9_s_backbone", "csp_darknet_tiny"):
        fused, _ = run_passes(archdsl.compile_config(name))
        assert of_levels(fused, receptive_fields(fused)) == fields(name)


SMALL = "++scale.width=0.0625"
TOP_DOWN = {
    "stages": {
        "p1": {"width": 4, "body": {"block": "conv_bn_act", "kernel": 3, "stride": 2}},
        "p2": {"width": 4, "body": {"block": "conv_bn_act", "kernel": 3, "stride": 2}},
        "up": {
            "pre": {"up": {"block": "upsample"}, "join": {"block": "concat", "from": ["up", "p1"]}},
            "body": {"block": "conv_bn_act", "kernel": 3, "width": 4},
        },
    },
}


@pytest.mark.keras
@pytest.mark.parametrize(
    ("config", "overrides"),
    [
        ("yolo_v8_xs_backbone", [SMALL]),
        ("csp_darknet_tiny", [SMALL]),
        ("resnet50_v2", [SMALL]),
        ("darknet53_backbone", [SMALL]),
        ("yolo_v5_n_backbone", [SMALL]),
        ("yolo_v7_backbone", [SMALL]),
        ("yolo_v9_s_backbone", [SMALL]),
        ("yolo_v9_c_backbone", [SMALL]),
        ("resnet18_v2", [SMALL, "~stages.p5", "+stages.dilated={width: 512, depth: 2, stride: 1, dilation: 2}"]),
        (TOP_DOWN, []),
    ],
)
def test_a_centre_pixel_depends_on_as_many_pixels_as_calculated(
    config: Any, overrides: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MaxPool, "emit", AvgPool.emit)  # a maximum has a gradient for one pixel of its window only
    model = archdsl.build_from_config(
        config, [*overrides, "++conventions.activation=linear"], input_shape=(1792, 64, 3), include_rescaling=False
    )
    for weight in model.weights:
        if weight.name == "kernel":  # positive and of one scale, so that nothing cancels or vanishes
            weight.assign(np.full(weight.shape, 1 / np.prod(weight.shape[:-1])))
    calculated = of_levels(model.graph, receptive_fields(model.graph))
    assert measured_heights(model, list(calculated)) == calculated


def measured_heights(model: keras.Model, levels: list[str]) -> dict[str, int]:
    """Rows of the image with a gradient from the centre of each level, first to last."""
    import tensorflow as tf

    features = model.features(levels)
    image = tf.Variable(tf.ones((1, *model.input_shape[1:])))
    with tf.GradientTape(persistent=True) as tape:
        centres = {
            level: tf.reduce_sum(tensor[:, tensor.shape[1] // 2, tensor.shape[2] // 2])
            for level, tensor in features(image).items()
        }
    heights = {}
    for level, centre in centres.items():
        rows = np.flatnonzero(np.abs(tape.gradient(centre, image).numpy()).sum((0, 2, 3)))
        heights[level] = int(rows[-1] - rows[0] + 1)
    keras.utils.clear_session()
    return heights
