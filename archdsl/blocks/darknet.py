"""Residual blocks of the Darknet family: a 1 × 1 convolution that reduces, a 3 × 3 that restores, and a shortcut."""

from __future__ import annotations

from archdsl.blocks.conv import conv_bn, conv_bn_act
from archdsl.blocks.conventions import Conventions
from archdsl.blocks.csp import hidden_width
from archdsl.blocks.registry import Dilation, Ratio, Stride, Width, block
from archdsl.ir.node import Node
from archdsl.ir.ops import ActivationName, Add


@block
def residual(
    x: Node,
    *,
    width: Width,
    stride: Stride = 1,
    dilation: Dilation = 1,
    expansion: Ratio = 0.5,
    style: Conventions,
) -> Node:
    """1 × 1 and 3 × 3 convolution, added to a shortcut (Darknet-53 of YOLOv3, Redmon and Farhadi 2018, table 1).

    (H, W, C) -> (H/stride, W/stride, width). Darknet never strides or widens here; where a stage does, the shortcut
    is a 1 × 1 convolution with batch norm (He et al. 2016, Deep Residual Learning, equation 2).
    """
    fits = x.channels == width and stride == 1
    short = x if fits else conv_bn(x, width=width, stride=stride, style=style, name="project")
    return Add()(short, reduce_and_restore(x, width, stride, dilation, expansion, style), name="add")


@block
def bottleneck(
    x: Node,
    *,
    width: Width,
    stride: Stride = 1,
    dilation: Dilation = 1,
    residual: bool = True,
    expansion: Ratio = 0.5,
    activation: ActivationName | None = None,
    style: Conventions,
) -> Node:
    """1 × 1 and 3 × 3 convolution, added to the input where it fits and `residual` asks for it (YOLOv5).

    (H, W, C) -> (H/stride, W/stride, width). The input fits where C is width and the stride is 1.
    """
    style = style.with_activation(activation)
    deep = reduce_and_restore(x, width, stride, dilation, expansion, style)
    return Add()(x, deep, name="add") if residual and x.channels == width and stride == 1 else deep


def reduce_and_restore(x: Node, width: int, stride: int, dilation: int, expansion: float, style: Conventions) -> Node:
    """1 × 1 convolution to expansion × width channels, 3 × 3 to width. (H, W, C) -> (H/stride, W/stride, width)."""
    x = conv_bn_act(x, width=hidden_width(width, expansion), style=style, name="reduce")
    return conv_bn_act(x, width=width, kernel=3, stride=stride, dilation=dilation, style=style, name="conv")
