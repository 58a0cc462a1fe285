"""Blocks with branches that only training needs: afterwards they are one convolution (RepVGG, Ding et al. 2021)."""

from __future__ import annotations

from typing import Annotated

from archdsl.blocks.conv import conv_bn, conv_bn_act
from archdsl.blocks.conventions import Conventions
from archdsl.blocks.csp import chain, cross_stage, hidden_width
from archdsl.blocks.registry import Depth, Dilation, Groups, Kernel, Ratio, Stride, Width, block
from archdsl.ir.node import Node
from archdsl.ir.ops import ActivationName, Add, Concat, Part, Split
from archdsl.schemas.annotations import Limits

Branches = Annotated[int, Limits(ge=1, le=16)]


@block
def rep_conv(
    x: Node,
    *,
    width: Width,
    kernel: Kernel = 3,
    stride: Stride = 1,
    dilation: Dilation = 1,
    groups: Groups = 1,
    identity: bool = True,
    activation: ActivationName | None = None,
    style: Conventions,
) -> Node:
    """k × k convolution + 1 × 1 convolution + identity, each with batch norm, summed, activated (RepVGG, figure 2b).

    (H, W, C) -> (H/stride, W/stride, width). The identity is there where it fits: `identity`, C is width, stride 1.
    """
    style = style.with_activation(activation)
    shape = {"width": width, "stride": stride, "groups": groups}
    dense = conv_bn(x, **shape, kernel=kernel, dilation=dilation, style=style, name="dense")
    pointwise = conv_bn(x, **shape, style=style, name="pointwise")
    branches = [dense, pointwise]
    if identity and x.channels == width and stride == 1:
        branches.append(style.normalize(x, name="identity_bn"))
    return style.activate(Add()(*branches, name="add"))


@block
def rep_branches(
    x: Node,
    *,
    width: Width,
    kernel: Kernel = 1,
    stride: Stride = 1,
    groups: Groups = 1,
    branches: Branches = 4,
    style: Conventions,
) -> Node:
    """Equal convolutions, a 1 × 1 one and the identity, each with batch norm, summed, activated (MobileOne, figure 3).

    (H, W, C) -> (H/stride, W/stride, width) (Vasu et al. 2023). A kernel of 1 has no 1 × 1 convolution beside it; the
    identity is there where it fits.
    """
    kernels = [kernel] * branches + [1] * (kernel > 1)
    summed = [
        conv_bn(x, width=width, kernel=each, stride=stride, groups=groups, style=style, name=f"{number}")
        for number, each in enumerate(kernels, 1)
    ]
    if x.channels == width and stride == 1:
        summed.append(style.normalize(x, name="identity_bn"))
    return style.activate(Add()(*summed, name="add"))


@block
def mobile_one(x: Node, *, width: Width, stride: Stride = 1, branches: Branches = 4, style: Conventions) -> Node:
    """A depthwise 3 × 3 and a 1 × 1 convolution of many branches each (MobileOne, Vasu et al. 2023, figure 3).

    (H, W, C) -> (H/stride, W/stride, width).
    """
    channels = x.channels
    x = rep_branches(
        x, width=channels, kernel=3, stride=stride, groups=channels, branches=branches, style=style, name="depthwise"
    )
    return rep_branches(x, width=width, branches=branches, style=style, name="pointwise")


@block
def rep_ncsp(
    x: Node,
    *,
    width: Width,
    depth: Depth = 1,
    residual: bool = True,
    expansion: Ratio = 0.5,
    style: Conventions,
) -> Node:
    """`csp` with a rep_conv where its bottlenecks have a 1 × 1 convolution (RepNCSP of YOLOv9, Wang et al. 2024).

    (H, W, C) -> (H, W, width). The rep_convs have no identity (planned re-parameterisation, YOLOv7, section 4.1:
    it undoes what a residual gives).
    """
    hidden = hidden_width(width, expansion)

    def bottleneck(x: Node, step: int) -> Node:
        x = rep_conv(x, width=hidden, identity=False, style=style, name=f"{step}_rep")
        return conv_bn_act(x, width=hidden, kernel=3, style=style, name=f"{step}_conv")

    def deep_path(deep: Node) -> Node:
        return chain(deep, bottleneck, depth=depth, residual=residual)[-1]

    return cross_stage(x, deep_path, width=width, hidden=hidden, style=style)


@block
def rep_ncsp_elan(
    x: Node,
    *,
    width: Width,
    depth: Depth = 1,
    residual: bool = True,
    expansion: Ratio = 0.5,
    csp_expansion: Ratio = 0.5,
    style: Conventions,
) -> Node:
    """Split, two steps of rep_ncsp and a 3 × 3 convolution, concatenate every step, fuse (GELAN of YOLOv9, figure 4c).

    (H, W, C) -> (H, W, width). Each step has `depth` bottlenecks and gives expansion × width channels, of which
    csp_expansion go through them.
    """
    hidden = hidden_width(width, expansion)
    split = conv_bn_act(x, width=2 * hidden, style=style, name="split")
    halves = Split(2)(split, name="halves")
    short, deep = Part(0)(halves, name="short"), Part(1)(halves, name="deep")
    steps = [short, deep]
    csp = {"width": hidden, "depth": depth, "residual": residual, "expansion": csp_expansion}
    for step in (1, 2):
        deep = rep_ncsp(deep, **csp, style=style, name=f"{step}_csp")
        deep = conv_bn_act(deep, width=hidden, kernel=3, style=style, name=f"{step}_conv")
        steps.append(deep)
    return conv_bn_act(Concat()(*steps, name="concat"), width=width, style=style, name="fuse")
