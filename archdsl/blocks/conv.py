"""Convolution followed by normalisation and activation, the brick of every family."""

from __future__ import annotations

from archdsl.blocks.conventions import Conventions
from archdsl.blocks.registry import Dilation, Groups, Kernel, Stride, Width, block
from archdsl.ir.graph import Node
from archdsl.ir.ops import ActivationName, Conv2D, DepthwiseConv2D, Pad, Padding


@block
def conv(
    x: Node,
    *,
    width: Width,
    kernel: Kernel = 1,
    stride: Stride = 1,
    dilation: Dilation = 1,
    groups: Groups = 1,
    bias: bool = True,
    style: Conventions,
) -> Node:
    """A convolution alone, padded as the conventions say.

    (H, W, C) -> (H/stride, W/stride, width).
    """
    x, padding = pad(x, kernel, dilation, style)
    return Conv2D(width, kernel, stride, padding, dilation, groups, bias)(x, name="conv")


@block
def conv_bn_act(
    x: Node,
    *,
    width: Width,
    kernel: Kernel = 1,
    stride: Stride = 1,
    dilation: Dilation = 1,
    groups: Groups = 1,
    activation: ActivationName | None = None,
    style: Conventions,
) -> Node:
    """Convolution, batch norm, activation (YOLOv2, Redmon and Farhadi 2017, section 2).

    (H, W, C) -> (H/stride, W/stride, width). `activation` replaces the one of the conventions.
    """
    style = style.with_activation(activation)
    x, padding = pad(x, kernel, dilation, style)
    x = Conv2D(width, kernel, stride, padding, dilation, groups, style.norm is None)(x, name="conv")
    return style.activate(style.normalize(x))


@block
def depthwise_conv_bn_act(
    x: Node,
    *,
    width: Width,
    kernel: Kernel = 3,
    stride: Stride = 1,
    dilation: Dilation = 1,
    activation: ActivationName | None = None,
    style: Conventions,
) -> Node:
    """Depthwise separable convolution (MobileNet, Howard et al. 2017, figure 3): one filter a channel, then 1 × 1.

    (H, W, C) -> (H/stride, W/stride, width). Batch norm and activation follow both convolutions.
    """
    style = style.with_activation(activation)
    x, padding = pad(x, kernel, dilation, style)
    x = DepthwiseConv2D(kernel, stride, padding, dilation, style.norm is None)(x, name="depthwise")
    x = style.activate(style.normalize(x, name="depthwise_bn"), name="depthwise_act")
    return conv_bn_act(x, width=width, style=style, name="pointwise")


def conv_bn(
    x: Node,
    *,
    width: int,
    kernel: int = 1,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    style: Conventions,
    name: str,
) -> Node:
    """Convolution and batch norm without an activation, for a branch that is added to others.

    (H, W, C) -> (H/stride, W/stride, width). Its nodes are `name`_conv and `name`_bn.
    """
    x, padding = pad(x, kernel, dilation, style)
    x = Conv2D(width, kernel, stride, padding, dilation, groups, style.norm is None)(x, name=f"{name}_conv")
    return style.normalize(x, name=f"{name}_bn")


def pad(x: Node, kernel: int, dilation: int, style: Conventions) -> tuple[Node, Padding]:
    """Zeros around `x` where the conventions want them explicit, and the padding left to the convolution."""
    border = dilation * (kernel - 1) // 2
    if style.padding == "symmetric" and border:
        return Pad(border)(x, name="pad"), "valid"
    return x, "same"
