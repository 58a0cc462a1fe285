"""Cross-stage partial blocks: part of the channels bypasses the bottlenecks (CSPNet, Wang et al. 2020, figure 2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from archdsl.blocks.conv import conv_bn_act, depthwise_conv_bn_act
from archdsl.blocks.conventions import Conventions
from archdsl.blocks.registry import Depth, Ratio, Width, block
from archdsl.ir.graph import Node
from archdsl.ir.ops import Add, Concat, Part, Split


@block
def csp(
    x: Node,
    *,
    width: Width,
    depth: Depth = 1,
    residual: bool = True,
    depthwise: bool = False,
    transition: bool = False,
    expansion: Ratio = 0.5,
    bottleneck_expansion: Ratio = 1.0,
    style: Conventions,
) -> Node:
    """Two 1 × 1 branches, one through `depth` bottlenecks, joined and fused (CSPDarknet of YOLOX, Ge et al. 2021).

    (H, W, C) -> (H, W, width). `depthwise` makes the 3 × 3 convolutions depthwise separable. `transition` adds a
    1 × 1 convolution after the bottlenecks, as in CSPDarknet53 (CSPNet, figure 3b; YOLOv4, Bochkovskiy et al. 2020).
    Each branch has expansion × width channels, and a bottleneck reduces its own to `bottleneck_expansion` of them.
    """
    hidden = hidden_width(width, expansion)
    reduced = hidden_width(hidden, bottleneck_expansion)
    spatial = depthwise_conv_bn_act if depthwise else conv_bn_act

    def bottleneck(x: Node, step: int) -> Node:
        x = conv_bn_act(x, width=reduced, style=style, name=f"{step}_reduce")
        return spatial(x, width=hidden, kernel=3, style=style, name=f"{step}_conv")

    def deep_path(deep: Node) -> Node:
        deep = chain(deep, bottleneck, depth=depth, residual=residual)[-1]
        return conv_bn_act(deep, width=hidden, style=style, name="transition") if transition else deep

    return cross_stage(x, deep_path, width=width, hidden=hidden, style=style)


@block
def c3(
    x: Node,
    *,
    width: Width,
    depth: Depth = 1,
    residual: bool = True,
    expansion: Ratio = 0.5,
    style: Conventions,
) -> Node:
    """CSP with three convolutions around its bottlenecks: `csp` under the name that YOLOv5 gave it.

    (H, W, C) -> (H, W, width).
    """
    shape = {"width": width, "depth": depth, "residual": residual, "expansion": expansion}
    return cast(Node, csp.function(x, **shape, style=style))


@block
def c2f(
    x: Node,
    *,
    width: Width,
    depth: Depth = 1,
    residual: bool = True,
    expansion: Ratio = 0.5,
    style: Conventions,
) -> Node:
    """Split, chain `depth` bottlenecks, concatenate every step, fuse (YOLOv8).

    (H, W, C) -> (H, W, width).
    """
    hidden = hidden_width(width, expansion)
    split = conv_bn_act(x, width=2 * hidden, style=style, name="split")
    halves = Split(2)(split, name="halves")
    short, deep = Part(0)(halves, name="short"), Part(1)(halves, name="deep")

    def bottleneck(x: Node, step: int) -> Node:
        x = conv_bn_act(x, width=hidden, kernel=3, style=style, name=f"{step}_conv1")
        return conv_bn_act(x, width=hidden, kernel=3, style=style, name=f"{step}_conv2")

    joined = Concat()(short, *chain(deep, bottleneck, depth=depth, residual=residual), name="concat")
    return conv_bn_act(joined, width=width, style=style, name="fuse")


def chain(x: Node, bottleneck: Callable[[Node, int], Node], *, depth: int, residual: bool) -> list[Node]:
    """`x`, and the map after each of `depth` bottlenecks in a row, which `residual` adds to the map before it.

    `bottleneck` is given a map and the number of the step, and keeps the shape.
    """
    steps = [x]
    for step in range(1, depth + 1):
        deep = bottleneck(steps[-1], step)
        steps.append(Add()(steps[-1], deep, name=f"{step}_add") if residual else deep)
    return steps


def cross_stage(x: Node, path: Callable[[Node], Node], *, width: int, hidden: int, style: Conventions) -> Node:
    """Two 1 × 1 branches of `hidden` channels, one through `path`, joined and fused (CSPNet, figure 2b).

    (H, W, C) -> (H, W, width).
    """
    deep = path(conv_bn_act(x, width=hidden, style=style, name="deep"))
    short = conv_bn_act(x, width=hidden, style=style, name="short")
    joined = Concat()(deep, short, name="concat")
    return conv_bn_act(joined, width=width, style=style, name="fuse")


def hidden_width(width: int, expansion: float) -> int:
    """Channels inside a block: `expansion` times those it gives, cut to a whole number, at least one."""
    return max(1, int(width * expansion))
