"""Cross-stage partial blocks: part of the channels bypasses the bottlenecks (CSPNet, Wang et al. 2020, figure 2)."""

from __future__ import annotations

from archdsl.blocks.conv import conv_bn_act, depthwise_conv_bn_act
from archdsl.conventions import Conventions
from archdsl.ir import Node
from archdsl.ops import Add, Concat, Slice
from archdsl.registry import Depth, Ratio, Width, block


@block
def csp(
    x: Node,
    *,
    width: Width,
    depth: Depth = 1,
    residual: bool = True,
    depthwise: bool = False,
    expansion: Ratio = 0.5,
    style: Conventions,
) -> Node:
    """Two 1 × 1 branches, one through `depth` bottlenecks, joined and fused (CSPDarknet of YOLOX, Ge et al. 2021).

    (H, W, C) -> (H, W, width). `depthwise` makes the 3 × 3 convolutions depthwise separable.
    """
    hidden = hidden_width(width, expansion)
    spatial = depthwise_conv_bn_act if depthwise else conv_bn_act
    deep = conv_bn_act(x, width=hidden, style=style, name="deep")
    short = conv_bn_act(x, width=hidden, style=style, name="short")
    for step in range(1, depth + 1):
        before = deep
        deep = conv_bn_act(deep, width=hidden, style=style, name=f"{step}_reduce")
        deep = spatial(deep, width=hidden, kernel=3, style=style, name=f"{step}_conv")
        if residual:
            deep = Add()(before, deep, name=f"{step}_add")
    joined = Concat()(deep, short, name="concat")
    return conv_bn_act(joined, width=width, style=style, name="fuse")


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
    short = Slice(0, hidden)(split, name="short")
    deep = Slice(hidden, 2 * hidden)(split, name="deep")
    steps = [short, deep]
    for step in range(1, depth + 1):
        deep = conv_bn_act(deep, width=hidden, kernel=3, style=style, name=f"{step}_conv1")
        deep = conv_bn_act(deep, width=hidden, kernel=3, style=style, name=f"{step}_conv2")
        if residual:
            deep = Add()(steps[-1], deep, name=f"{step}_add")
        steps.append(deep)
    joined = Concat()(*steps, name="concat")
    return conv_bn_act(joined, width=width, style=style, name="fuse")


def hidden_width(width: int, expansion: float) -> int:
    """Channels inside a block: `expansion` times those it gives, cut to a whole number, at least one."""
    return max(1, int(width * expansion))
