"""Partial self-attention: half of the channels, or half as many as there are, see the whole map (YOLOv10, 11, 12)."""

from __future__ import annotations

from archdsl.blocks.conv import conv_bn_act
from archdsl.blocks.conventions import Conventions
from archdsl.blocks.csp import halves_of, hidden_width
from archdsl.blocks.registry import Depth, Groups, Kernel, Ratio, Width, block
from archdsl.blocks.windows import Window, depthwise2d
from archdsl.ir.graph import Node
from archdsl.ir.ops import Add, Attention, Concat, Slice


@block
def c2psa(x: Node, *, width: Width, depth: Depth = 1, expansion: Ratio = 0.5, style: Conventions) -> Node:
    """Split, `depth` times attention and a perceptron on one half, concatenate, fuse (C2PSA of YOLO11).

    (H, W, C) -> (H, W, width). One time it is PSA of YOLOv10 (Wang et al. 2024, figure 3c): heads of 64 channels, whose
    queries and keys have 32, and 2 × the channels between the layers of the perceptron.
    """
    hidden = hidden_width(width, expansion)
    short, deep = halves_of(x, hidden, style)
    heads = max(1, hidden // 64)
    for step in range(1, depth + 1):
        deep = Add()(deep, map_attention(deep, heads=heads, style=style, name=f"{step}_attention"), name=f"{step}_add1")
        deep = Add()(deep, _perceptron(deep, 2.0, style, f"{step}"), name=f"{step}_add2")
    return conv_bn_act(Concat()(short, deep, name="concat"), width=width, style=style, name="fuse")


@block
def map_attention(
    x: Node,
    *,
    heads: Groups,
    areas: Groups = 1,
    key_expansion: Ratio = 0.5,
    kernel: Kernel = 3,
    style: Conventions,
) -> Node:
    """Attention between the pixels of a map, with positions by a depthwise convolution of the values (YOLOv10, 12).

    (H, W, C) -> (H, W, C). One 1 × 1 convolution makes queries, keys and values, head by head; queries and keys have
    `key_expansion` as many channels as values. All convolutions are followed by a norm and no activation.
    """
    linear = style.with_activation("linear")
    size = x.channels // heads
    keys = max(1, int(size * key_expansion))
    mixed = conv_bn_act(x, width=heads * (2 * keys + size), style=linear, name="qkv")
    edges = (0, keys, 2 * keys, 2 * keys + size)
    query, key, value = [
        Slice(*edges[part : part + 2], groups=heads)(mixed, name=name) for part, name in enumerate("qkv")
    ]
    seen = Attention(heads, areas)(query, key, value, name="heads")
    position = depthwise2d(value, Window(kernel), bias=style.norm is None, style=style, name="position")
    position = style.normalize(position, name="position_bn")
    return conv_bn_act(Add()(seen, position, name="add"), width=x.channels, style=linear, name="projection")


def _perceptron(x: Node, expansion: float, style: Conventions, name: str) -> Node:
    """Two 1 × 1 convolutions, an activation after the first only. (H, W, C) -> (H, W, C)."""
    wide = conv_bn_act(x, width=hidden_width(x.channels, expansion), style=style, name=f"{name}_expand")
    return conv_bn_act(wide, width=x.channels, activation="linear", style=style, name=f"{name}_reduce")
