"""Cross-stage partial blocks: part of the channels bypasses the bottlenecks (CSPNet, Wang et al. 2020, figure 2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from archdsl.blocks.conv import conv_bn_act, depthwise_conv_bn_act
from archdsl.blocks.conventions import Conventions
from archdsl.blocks.registry import Depth, Ratio, Width, block
from archdsl.ir.node import Node
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
def c2(
    x: Node,
    *,
    width: Width,
    depth: Depth = 1,
    residual: bool = True,
    expansion: Ratio = 0.5,
    style: Conventions,
) -> Node:
    """Split, chain `depth` bottlenecks on one half, concatenate, fuse (the neck of YOLOv8 for large images).

    (H, W, C) -> (H, W, width). c2f without the steps in between.
    """
    hidden = hidden_width(width, expansion)
    deep, short = halves_of(x, hidden, style, names=("deep", "short"))
    deep = chain(deep, bottleneck_3x3(hidden, hidden, style), depth=depth, residual=residual)[-1]
    return conv_bn_act(Concat()(deep, short, name="concat"), width=width, style=style, name="fuse")


@block
def c2f(
    x: Node,
    *,
    width: Width,
    depth: Depth = 1,
    residual: bool = True,
    expansion: Ratio = 0.5,
    bottleneck_expansion: Ratio = 1.0,
    style: Conventions,
) -> Node:
    """Split, chain `depth` bottlenecks, concatenate every step, fuse (YOLOv8).

    (H, W, C) -> (H, W, width). Two 3 × 3 convolutions are a bottleneck, with `bottleneck_expansion` of its channels
    between them: half of them in YOLO11.
    """
    hidden = hidden_width(width, expansion)
    short, deep = halves_of(x, hidden, style)
    bottleneck = bottleneck_3x3(hidden, hidden_width(hidden, bottleneck_expansion), style)
    steps = chain(deep, bottleneck, depth=depth, residual=residual)
    return conv_bn_act(Concat()(short, *steps, name="concat"), width=width, style=style, name="fuse")


@block
def c3k2(
    x: Node,
    *,
    width: Width,
    depth: Depth = 1,
    residual: bool = True,
    nested: bool = True,
    expansion: Ratio = 0.5,
    style: Conventions,
) -> Node:
    """c2f whose bottlenecks are cross-stage blocks of two bottlenecks of their own (C3k2 of YOLO11).

    (H, W, C) -> (H, W, width). Not `nested`, it is c2f with bottlenecks of half the channels, which YOLO11 has in the
    early stages of its small sizes. Source: https://docs.ultralytics.com/models/yolo11.
    """
    if not nested:
        shape = {"width": width, "depth": depth, "residual": residual, "expansion": expansion}
        return cast(Node, c2f.function(x, **shape, bottleneck_expansion=0.5, style=style))
    hidden = hidden_width(width, expansion)
    short, deep = halves_of(x, hidden, style)

    def step(x: Node, number: int) -> Node:
        return c3k(x, width=hidden, depth=2, residual=residual, style=style, name=f"{number}")

    steps = chain(deep, step, depth=depth, residual=False)
    return conv_bn_act(Concat()(short, *steps, name="concat"), width=width, style=style, name="fuse")


@block
def c3k(
    x: Node,
    *,
    width: Width,
    depth: Depth = 1,
    residual: bool = True,
    expansion: Ratio = 0.5,
    style: Conventions,
) -> Node:
    """`c3` of bottlenecks with two 3 × 3 convolutions (YOLO11). (H, W, C) -> (H, W, width)."""
    hidden = hidden_width(width, expansion)

    def deep_path(deep: Node) -> Node:
        return chain(deep, bottleneck_3x3(hidden, hidden, style), depth=depth, residual=residual)[-1]

    return cross_stage(x, deep_path, width=width, hidden=hidden, style=style)


def halves_of(
    x: Node, hidden: int, style: Conventions, names: tuple[str, str] = ("short", "deep")
) -> tuple[Node, Node]:
    """A 1 × 1 convolution, and its two halves of `hidden` channels. (H, W, C) -> 2 × (H, W, hidden)."""
    halves = Split(2)(conv_bn_act(x, width=2 * hidden, style=style, name="split"), name="halves")
    return Part(0)(halves, name=names[0]), Part(1)(halves, name=names[1])


def bottleneck_3x3(width: int, reduced: int, style: Conventions) -> Callable[[Node, int], Node]:
    """Two 3 × 3 convolutions with `reduced` channels between them, as a step of `chain`."""

    def bottleneck(x: Node, step: int) -> Node:
        x = conv_bn_act(x, width=reduced, kernel=3, style=style, name=f"{step}_conv1")
        return conv_bn_act(x, width=width, kernel=3, style=style, name=f"{step}_conv2")

    return bottleneck


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
