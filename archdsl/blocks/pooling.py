"""Spatial pyramid pooling: the same feature map seen through windows of several sizes (He et al. 2015)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from archdsl.blocks.conv import conv_bn_act
from archdsl.blocks.conventions import Conventions
from archdsl.blocks.csp import cross_stage, hidden_width
from archdsl.blocks.registry import Kernel, Ratio, Width, block
from archdsl.ir.node import Node
from archdsl.ir.ops import Concat, MaxPool
from archdsl.schemas.annotations import Limits

Kernels = Annotated[Sequence[Kernel], Limits(min_length=1, max_length=8)]


@block
def spp(x: Node, *, width: Width, kernels: Kernels = (5, 9, 13), expansion: Ratio = 0.5, style: Conventions) -> Node:
    """Reduce, pool in parallel with windows `kernels`, concatenate, fuse (YOLOv3-SPP).

    (H, W, C) -> (H, W, width). The reduced map has expansion × width channels.
    """
    x = conv_bn_act(x, width=hidden_width(width, expansion), style=style, name="reduce")
    pooled = [MaxPool(kernel, 1)(x, name=f"pool{kernel}") for kernel in kernels]
    return conv_bn_act(Concat()(x, *pooled, name="concat"), width=width, style=style, name="fuse")


@block
def sppf(x: Node, *, width: Width, kernel: Kernel = 5, style: Conventions) -> Node:
    """Reduce, pool three times in a row, concatenate every step, fuse (YOLOv5's fast SPP; windows 5, 9, 13).

    (H, W, C) -> (H, W, width). The reduced map has C/2 channels.
    """
    return pooled_in_a_row(x, kernel, width=width, hidden=hidden_width(x.channels, 0.5), style=style)


@block
def spp_elan(x: Node, *, width: Width, kernel: Kernel = 5, expansion: Ratio = 0.5, style: Conventions) -> Node:
    """ELAN whose steps are poolings (YOLOv9, Wang et al. 2024): `sppf`, reduced to a share of what it gives.

    (H, W, C) -> (H, W, width). The reduced map has expansion × width channels, where that of sppf has C/2.
    """
    return pooled_in_a_row(x, kernel, width=width, hidden=hidden_width(width, expansion), style=style)


@block
def spp_csp(
    x: Node, *, width: Width, kernels: Kernels = (5, 9, 13), expansion: Ratio = 1.0, style: Conventions
) -> Node:
    """SPP inside a cross-stage block (SPPCSPC of YOLOv7, Wang et al. 2022; Scaled-YOLOv4, Wang et al. 2021).

    (H, W, C) -> (H, W, width). Each branch has expansion × width channels; one is convolved 3 × 3 and 1 × 1,
    pooled in parallel with windows `kernels`, and convolved 1 × 1 and 3 × 3.
    """
    hidden = hidden_width(width, expansion)

    def deep_path(deep: Node) -> Node:
        deep = conv_bn_act(deep, width=hidden, kernel=3, style=style, name="before1")
        deep = conv_bn_act(deep, width=hidden, style=style, name="before2")
        pooled = [MaxPool(kernel, 1)(deep, name=f"pool{kernel}") for kernel in kernels]
        deep = Concat()(deep, *pooled, name="pyramid")
        deep = conv_bn_act(deep, width=hidden, style=style, name="after1")
        return conv_bn_act(deep, width=hidden, kernel=3, style=style, name="after2")

    return cross_stage(x, deep_path, width=width, hidden=hidden, style=style)


def pooled_in_a_row(x: Node, kernel: int, *, width: int, hidden: int, style: Conventions) -> Node:
    """Reduce to `hidden` channels, pool three times in a row, concatenate every step, fuse.

    (H, W, C) -> (H, W, width).
    """
    steps = [conv_bn_act(x, width=hidden, style=style, name="reduce")]
    for step in (1, 2, 3):
        steps.append(MaxPool(kernel, 1)(steps[-1], name=f"pool{step}"))
    return conv_bn_act(Concat()(*steps, name="concat"), width=width, style=style, name="fuse")
