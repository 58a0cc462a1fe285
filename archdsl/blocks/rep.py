"""Blocks with branches that only training needs: afterwards they are one convolution (RepVGG, Ding et al. 2021)."""

from __future__ import annotations

from archdsl.blocks.conv import conv_bn, conv_bn_act
from archdsl.blocks.conventions import Conventions
from archdsl.blocks.csp import chain, cross_stage, hidden_width
from archdsl.blocks.registry import Depth, Dilation, Groups, Kernel, Ratio, Stride, Width, block
from archdsl.ir.graph import Node
from archdsl.ir.ops import ActivationName, Add, Concat, Part, Split


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
