"""Families that Keras does not have, and figures of the papers: levels at their strides, and sizes as scales."""

from __future__ import annotations

import pytest

import archdsl
from archdsl.analysis.expect import check_expectations
from archdsl.frontend.compose.config import load
from archdsl.ir.graph import Graph
from archdsl.ir.ops import Activation, Add, BatchNorm, Conv2D

# Trainable parameters without the classifier. timm's table of results gives 41.61 and 27.64 million for darknet53 and
# cspdarknet53, of which the classifier of 1000 classes has 1,025,000.
TRAINABLE = {
    "darknet53_backbone": 40_584_928,
    "cspdarknet53_backbone": 26_617_184,
}

# All arrays, batch-norm statistics included: the published models up to the end of their backbone. Those of YOLOv7 and
# YOLOv9 as in WongKinYiu/YOLO (MIT), with RepConv's branches unmerged.
PARAMS = {
    "yolo_v5_n_backbone": 1_051_648,
    "yolo_v5_s_backbone": 4_182_016,
    "yolo_v5_l_backbone": 26_616_832,
    "yolo_v7_backbone": 13_391_840,
    "yolo_v8_xs_p6_backbone": 1_907_440,
    "yolo_v8_s_p6_backbone": 7_602_656,
    "yolo_v9_s_backbone": 2_668_640,
    "yolo_v9_c_backbone": 8_350_400,
}

# Not published as such: ours, so that they do not change unnoticed.
OUR_PARAMS = {
    "yolo_v5_m_backbone": 12_188_544,
    "yolo_v5_x_backbone": 49_325_440,
    "yolo_v8_m_p6_backbone": 18_851_280,
    "yolo_v8_l_p6_backbone": 26_659_776,
    "yolo_v8_xl_p6_backbone": 41_637_040,
    "yolo_v9_m_backbone": 7_376_072,
}

P2 = [f"yolo_v8_{size}_p2_backbone" for size in ("xs", "s", "m", "l", "xl")]
P6 = [f"yolo_v8_{size}_p6_backbone" for size in ("xs", "s", "m", "l", "xl")]
PRESETS = sorted({*TRAINABLE, *PARAMS, *OUR_PARAMS, *P2})
STRIDES = {"P2": 4, "P3": 8, "P4": 16, "P5": 32, "P6": 64}


def convolutions(graph: Graph) -> list[Conv2D]:
    return [node.op for node in graph.nodes if isinstance(node.op, Conv2D)]


def widths(name: str) -> list[int]:
    return [output.channels for output in archdsl.analyze(name).outputs.values()]


# Figures


@pytest.mark.parametrize(("name", "count"), TRAINABLE.items())
def test_trainable_parameters_are_the_published_ones(name: str, count: int) -> None:
    assert archdsl.analyze(name).trainable_params == count


@pytest.mark.parametrize(("name", "count"), [*PARAMS.items(), *OUR_PARAMS.items()])
def test_parameters_are_the_published_ones(name: str, count: int) -> None:
    assert archdsl.analyze(name).params == count


@pytest.mark.parametrize("name", P2)
def test_a_p2_map_costs_nothing_more(name: str) -> None:
    preset, base = archdsl.compile_config(name), archdsl.compile_config(name.replace("_p2", ""))
    assert [str(node) for node in preset.nodes] == [str(node) for node in base.nodes]
    assert list(preset.outputs) == ["P2", *base.outputs]


def test_darknet53_has_the_layers_and_the_cost_of_its_paper() -> None:
    # YOLOv3, tables 1 and 2: 53 convolutions with the classifier's, 18.7 billion operations at 256 × 256
    assert len(convolutions(archdsl.compile_config("darknet53_backbone"))) == 52
    flops = archdsl.analyze("darknet53_backbone", input_shape=(256, 256, 3)).flops
    assert flops == pytest.approx(18.7e9, rel=0.01)


@pytest.mark.parametrize(
    ("name", "side", "params", "macs"),
    [
        # NASNet, tables 1 and 2: 5.3 and 88.9 million parameters, 564 million and 23.8 billion multiply-adds
        ("nasnet_mobile_classify", 224, 5.3e6, 564e6),
        ("nasnet_large_classify", 331, 88.9e6, 23.8e9),
        # HRNet, results on ImageNet of its repository HRNet-Image-Classification: 21.3 million
        ("hrnet_w18_classify", 224, 21.3e6, None),
    ],
)
def test_a_classifier_costs_what_its_paper_says(name: str, side: int, params: float, macs: float | None) -> None:
    report = archdsl.analyze(name, input_shape=(side, side, 3))
    assert report.params == pytest.approx(params, rel=0.006)
    assert macs is None or report.macs == pytest.approx(macs, rel=0.001)


def test_unet_has_the_parameters_and_the_sides_counted_by_hand() -> None:
    # U-Net, figure 1: two 3 × 3 convolutions at each of five widths, and on the way up a 2 × 2 and again two
    ladder = [64, 128, 256, 512, 1024]
    down = sum(9 * (before + width) * width + 2 * width for before, width in zip([3, *ladder], ladder, strict=False))
    up = sum(4 * 2 * width * width + 9 * (2 * width + width) * width + 3 * width for width in ladder[:-1])
    report = archdsl.analyze("unet", input_shape=(64, 96, 3))
    assert report.params == down + up + (64 * 2 + 2) == 31_031_810
    assert [info.shape for info in report.outputs.values()] == [(64, 96, 2)]
    read = archdsl.compile_config(
        "unet", ["+outputs=[neck_n1_concat]", "head=null", "neck.n0=null"], (64, 96, 3)
    ).outputs
    assert read["neck_n1_concat"].type.shape == (32, 48, 256)


@pytest.mark.parametrize("name", ["hrnet_w18_backbone", "hrnet_w18_small_backbone"])
def test_hrnet_gives_its_last_four_maps_side_by_side(name: str) -> None:
    outputs = archdsl.analyze(name, input_shape=(640, 320, 3)).outputs
    widest = outputs["P5"].channels
    assert {level: (*info.shape, info.stride) for level, info in outputs.items()} == {
        level: (640 // stride, 320 // stride, widest * stride // 32, stride)
        for level, stride in STRIDES.items()
        if level != "P6"
    }
    assert len({info.receptive_field for info in outputs.values()}) == 1


# Every preset


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_states_its_source_and_keeps_what_it_expects(name: str) -> None:
    config = load(name)
    assert config.values["source"].startswith("https://")
    check_expectations(config, archdsl.analyze(name))
    (info,) = [preset for preset in archdsl.list_presets() if preset.name == name]
    assert info.params == archdsl.analyze(name).params
    assert info.description
    assert (info.kaggle_handle, info.has_weights) == (None, False)


@pytest.mark.parametrize("name", PRESETS)
def test_levels_come_out_at_their_strides(name: str) -> None:
    outputs = archdsl.analyze(name, input_shape=(640, 320, 3)).outputs
    expected = ["P2", "P3", "P4", "P5"] if name in P2 else ["P3", "P4", "P5", "P6"] if name in P6 else None
    assert list(outputs) == (expected or ["P3", "P4", "P5"])
    for level, info in outputs.items():
        assert info.stride == STRIDES[level]
        assert info.shape == (640 // info.stride, 320 // info.stride, info.channels)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_compiles_at_any_size(name: str) -> None:
    unknown = archdsl.analyze(name, input_shape=(None, None, 3))
    odd = archdsl.analyze(name, input_shape=(333, 517, 3))
    assert unknown.macs is None
    assert odd.params == unknown.params
    assert [info.channels for info in odd.outputs.values()] == [info.channels for info in unknown.outputs.values()]


@pytest.mark.parametrize("family", ["darknet", "yolo_v5", "yolo_v7", "yolo_v8_p6", "yolo_v9"])
@pytest.mark.parametrize("width", [0.125, 0.3, 1.5])
def test_a_family_scales_to_any_size(family: str, width: float) -> None:
    config = {"defaults": [f"family/{family}", "_self_"]}
    whole = archdsl.analyze(config)
    scaled = archdsl.analyze({**config, "scale": {"width": width, "depth": 0.5}})
    for level, info in scaled.outputs.items():
        assert info.channels == round(width * whole.outputs[level].channels)


# What distinguishes them


def test_yolo_v5_sizes_are_scales() -> None:
    assert {size: widths(f"yolo_v5_{size}_backbone") for size in "nsmlx"} == {
        "n": [64, 128, 256],
        "s": [128, 256, 512],
        "m": [192, 384, 768],
        "l": [256, 512, 1024],
        "x": [320, 640, 1280],
    }


def test_yolo_v5_begins_with_a_window_of_six() -> None:
    assert convolutions(archdsl.compile_config("yolo_v5_l_backbone"))[0] == Conv2D(64, 6, 2, "valid")


def test_yolo_v7_and_v9_have_their_widths() -> None:
    assert widths("yolo_v7_backbone") == [512, 1024, 1024]
    assert widths("yolo_v9_s_backbone") == [128, 192, 256]
    assert widths("yolo_v9_m_backbone") == [240, 360, 480]
    assert widths("yolo_v9_c_backbone") == [512, 512, 512]


@pytest.mark.parametrize(
    ("name", "activation"),
    [("darknet53_backbone", Activation("leaky_relu", 0.1)), ("cspdarknet53_backbone", Activation("mish"))],
)
def test_darknets_have_their_activation_everywhere(name: str, activation: Activation) -> None:
    graph = archdsl.compile_config(name)
    assert {node.op for node in graph.nodes if isinstance(node.op, Activation)} == {activation}


@pytest.mark.parametrize("name", ["darknet53_backbone", "cspdarknet53_backbone"])
def test_darknets_have_23_residual_blocks(name: str) -> None:
    graph = archdsl.compile_config(name)
    assert sum(isinstance(node.op, Add) for node in graph.nodes) == 1 + 2 + 8 + 8 + 4


def test_every_convolution_has_its_batch_norm() -> None:
    for name in PRESETS:
        graph = archdsl.compile_config(name)
        assert len(convolutions(graph)) == sum(isinstance(node.op, BatchNorm) for node in graph.nodes), name
