"""Spatial pyramid pooling: the same feature map seen through windows of several sizes (He et al. 2015)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from annotated_types import Len

from archdsl.blocks.conv import conv_bn_act
from archdsl.blocks.csp import hidden_width
from archdsl.conventions import Conventions
from archdsl.ir import Node
from archdsl.ops import Concat, MaxPool
from archdsl.registry import Kernel, Ratio, Width, block

Kernels = Annotated[Sequence[Kernel], Len(1, 8)]


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
    steps = [conv_bn_act(x, width=hidden_width(x.channels, 0.5), style=style, name="reduce")]
    for step in (1, 2, 3):
        steps.append(MaxPool(kernel, 1)(steps[-1], name=f"pool{step}"))
    return conv_bn_act(Concat()(*steps, name="concat"), width=width, style=style, name="fuse")
