"""keras_cv's constructor arguments as configs. Imports no Keras: `archdsl.models` builds what is written here."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Any

from archdsl.diagnostics.problems import fail
from archdsl.diagnostics.wording import did_you_mean, one_of
from archdsl.ir.ops import ACTIVATIONS

FAMILY_STAGES = ("p2", "p3", "p4", "p5")
Stages = dict[str, dict[str, Any]]
BLOCK_TYPES = {"basic_block": ("resnet_v2", 1), "block": ("resnet_v2_bottleneck", 4)}
"""The family of each, and how many times wider its result is than `stackwise_filters`."""


def yolo_v8(
    stackwise_channels: Sequence[int], stackwise_depth: Sequence[int], activation: str = "swish"
) -> dict[str, Any]:
    """The config of keras_cv.models.YOLOV8Backbone with these arguments."""
    same_length(stackwise_channels=stackwise_channels, stackwise_depth=stackwise_depth)
    names = level_names(len(stackwise_channels))
    stages: Stages = {
        name: {"width": width, "depth": depth, "post": None}
        for name, width, depth in zip(names, stackwise_channels, stackwise_depth, strict=True)
    }
    stages[names[-1]]["post"] = {"sppf": {"block": "sppf", "kernel": 5}}
    return {
        "defaults": ["family/yolo_v8", "_self_"],
        "conventions": conventions(activation),
        "scale": {"max_width": None},
        "stem": {"conv": {"width": stackwise_channels[0] // 2}},
        **instead_of_family_stages(stages),
    }


def csp_darknet(
    stackwise_channels: Sequence[int], stackwise_depth: Sequence[int], use_depthwise: bool = False
) -> dict[str, Any]:
    """The config of keras_cv.models.CSPDarkNetBackbone with these arguments."""
    same_length(stackwise_channels=stackwise_channels, stackwise_depth=stackwise_depth)
    names = level_names(len(stackwise_channels))
    stages: Stages = {
        name: {"width": width, "depth": depth, "pre": None, "body": {"residual": True}}
        for name, width, depth in zip(names, stackwise_channels, stackwise_depth, strict=True)
    }
    stages[names[-1]] |= {"pre": {"spp": {"block": "spp", "kernels": [5, 9, 13]}}, "body": {"residual": False}}
    down = "depthwise_conv_bn_act" if use_depthwise else "conv_bn_act"
    return {
        "defaults": ["family/csp_darknet", "_self_"],
        "stem": {"conv": {"width": stackwise_channels[0] // 2}},
        "stage_defaults": {"down": {"block": down}, "body": {"depthwise": use_depthwise}},
        **instead_of_family_stages(stages),
    }


def resnet_v2(
    stackwise_filters: Sequence[int],
    stackwise_blocks: Sequence[int],
    stackwise_strides: Sequence[int],
    stackwise_dilations: Sequence[int] | None = None,
    block_type: str = "block",
) -> dict[str, Any]:
    """The config of keras_cv.models.ResNetV2Backbone with these arguments.

    keras_cv projects the shortcut of a stack's first block even where the widths agree, and drops the stride of a
    dilated stack; `stackwise_filters` are a quarter of a bottleneck's output.
    """
    dilations = stackwise_dilations or [1] * len(stackwise_filters)
    same_length(
        stackwise_filters=stackwise_filters,
        stackwise_blocks=stackwise_blocks,
        stackwise_strides=stackwise_strides,
        stackwise_dilations=dilations,
    )
    _check_word("block_type", block_type, block_type, BLOCK_TYPES)
    family, factor = BLOCK_TYPES[block_type]
    strides = [1 if dilation > 1 else stride for stride, dilation in zip(stackwise_strides, dilations, strict=True)]
    names = names_by_stride(strides)
    stages = {
        name: {
            "width": factor * filters,
            "depth": depth,
            "stride": stride,
            "dilation": dilation,
            "first": {"projection": factor > 1 or name != names[0], "dilation": 1},
        }
        for name, filters, depth, stride, dilation in zip(
            names, stackwise_filters, stackwise_blocks, strides, dilations, strict=True
        )
    }
    return {"defaults": [f"family/{family}", "_self_"], **instead_of_family_stages(stages)}


def conventions(activation: str) -> dict[str, Any]:
    """Conventions with a Keras activation; Keras's leaky_relu has another slope than the YOLO papers'."""
    name = activation_name(activation)
    return {"activation": name, "slope": 0.2} if name == "leaky_relu" else {"activation": name}


def activation_name(activation: str) -> str:
    """The language's name of an activation that keras_cv may call otherwise. Raises ArchError for an unknown one."""
    name = {"swish": "silu", "hard_silu": "hard_swish"}.get(activation, activation)  # Keras knows both names
    _check_word("activation", activation, name, ACTIVATIONS)
    return name


def _check_word(argument: str, given: str, word: str, words: Collection[str]) -> None:
    if word not in [*words]:  # which may be no text
        raise fail(
            "unknown-value", f"got '{given}'; {one_of(words)}", path=argument, hint=did_you_mean(str(word), words)
        )


def level_names(count: int) -> list[str]:
    """p2, p3, … for stages that each halve the map."""
    return [f"p{number}" for number in range(2, 2 + count)]


def names_by_stride(strides: Sequence[int]) -> list[str]:
    """Names of ResNet stages: pN where it promises the truth and no other stage has the same stride."""
    totals = [4 * math.prod(strides[: index + 1]) for index in range(len(strides))]
    counts = Counter(totals)
    return [
        f"p{total.bit_length() - 1}" if counts[total] == 1 and total.bit_count() == 1 else f"stack{index}"
        for index, total in enumerate(totals)
    ]


def instead_of_family_stages(stages: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """`stages` and `outputs` of a child whose stages are these, in this order, and none of its family's."""
    names = list(stages)
    removed = {name: None for name in FAMILY_STAGES if name not in stages}
    placed = {name: {**stages[name], "after": before} for before, name in pairwise(names)}
    return {"stages": {names[0]: stages[names[0]], **removed, **placed}, "outputs": names}


def same_length(**lists: Sequence[int]) -> None:
    """Raises ArchError unless there is a stage and each list has one number for each."""
    lengths = {name: len(values) for name, values in lists.items()}
    if len(set(lengths.values())) > 1 or not any(lengths.values()):
        found = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        raise fail("length", f"{found}; expected one number for each stack, in every list")
