"""Efficient layer aggregation: every few steps of a chain are kept and fused (ELAN, Wang et al. 2022, figure 1)."""

from __future__ import annotations

from typing import Annotated

from archdsl.blocks.conv import conv_bn_act
from archdsl.blocks.conventions import Conventions
from archdsl.blocks.csp import halves_of, hidden_width
from archdsl.blocks.registry import Depth, Ratio, Width, block
from archdsl.ir.node import Node
from archdsl.ir.ops import Add, Concat
from archdsl.schemas.annotations import Limits

Convolutions = Annotated[int, Limits(ge=1, le=16)]
Cardinality = Annotated[int, Limits(ge=2, le=16)]


@block
def elan(
    x: Node,
    *,
    width: Width,
    depth: Depth = 2,
    convolutions: Convolutions = 2,
    expansion: Ratio = 0.25,
    chain_expansion: Ratio | None = None,
    style: Conventions,
) -> Node:
    """Two 1 × 1 branches, a chain of 3 × 3 convolutions kept at every step, all fused (YOLOv7, figure 2c).

    (H, W, C) -> (H, W, width). The chain has `depth` steps of `convolutions` each; all its maps have
    expansion × width channels. The ELAN of YOLOv7's neck, of four
    steps, has an expansion of 1 for its branches, and a chain_expansion of 0.5.
    """
    hidden = hidden_width(width, expansion)
    chained = hidden if chain_expansion is None else hidden_width(width, chain_expansion)
    short = conv_bn_act(x, width=hidden, style=style, name="short")
    deep = conv_bn_act(x, width=hidden, style=style, name="deep")
    kept = [short, deep]
    for number in range(1, depth * convolutions + 1):
        deep = conv_bn_act(deep, width=chained, kernel=3, style=style, name=f"conv{number}")
        if number % convolutions == 0:
            kept.append(deep)
    joined = Concat()(*reversed(kept), name="concat")
    return conv_bn_act(joined, width=width, style=style, name="fuse")


@block
def split_elan(x: Node, *, width: Width, depth: Depth = 2, expansion: Ratio = 0.5, style: Conventions) -> Node:
    """elan whose two branches are the halves of one 1 × 1 convolution (YOLOv9's small ELAN, Wang et al. 2024).

    (H, W, C) -> (H, W, width). The chain has `depth` 3 × 3 convolutions, each of expansion × width channels.
    """
    hidden = hidden_width(width, expansion)
    short, deep = halves_of(x, hidden, style)
    kept = [short, deep]
    for number in range(1, depth + 1):
        kept.append(conv_bn_act(kept[-1], width=hidden, kernel=3, style=style, name=f"conv{number}"))
    return conv_bn_act(Concat()(*kept, name="concat"), width=width, style=style, name="fuse")


@block
def e_elan(
    x: Node,
    *,
    width: Width,
    depth: Depth = 2,
    convolutions: Convolutions = 2,
    expansion: Ratio = 0.25,
    cardinality: Cardinality = 2,
    style: Conventions,
) -> Node:
    """Extended ELAN: `cardinality` of them side by side, their results added (YOLOv7, figure 2d and section 3.1).

    (H, W, C) -> (H, W, width). The paper's group convolutions, shuffle and merge of g groups are g times ELAN and a
    sum, and the sum is what YOLOv7-E6E is made of. `depth`, `convolutions` and `expansion` as in elan.
    """
    shape = {"width": width, "depth": depth, "convolutions": convolutions, "expansion": expansion}
    groups = [elan(x, **shape, style=style, name=f"group{number}") for number in range(1, cardinality + 1)]
    return Add()(*groups, name="add")
