"""Checkpoints in tests/weights/files/named, of timm and torchvision (see torch_networks.py), and ours of them."""

from __future__ import annotations

import archdsl
from support import TESTS

FILES = TESTS / "weights" / "files" / "named"
NO_SOFTMAX = ["head.classes.units=5", "head.classes.activation=linear"]
PLAIN = [*NO_SOFTMAX, "stem.normalize=null", "input.rescale=false"]
PYTORCH = ["conventions.padding=symmetric", "conventions.norm.epsilon=1e-5"]
DEPTHS = [f"stages.{stage}.depth={depth}" for stage, depth in zip(("p2", "p3", "p4", "p5"), (1, 1, 2, 1), strict=True)]


def widths(*numbers: int) -> list[str]:
    return [f"stages.p{level}.width={width}" for level, width in enumerate(numbers, 2)]


def depths(*numbers: int) -> list[str]:
    return [f"stages.p{level}.depth={depth}" for level, depth in enumerate(numbers, 2)]


CONVNEXT = [*PLAIN, *DEPTHS, "scale.width=0.08333333"]
UNSCALED = "scale.divisor=1"
CASES: dict[str, tuple[str, list[str]]] = {
    "timm_convnext": ("convnext_tiny_classify", CONVNEXT),
    "torchvision_convnext": ("convnext_tiny_classify", CONVNEXT),
    "timm_vit": (
        "vit_tiny_patch16_classify",
        [*NO_SOFTMAX, "input.shape=[32,32,3]", "stages.p4.width=24", "stages.p4.depth=2"],
    ),
    "timm_repvgg": (
        "repvgg_a0_classify",
        [*NO_SOFTMAX, "stem.conv.width=8", *widths(8, 16, 24, 40), *depths(2, 2, 3, 1)],
    ),
    "timm_regnet": (
        "regnety_004_classify",
        [*NO_SOFTMAX, UNSCALED, *widths(8, 16, 24, 48), *depths(1, 1, 1, 2)],
    ),
    "torchvision_regnet": (
        "regnety_004_classify",
        [*NO_SOFTMAX, UNSCALED, *widths(8, 16, 24, 32), *depths(1, 1, 2, 1)],
    ),
    "torchvision_densenet": (
        "densenet121_classify",
        [*NO_SOFTMAX, *PYTORCH, "stem.conv.width=16", "stage_defaults.width=8", *depths(2, 2, 2, 2)],
    ),
    "torchvision_mobilenet_v2": (
        "mobilenet_v2_classify",
        [*NO_SOFTMAX, *PYTORCH, "scale.width=0.25", *depths(2, 1, 1, 1), "stages.p4.post.wide.depth=1"],
    ),
    "torchvision_efficientnet": (
        "efficientnet_b0_classify",
        [
            *PLAIN,
            *PYTORCH,
            "scale.width=0.25",
            *depths(1, 1, 1, 1),
            "stages.p4.post.wide.depth=1",
            "tail.conv.width=320",
        ],
    ),
    "torchvision_vit": (
        "vit_tiny_patch16_classify",
        [*NO_SOFTMAX, "input.shape=[32,32,3]", "stages.p4.width=24", "stages.p4.depth=2"],
    ),
    "timm_vgg16": (
        "vgg16_classify",
        [*NO_SOFTMAX, "input.shape=[64,64,3]", "scale.width=0.0625", "head.wide1.units=16", "head.wide2.units=16"],
    ),
    "timm_resnet18": (
        "resnet18_classify",
        [*NO_SOFTMAX, "stages.p2.first.projection=true", *widths(8, 16, 24, 32), *depths(2, 1, 1, 1)],
    ),
    "timm_resnet50": ("resnet50_v1_5_classify", [*NO_SOFTMAX, *widths(32, 32, 32, 32), *depths(2, 1, 1, 1)]),
}


def built(name: str, *more: str) -> archdsl.Backbone:
    config, overrides = CASES[name]
    return archdsl.build_from_config(config, [*overrides, *more])
