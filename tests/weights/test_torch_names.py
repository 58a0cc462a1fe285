"""Checkpoints of every family of detectors have the names and the shapes that ours are matched by and written with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support import TESTS
from support.torch_contents import contents_of, problems
from support.torch_layout import Shapes, layout
from support.ultralytics import FILES

import archdsl
from archdsl.diagnostics.problems import Mark
from archdsl.ir.graph import Graph
from archdsl.weights.pytorch.export import torch_arrays
from archdsl.weights.pytorch.matching import match_torch
from archdsl.weights.pytorch.presets import presets_of
from archdsl.weights.pytorch.units import owners_of

COUNTERS = "num_batches_tracked"


@pytest.mark.parametrize("preset", FILES)
def test_a_preset_has_the_names_and_shapes_of_its_checkpoint(preset: str) -> None:
    text, size = FILES[preset]
    graph, known = archdsl.compile_config(preset), layout(text, size)
    assert not problems(graph, known)
    assert written(graph) == {name: shape for name, shape in known.items() if COUNTERS not in name}


def test_the_p6_detector_has_its_checkpoint_by_name() -> None:
    """Its neck is of C2, which is C2f without the maps between: cv2 reads two halves whatever its depth."""
    names = written(archdsl.compile_config("yolo_v8_m_p6_detect"))
    assert names["model.14.cv2.conv.weight"][1] == 2 * names["model.14.m.1.cv2.conv.weight"][0]


def written(graph: Graph) -> Shapes:
    nothing = {
        node.name: [np.broadcast_to(np.float32(0), weight.shape) for weight in node.weights] for node in graph.nodes
    }
    return {name: array.shape for name, array in torch_arrays(graph, nothing).items()}


# With anchors


ANCHORS = np.array(
    [[[10, 13], [16, 30], [33, 23]], [[30, 61], [62, 45], [59, 119]], [[116, 90], [156, 198], [373, 326]]]
)


def with_anchors(anchors: Any) -> tuple[Shapes, dict[str, Any]]:
    """YOLOv5 with anchors: the detector without, but for the module of its head."""
    shapes = {name: shape for name, shape in layout(*FILES["yolo_v5u_n_detect"]).items() if "model.24." not in name}
    for level, width in enumerate((64, 128, 256)):
        shapes |= {f"model.24.m.{level}.weight": (255, width, 1, 1), f"model.24.m.{level}.bias": (255,)}
    return shapes | {"model.24.anchors": anchors.shape}, {"model.24.anchors": anchors.astype("float32")}


def test_a_head_with_anchors_has_one_convolution_a_level_and_the_anchors_that_it_was_trained_with() -> None:
    of_maps = ANCHORS / np.array([8, 16, 32]).reshape(3, 1, 1)
    graph = archdsl.compile_config("yolo_v5_n_detect")
    assert not problems(graph, *with_anchors(of_maps.astype("float16")))
    (fact,) = problems(graph, *with_anchors(1.1 * of_maps))
    assert "model.24 was trained with other anchors: 1.375, 1.788" in fact
    (fact,) = problems(graph, *with_anchors(of_maps[:, :2]))
    assert "model.24 has 6 anchors; expected 9" in fact


def test_a_head_that_decodes_as_darknet_does_is_not_given_the_weights_of_another_formula() -> None:
    graph = archdsl.compile_config("yolo_v5_n_detect", ["+head.decode.formula=darknet"])
    (fact,) = problems(graph, *with_anchors(ANCHORS / np.array([8, 16, 32]).reshape(3, 1, 1)))
    assert "Darknet's formula" in fact


# By the names of timm's and torchvision's modules


PRESETS = {
    "timm_convnext_tiny": "convnext_tiny_classify",
    "timm_vit_tiny_patch16_224": "vit_tiny_patch16_classify",
    "timm_regnety_004": "regnety_004_classify",
    "timm_repvgg_a0": "repvgg_a0_classify",
    "torchvision_densenet121": "densenet121_classify",
    "torchvision_mobilenet_v2": "mobilenet_v2_classify",
    "torchvision_efficientnet_b0": "efficientnet_b0_classify",
    "torchvision_regnet_y_400mf": "regnety_004_classify",
}
PLACES = {  # of some layers, by reading the two networks
    ("timm_convnext_tiny", "p4_down_conv_conv"): "stages.2.downsample.1",
    ("timm_convnext_tiny", "p5_body_3_scale_scale"): "stages.3.blocks.2.gamma",
    ("timm_vit_tiny_patch16_224", "tail_norm_bn"): "norm",
    ("timm_vit_tiny_patch16_224", "p4_body_12_norm1"): "blocks.11.norm1",
    ("timm_vit_tiny_patch16_224", "p4_position_embedding"): "pos_embed",
    ("timm_regnety_004", "p3_body_1_shortcut_conv"): "s2.b1.downsample.conv",
    ("timm_regnety_004", "p3_body_1_gate_reduce"): "s2.b1.se.fc1",
    ("timm_repvgg_a0", "p4_body_14_identity_bn"): "stages.2.13.identity",
    ("timm_repvgg_a0", "p4_body_14_pointwise_bn"): "stages.2.13.conv_1x1.bn",
    ("torchvision_densenet121", "p4_body_10_grow_conv"): "features.denseblock3.denselayer10.conv2",
    ("torchvision_mobilenet_v2", "p4_wide_3_project_conv"): "features.13.conv.2",
    ("torchvision_efficientnet_b0", "p5_body_4_gate_restore"): "features.6.3.block.2.fc2",
    ("torchvision_regnet_y_400mf", "p5_body_1_shortcut_bn"): "trunk_output.block4.block4-0.proj.1",
    ("torchvision_regnet_y_400mf", "p5_body_6_last_bn"): "trunk_output.block4.block4-5.f.c.1",
}


def state_dicts() -> dict[str, Shapes]:
    lines = (TESTS / "weights" / "files" / "named" / "state_dicts.txt").read_text().splitlines()
    found: dict[str, Shapes] = {}
    for name, _, rest in (line.partition(" ") for line in lines):
        if name == "=":
            found[rest] = {}
        elif name != "#":
            found[next(reversed(found))][name] = tuple(map(int, rest.split("x")))
    return found


@pytest.mark.parametrize("network", PRESETS)
def test_a_network_of_timm_and_torchvision_is_matched_by_its_names_in_alphabetical_order(network: str) -> None:
    """As .safetensors has them: bn1 before conv1, blocks.10 before blocks.2."""
    graph = archdsl.compile_config(PRESETS[network])
    found = match_torch(graph, contents_of(state_dicts()[network]), partial=True, mark=Mark("a"))
    assert found.pairs.keys() == {node.name for node in owners_of(graph)} and not found.surplus
    assert presets_of(contents_of(state_dicts()[network])) == [PRESETS[network]]
    places = {node: place for (other, node), place in PLACES.items() if other == network}
    assert {node: found.pairs[node].name for node in places} == places


def test_a_file_that_fits_in_very_many_ways_is_refused_soon() -> None:
    shapes = {f"a.{first}{second}.weight": (8, 8) for first in "abcdefghij" for second in "klmnopqrst"}
    graph = archdsl.compile_config("vgg16_classify")
    for names in (
        shapes,
        {f"{'a.' * 400}weight": (3,)},
        {f"m{number}x.weight": (64, 3, 3, 3) for number in range(3000)},
    ):
        with pytest.raises(archdsl.ArchError, match="does not fit"):
            match_torch(graph, contents_of(names), partial=True, mark=Mark("a"))
