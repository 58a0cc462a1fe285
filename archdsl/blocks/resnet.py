"""Residual blocks with pre-activation (He et al. 2016, Identity Mappings in Deep Residual Networks, figure 4e)."""

from __future__ import annotations

from archdsl.blocks.conv import conv
from archdsl.blocks.conventions import Conventions
from archdsl.blocks.csp import hidden_width
from archdsl.blocks.registry import Dilation, Ratio, Stride, Width, block
from archdsl.ir.node import Node
from archdsl.ir.ops import Add, MaxPool


@block
def preact_basic(
    x: Node,
    *,
    width: Width,
    stride: Stride = 1,
    dilation: Dilation = 1,
    projection: bool | None = None,
    style: Conventions,
) -> Node:
    """Norm, activation and 3 × 3 convolution, twice, added to a shortcut (ResNet-18 and -34, version 2).

    (H, W, C) -> (H/stride, W/stride, width). The second convolution has the stride and the dilation.
    `projection` says whether the shortcut is a 1 × 1 convolution; by default it is where C differs from width.
    """
    active = style.activate(style.normalize(x, name="pre_bn"), name="pre_act")
    deep = conv(active, width=width, kernel=3, bias=False, style=style, name="1")
    deep = style.activate(style.normalize(deep, name="1_bn"), name="1_act")
    deep = conv(deep, width=width, kernel=3, stride=stride, dilation=dilation, bias=False, style=style, name="2")
    return Add()(shortcut(x, active, width, stride, projection, style), deep, name="add")


@block
def preact_bottleneck(
    x: Node,
    *,
    width: Width,
    stride: Stride = 1,
    dilation: Dilation = 1,
    expansion: Ratio = 0.25,
    projection: bool | None = None,
    style: Conventions,
) -> Node:
    """1 × 1, 3 × 3 and 1 × 1 convolutions, each after norm and activation, added to a shortcut (ResNet-50, version 2).

    (H, W, C) -> (H/stride, W/stride, width). The 3 × 3 convolution works on expansion × width channels and has
    the stride and the dilation. `projection` as in preact_basic.
    """
    hidden = hidden_width(width, expansion)
    active = style.activate(style.normalize(x, name="pre_bn"), name="pre_act")
    deep = conv(active, width=hidden, bias=False, style=style, name="1")
    deep = style.activate(style.normalize(deep, name="1_bn"), name="1_act")
    deep = conv(deep, width=hidden, kernel=3, stride=stride, dilation=dilation, bias=False, style=style, name="2")
    deep = style.activate(style.normalize(deep, name="2_bn"), name="2_act")
    deep = conv(deep, width=width, style=style, name="3")  # Keras's and keras_cv's ResNetV2 keep this bias
    return Add()(shortcut(x, active, width, stride, projection, style), deep, name="add")


def shortcut(x: Node, active: Node, width: int, stride: int, projection: bool | None, style: Conventions) -> Node:
    """The way around: a biased 1 × 1 convolution of the activated input, every stride-th pixel of it, or itself."""
    if projection is None:
        projection = x.channels != width
    if projection:
        return conv(active, width=width, stride=stride, style=style, name="project")
    return MaxPool(1, stride, "valid")(x, name="subsample") if stride > 1 else x
