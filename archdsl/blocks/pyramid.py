"""A neck that goes down and up the levels again and again (EfficientDet, Tan et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence

from archdsl.blocks.conv import separable_conv
from archdsl.blocks.conventions import Conventions
from archdsl.blocks.registry import Depth, block
from archdsl.blocks.sampling import max_pool
from archdsl.ir.node import Node
from archdsl.ir.ops import Upsample, WeightedSum


@block
def bifpn(*inputs: Node, depth: Depth = 3, style: Conventions) -> dict[str, Node]:
    """Every map as a weighted sum with those beside it, from the coarsest down and up again (EfficientDet, figure 3).

    n × (H/2ⁱ, W/2ⁱ, C) -> the same, called map1 … mapn, from the finest on; `depth` times. A coarser map comes as the
    nearest pixel, a finer one by max pooling, 3 × 3; separable convolution, batch norm and activation follow each sum.
    """
    maps = list(inputs)
    for step in range(1, depth + 1):
        maps = _down_and_up(maps, f"layer{step}", style)
    return {f"map{number}": x for number, x in enumerate(maps, 1)}


def _down_and_up(maps: Sequence[Node], name: str, style: Conventions) -> list[Node]:
    down = [maps[-1]]
    for number in range(len(maps) - 1, 0, -1):
        up = Upsample(2)(down[0], name=f"{name}_up{number}")
        down.insert(0, _fused(f"{name}_down{number}", style, maps[number - 1], up))
    made = down[:1]
    for number in range(2, len(maps) + 1):
        finer = max_pool(made[-1], kernel=3, style=style, name=f"{name}_pool{number}")
        between = down[number - 1 : len(maps) - 1][:1]  # the coarsest has none
        made.append(_fused(f"{name}_sum{number}", style, maps[number - 1], *between, finer))
    return made


def _fused(name: str, style: Conventions, *maps: Node) -> Node:
    x = WeightedSum()(*maps, name=f"{name}_add")
    x = separable_conv(x, width=x.channels, bias=style.norm is None, style=style, name=name)
    return style.activate(style.normalize(x, name=f"{name}_bn"), name=f"{name}_act")
