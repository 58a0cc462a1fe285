"""Parallel maps of several sizes that learn from each other (High-Resolution Networks, Wang et al. 2020)."""

from __future__ import annotations

from archdsl.blocks.conv import conv_bn_act
from archdsl.blocks.conventions import Conventions
from archdsl.blocks.registry import block
from archdsl.ir.node import Node
from archdsl.ir.ops import Add, Upsample


@block
def exchange(*inputs: Node, style: Conventions) -> dict[str, Node]:
    """Every map as the sum of all of them, each brought to its size and channels, and activated (HRNet, figure 3).

    n × (H/2ⁱ, W/2ⁱ, Cᵢ) -> the same, called map1 … mapn, from the finest on. A finer map gets there by convolutions of
    3 × 3 and stride 2, a coarser one by one of 1 × 1 and as the nearest pixel; batch norm follows each convolution.
    """
    made = {}
    for number, target in enumerate(inputs, 1):
        paths = [
            _brought(x, number - place, target.channels, f"from{place}_to{number}", style)
            for place, x in enumerate(inputs, 1)
        ]
        made[f"map{number}"] = style.activate(Add()(*paths, name=f"add{number}"), name=f"act{number}")
    return made


def _brought(x: Node, steps: int, width: int, name: str, style: Conventions) -> Node:
    """The map so many times halved, or doubled where `steps` is negative, with `width` channels; itself for 0.

    (H, W, C) -> (H/2^steps, W/2^steps, width).
    """
    for step in range(1, steps):
        x = conv_bn_act(x, width=x.channels, kernel=3, stride=2, style=style, name=f"{name}_{step}")
    linear = style.with_activation("linear")
    if steps > 0:
        return conv_bn_act(x, width=width, kernel=3, stride=2, style=linear, name=name)
    if steps < 0:
        return Upsample(2**-steps)(conv_bn_act(x, width=width, style=linear, name=name), name=f"{name}_up")
    return x
