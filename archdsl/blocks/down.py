"""Blocks between two stages: half the size, by more than a strided convolution. For the `down` slot of a stage."""

from __future__ import annotations

from archdsl.blocks.conv import conv, conv_bn_act
from archdsl.blocks.conventions import Conventions
from archdsl.blocks.registry import Kernel, Stride, Width, block
from archdsl.blocks.windows import Window, depthwise2d
from archdsl.ir.node import Node
from archdsl.ir.ops import AvgPool, Concat, Crop, MaxPool, Pad, Slice


@block
def mp_down(x: Node, *, width: Width, stride: Stride = 2, style: Conventions) -> Node:
    """A strided 3 × 3 convolution beside a max pooling, each with a 1 × 1 (YOLOv7's transition).

    (H, W, C) -> (H/stride, W/stride, width). Each branch gives half of the channels, the convolution the odd one.
    """
    half = width // 2
    deep = conv_bn_act(x, width=width - half, style=style, name="reduce")
    deep = conv_bn_act(deep, width=width - half, kernel=3, stride=stride, style=style, name="conv")
    if half == 0:  # one channel is no two halves
        return deep
    pooled = conv_bn_act(MaxPool(stride, stride)(x, name="pool"), width=half, style=style, name="pooled")
    return Concat()(deep, pooled, name="concat")


@block
def a_conv(x: Node, *, width: Width, style: Conventions) -> Node:
    """Mean of every 2 × 2 pixels, then a 3 × 3 convolution of stride 2 (AConv of YOLOv9, Wang et al. 2024).

    (H, W, C) -> (H/2, W/2, width), rounded down: the pooling, without padding, costs one row and one column.
    """
    x = AvgPool(2, 1, "valid")(x, name="pool")
    return conv_bn_act(x, width=width, kernel=3, stride=2, style=style, name="conv")


@block
def a_down(x: Node, *, width: Width, style: Conventions) -> Node:
    """As a_conv, but half of the channels take a max pooling and a 1 × 1 convolution (ADown of YOLOv9).

    (H, W, C) -> (H/2, W/2, width), rounded down. C is at least 2; the convolution has the odd channels.
    """
    x = AvgPool(2, 1, "valid")(x, name="pool")
    split, half = x.channels - x.channels // 2, width // 2
    deep = Slice(0, split)(x, name="first")
    deep = conv_bn_act(deep, width=width - half, kernel=3, stride=2, style=style, name="conv")
    if half == 0:  # one channel is no two halves
        return deep
    # "same" pads both sides by one where a side of the image is even, as PyTorch does always
    pooled = MaxPool(3, 2)(Slice(split, x.channels)(x, name="second"), name="second_pool")
    return Concat()(deep, conv_bn_act(pooled, width=half, style=style, name="pooled"), name="concat")


@block
def sc_down(x: Node, *, width: Width, kernel: Kernel = 3, stride: Stride = 2, style: Conventions) -> Node:
    """A 1 × 1 convolution for the channels, then a depthwise one for the sides, not activated (YOLOv10, section 3.3).

    (H, W, C) -> (H/stride, W/stride, width).
    """
    x = conv_bn_act(x, width=width, style=style, name="pointwise")
    x = depthwise2d(x, Window(kernel, stride), bias=style.norm is None, style=style)
    return style.normalize(x, name="depthwise_bn")


@block
def factorized_down(x: Node, *, width: Width, style: Conventions) -> Node:
    """Activation, every second pixel beside those one further down and right, each convolved 1 × 1, norm.

    (H, W, C) -> (H/2, W/2, width). The factorized reduction of NASNet (Zoph et al. 2018, appendix A.4) and of the cells
    searched after it. Each branch gives half of the channels, the first one the odd one.
    """
    x = style.activate(x)
    half, bias = width // 2, style.norm is None
    even = AvgPool(1, 2, "valid")(x, name="even_pool")
    branches = [conv(even, width=width - half, bias=bias, style=style, name="even")]
    if half:
        moved = Crop(((1, 0), (1, 0)))(Pad(((0, 1), (0, 1)))(x, name="pad"), name="crop")
        odd = AvgPool(1, 2, "valid")(moved, name="odd_pool")
        branches.append(conv(odd, width=half, bias=bias, style=style, name="odd"))
    return style.normalize(Concat()(*branches, name="concat"))
