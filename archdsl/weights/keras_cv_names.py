"""keras_cv's names for the layers of its three backbone families.

The tables are facts of the files that its three backbone classes write (keras_cv 0.9.0, Apache-2.0)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from archdsl.ir.graph import Graph
from archdsl.ir.node import Node
from archdsl.weights.naming import Row, Scheme, numbered


class Family(NamedTuple):
    """How a class of keras_cv names its layers.

    `blocks` leads from our blocks to its layers, `parts` from what a block is made of to the ends of their names.
    Patterns speak of `stem`, `stage` and `tail`; of `first` before `stage`. `first_number` is that of the first stage;
    `by_level` counts by the N of pN, so that a variant may have other stages between them.
    """

    first_number: int
    by_level: bool
    blocks: Mapping[str, str]
    parts: Mapping[str, str]


_FLAT = {"conv": "_conv", "bn": "_bn"}
_KINDS = {"_conv": "conv2d", "_bn": "batch_normalization"}
_NESTED = {  # in the order they are made
    "conv": "/layers/conv2d",
    "depthwise": "/layers/depthwise_conv2d",
    "depthwise_bn": "/layers/batch_normalization",
    "bn": "/layers/batch_normalization",
    "pointwise_conv": "/layers/sequential/layers/conv2d",
    "pointwise_bn": "/layers/sequential/layers/batch_normalization",
}
_CREATED = ("layers", "darknet_conv1", "darknet_conv2", "bottleneck_convs", "darknet_conv3")
KERAS_CV = {
    "YOLOV8Backbone": Family(
        1,
        True,
        {
            r"stem conv": "stem_1",
            r"first down": "stem_2",
            r"stage down": "stack{number}_downsample",
            r"stage body_split": "stack{number}_c2f_pre",
            r"stage body_(?P<repeat>\d+)_conv(?P<which>[12])": "stack{number}_c2f_pre_{step}_{which}",
            r"stage body_fuse": "stack{number}_c2f_output",
            r"stage sppf_reduce": "stack{number}_spp_fast_pre",
            r"stage sppf_fuse": "stack{number}_spp_fast_output",
        },
        _FLAT,
    ),
    "CSPDarkNetBackbone": Family(
        2,
        True,
        {
            r"stem conv": "stem_conv",
            r"stage down": "dark{number}_conv",
            r"stage spp_reduce": "dark{number}_spp_conv1",
            r"stage spp_fuse": "dark{number}_spp_conv2",
            r"stage body_deep": "dark{number}_csp/darknet_conv1",
            r"stage body_short": "dark{number}_csp/darknet_conv2",
            r"stage body_(?P<repeat>\d+)_reduce": "dark{number}_csp/bottleneck_convs/{even}",
            r"stage body_(?P<repeat>\d+)_conv": "dark{number}_csp/bottleneck_convs/{odd}",
            r"stage body_fuse": "dark{number}_csp/darknet_conv3",
        },
        _NESTED,
    ),
    "ResNetV2Backbone": Family(
        0,
        False,
        {
            r"stem conv": "conv1",
            r"stage body(_(?P<repeat>\d+))?_pre": "v2_stack_{number}_block{repeat}_use_preactivation",
            r"stage body(_(?P<repeat>\d+))?_project": "v2_stack_{number}_block{repeat}_0",
            r"stage body(_(?P<repeat>\d+))?_(?P<which>[123])": "v2_stack_{number}_block{repeat}_{which}",
            r"tail norm": "post",
        },
        _FLAT,
    ),
}


def keras_cv_scheme(title: str, graph: Graph, in_order: Iterable[str]) -> Scheme:
    """Rows of the nodes for which keras_cv's class `title` has a name; `in_order` as Keras lists their layers."""
    stages = [level.lower() for level in graph.levels]
    nodes = {node.name: node for node in graph.nodes}
    rows = [_row(KERAS_CV[title], nodes[name], stages) for name in in_order]
    return Scheme(f"keras_cv's {title}", tuple(row for row in rows if row))


def _row(family: Family, node: Node, stages: list[str]) -> Row | None:
    section, stage, local = _section(node, stages, family.by_level)
    block, part = _block_and_part(local, family.parts)
    if not part:
        return None
    places = ["first", "stage"] if stage == 0 else [section]
    for pattern, template in family.blocks.items():
        match = re.fullmatch(pattern, f"{pattern.partition(' ')[0]} {block}")
        if match and pattern.partition(" ")[0] in places:
            return _named(node.name, template, match.groupdict(), stage + family.first_number, part, family.parts[part])
    return None


def _section(node: Node, stages: list[str], by_level: bool) -> tuple[str, int, str]:
    """stem, stage or tail, "" for a stage without a number; its number from 0; and the node's name inside it."""
    part = node.origin.part
    local = node.name.removeprefix(f"{part}_")
    if part not in stages:
        return part, -1, local
    level = re.fullmatch(r"p(\d+)", part)
    if by_level and not level:
        return "", -1, ""
    return "stage", int(level[1]) - 2 if by_level and level else stages.index(part), local


def _block_and_part(local: str, parts: Iterable[str]) -> tuple[str, str]:
    """body_deep and conv, of body_deep_conv; the longest part that fits."""
    for part in sorted(parts, key=len, reverse=True):
        if local.endswith(f"_{part}"):
            return local.removesuffix(f"_{part}"), part
    return local, ""


def _named(node: str, template: str, found: Mapping[str, str | None], number: int, part: str, suffix: str) -> Row:
    repeat = int(found.get("repeat") or 1)
    step = repeat - 1
    sequential = {"even": numbered("sequential", 2 * step), "odd": numbered("sequential", 2 * step + 1)}
    name = template.format(number=number, repeat=repeat, step=step, which=found.get("which"), **sequential) + suffix
    owner, _, sublayer = name.partition("/")
    if not sublayer:
        return Row(node, owner, _KINDS[suffix])
    kind = "sequential" if sublayer.startswith("layers/") else "cross_stage_partial"
    created = _CREATED.index(sublayer.partition("/")[0]), 2 * step + ("{odd}" in template), list(_NESTED).index(part)
    return Row(node, owner, kind, sublayer, created)
