"""Convolution followed by normalisation and activation, the brick of every family."""

from __future__ import annotations

from archdsl.blocks.conventions import Conventions
from archdsl.blocks.registry import Dilation2D, GroupsOrAll, Kernel2D, Stride2D, Width, block
from archdsl.blocks.windows import PaddingArgument, Window, conv2d, depthwise2d
from archdsl.ir.node import Node
from archdsl.ir.ops import ActivationName


@block
def conv(
    x: Node,
    *,
    width: Width,
    kernel: Kernel2D = 1,
    stride: Stride2D = 1,
    dilation: Dilation2D = 1,
    groups: GroupsOrAll = 1,
    bias: bool = True,
    padding: PaddingArgument | None = None,
    style: Conventions,
) -> Node:
    """A convolution alone, padded as the conventions say.

    (H, W, C) -> (H/stride, W/stride, width).
    """
    window = Window(kernel, stride, dilation, padding)
    return conv2d(x, width, window, groups=groups, bias=bias, style=style)


@block
def conv_bn_act(
    x: Node,
    *,
    width: Width,
    kernel: Kernel2D = 1,
    stride: Stride2D = 1,
    dilation: Dilation2D = 1,
    groups: GroupsOrAll = 1,
    bias: bool | None = None,
    padding: PaddingArgument | None = None,
    activation: ActivationName | None = None,
    style: Conventions,
) -> Node:
    """Convolution, batch norm, activation (YOLOv2, Redmon and Farhadi 2017, section 2).

    (H, W, C) -> (H/stride, W/stride, width). `activation` replaces the one of the conventions. By default the
    convolution has a bias where no norm follows.
    """
    style = style.with_activation(activation)
    window = Window(kernel, stride, dilation, padding)
    bias = style.norm is None if bias is None else bias
    return style.activate(style.normalize(conv2d(x, width, window, groups=groups, bias=bias, style=style)))


@block
def depthwise_conv_bn_act(
    x: Node,
    *,
    width: Width,
    kernel: Kernel2D = 3,
    stride: Stride2D = 1,
    dilation: Dilation2D = 1,
    padding: PaddingArgument | None = None,
    activation: ActivationName | None = None,
    style: Conventions,
) -> Node:
    """Depthwise separable convolution (MobileNet, Howard et al. 2017, figure 3): one filter a channel, then 1 × 1.

    (H, W, C) -> (H/stride, W/stride, width). Batch norm and activation follow both convolutions.
    """
    style = style.with_activation(activation)
    window = Window(kernel, stride, dilation, padding)
    x = depthwise2d(x, window, bias=style.norm is None, style=style)
    x = style.activate(style.normalize(x, name="depthwise_bn"), name="depthwise_act")
    return conv_bn_act(x, width=width, style=style, name="pointwise")


@block
def depthwise_conv(
    x: Node,
    *,
    kernel: Kernel2D = 3,
    stride: Stride2D = 1,
    dilation: Dilation2D = 1,
    bias: bool = True,
    padding: PaddingArgument | None = None,
    style: Conventions,
) -> Node:
    """One filter for each channel, alone. (H, W, C) -> (H/stride, W/stride, C)."""
    window = Window(kernel, stride, dilation, padding)
    return depthwise2d(x, window, bias=bias, style=style)


@block
def depthwise_bn_act(
    x: Node,
    *,
    kernel: Kernel2D = 3,
    stride: Stride2D = 1,
    dilation: Dilation2D = 1,
    padding: PaddingArgument | None = None,
    activation: ActivationName | None = None,
    style: Conventions,
) -> Node:
    """One filter for each channel, batch norm, activation: the middle of an inverted residual (MobileNetV2, figure 4).

    (H, W, C) -> (H/stride, W/stride, C).
    """
    window = Window(kernel, stride, dilation, padding)
    x = depthwise2d(x, window, bias=style.norm is None, style=style)
    style = style.with_activation(activation)
    return style.activate(style.normalize(x))


@block
def separable_conv(
    x: Node,
    *,
    width: Width,
    kernel: Kernel2D = 3,
    stride: Stride2D = 1,
    dilation: Dilation2D = 1,
    bias: bool = True,
    padding: PaddingArgument | None = None,
    style: Conventions,
) -> Node:
    """One filter for each channel, then 1 × 1, with nothing between them (Xception, Chollet 2017).

    (H, W, C) -> (H/stride, W/stride, width). Only the 1 × 1 convolution may have a bias.
    """
    window = Window(kernel, stride, dilation, padding)
    deep = depthwise2d(x, window, style=style)
    return conv2d(deep, width, Window(1), bias=bias, style=style, name="pointwise")


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
    window = Window(kernel, stride, dilation)
    x = conv2d(x, width, window, groups=groups, bias=style.norm is None, style=style, name=f"{name}_conv")
    return style.normalize(x, name=f"{name}_bn")
