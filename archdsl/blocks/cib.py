"""Compact inverted blocks: depthwise convolutions for space, 1 × 1 for channels (YOLOv10, Wang et al. 2024)."""

from __future__ import annotations

from archdsl.blocks.conv import conv_bn_act, depthwise_bn_act
from archdsl.blocks.conventions import Conventions
from archdsl.blocks.csp import chain, halves_of, hidden_width
from archdsl.blocks.registry import Depth, Ratio, Width, block
from archdsl.blocks.windows import Window, depthwise2d
from archdsl.ir.node import Node
from archdsl.ir.ops import Add, Concat


@block
def c2f_cib(
    x: Node,
    *,
    width: Width,
    depth: Depth = 1,
    residual: bool = True,
    large_kernel: bool = False,
    expansion: Ratio = 0.5,
    style: Conventions,
) -> Node:
    """c2f of compact inverted blocks (YOLOv10, section 3.3 and figure 3b). (H, W, C) -> (H, W, width).

    `large_kernel` makes the convolution in the middle of each one of 7 × 7 beside one of 3 × 3 (section 3.3).
    """
    hidden = hidden_width(width, expansion)
    short, deep = halves_of(x, hidden, style)

    def step(x: Node, number: int) -> Node:
        return cib(x, large_kernel=large_kernel, style=style, name=f"{number}")

    steps = chain(deep, step, depth=depth, residual=residual)
    return conv_bn_act(Concat()(short, *steps, name="concat"), width=width, style=style, name="fuse")


@block
def cib(x: Node, *, large_kernel: bool = False, expansion: Ratio = 2.0, style: Conventions) -> Node:
    """Depthwise 3 × 3, 1 × 1 to expansion × C, depthwise, 1 × 1 back, depthwise 3 × 3 (YOLOv10, figure 3b).

    (H, W, C) -> (H, W, C).
    """
    channels = x.channels
    x = depthwise_bn_act(x, style=style, name="first")
    x = conv_bn_act(x, width=hidden_width(channels, expansion), style=style, name="expand")
    x = _two_kernels(x, style) if large_kernel else depthwise_bn_act(x, style=style, name="middle")
    x = conv_bn_act(x, width=channels, style=style, name="reduce")
    return depthwise_bn_act(x, style=style, name="last")


def _two_kernels(x: Node, style: Conventions) -> Node:
    """Depthwise 7 × 7 and 3 × 3, each with a norm, added and activated: one convolution after training."""
    branches = [
        style.normalize(
            depthwise2d(x, Window(kernel), bias=style.norm is None, style=style, name=f"middle{kernel}"),
            name=f"middle{kernel}_bn",
        )
        for kernel in (7, 3)
    ]
    return style.activate(Add()(*branches, name="middle_add"), name="middle_act")
