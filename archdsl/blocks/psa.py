"""Partial self-attention: half of the channels, or half as many as there are, see the whole map (YOLOv10, 11, 12)."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from archdsl.blocks.conv import conv_bn_act
from archdsl.blocks.conventions import Conventions
from archdsl.blocks.csp import c3k, chain, halves_of, hidden_width
from archdsl.blocks.registry import Depth, Groups, Kernel, Ratio, Width, block
from archdsl.blocks.windows import Window, depthwise2d
from archdsl.ir.node import Node, ShapeError
from archdsl.ir.ops import Add, Attention, Concat, LayerScale, Slice
from archdsl.ir.types import undivided
from archdsl.schemas.annotations import Limits


@block
def c2psa(x: Node, *, width: Width, depth: Depth = 1, expansion: Ratio = 0.5, style: Conventions) -> Node:
    """Split, `depth` times attention and a perceptron on one half, concatenate, fuse (C2PSA of YOLO11).

    (H, W, C) -> (H, W, width). Heads have 64 channels, and their queries and keys 32; the perceptron has 2 × the
    channels between its layers.
    """
    return _partly_attended(x, width, depth, expansion, style)


def _partly_attended(x: Node, width: int, depth: int, expansion: float, style: Conventions) -> Node:
    hidden = hidden_width(width, expansion)
    short, deep = halves_of(x, hidden, style)
    steps = chain(deep, partial(_seen_and_mixed, style=style), depth=depth, residual=False)
    return conv_bn_act(Concat()(short, steps[-1], name="concat"), width=width, style=style, name="fuse")


def _seen_and_mixed(x: Node, step: int, style: Conventions) -> Node:
    """Attention in heads of 64 channels and a perceptron, each added to its input. (H, W, C) -> (H, W, C)."""
    heads = heads_of(x.channels, 64)
    x = Add()(x, map_attention(x, heads=heads, style=style, name=f"{step}_attention"), name=f"{step}_add1")
    return Add()(x, _perceptron(x, 2.0, style, f"{step}"), name=f"{step}_add2")


@block
def c2f_psa(x: Node, *, width: Width, depth: Depth = 1, expansion: Ratio = 0.5, style: Conventions) -> Node:
    """c2psa that keeps the map after every step, as c2f does (C2fPSA of Ultralytics). (H, W, C) -> (H, W, width)."""
    short, deep = halves_of(x, hidden_width(width, expansion), style)
    steps = chain(deep, partial(_seen_and_mixed, style=style), depth=depth, residual=False)
    return conv_bn_act(Concat()(short, *steps, name="concat"), width=width, style=style, name="fuse")


@block
def psa(x: Node, *, width: Width, expansion: Ratio = 0.5, style: Conventions) -> Node:
    """c2psa with attention and a perceptron once (YOLOv10, Wang et al. 2024, figure 3c). (H, W, C) -> (H, W, width).

    Checkpoints of the two have other names.
    """
    return _partly_attended(x, width, 1, expansion, style)


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
    if x.channels % heads:
        raise ShapeError(*undivided(x.channels, "channels", heads, "heads"))
    linear = style.with_activation("linear")
    size = x.channels // heads
    keys = max(1, int(size * key_expansion))
    mixed = conv_bn_act(x, width=heads * (2 * keys + size), style=linear, name="qkv")
    query = Slice(0, keys, heads)(mixed, name="q")
    key = Slice(keys, 2 * keys, heads)(mixed, name="k")
    value = Slice(2 * keys, 2 * keys + size, heads)(mixed, name="v")
    seen = Attention(heads, areas)(query, key, value, name="heads")
    position = depthwise2d(value, Window(kernel), bias=style.norm is None, style=style, name="position")
    position = style.normalize(position, name="position_bn")
    return conv_bn_act(Add()(seen, position, name="add"), width=x.channels, style=linear, name="projection")


def heads_of(channels: int, size: int) -> int:
    """Heads of `size` channels, or as many fewer as divide them."""
    return next(heads for heads in range(max(1, channels // size), 0, -1) if channels % heads == 0)


def _perceptron(x: Node, expansion: float, style: Conventions, name: str) -> Node:
    """Two 1 × 1 convolutions, an activation after the first only. (H, W, C) -> (H, W, C)."""
    wide = conv_bn_act(x, width=hidden_width(x.channels, expansion), style=style, name=f"{name}_expand")
    return conv_bn_act(wide, width=x.channels, activation="linear", style=style, name=f"{name}_reduce")


@block
def r_elan(
    x: Node,
    *,
    width: Width,
    depth: Depth = 1,
    areas: Groups = 1,
    attention: bool = True,
    expansion: Ratio = 0.5,
    mlp_expansion: Ratio = 2.0,
    initial: Annotated[float, Limits(gt=0, le=1)] | None = None,
    style: Conventions,
) -> Node:
    """Reduce, a chain of attention of which every second step is kept, fuse (YOLOv12, Tian et al. 2025, figure 3d).

    (H, W, C) -> (H, W, width). Each of `depth` steps is twice attention and a perceptron of `mlp_expansion`, in heads
    of 32 channels; without `attention` it is a cross-stage block. `areas` are runs of pixels that see themselves only.
    With `initial` the input is added, and the rest scaled by learned factors that begin there.
    """
    hidden = hidden_width(width, expansion)

    def step(x: Node, number: int) -> Node:
        if not attention:
            return c3k(x, width=hidden, depth=2, style=style, name=f"{number}")
        for part in ("a", "b"):
            x = _attended(x, heads_of(hidden, 32), areas, mlp_expansion, style, f"{number}{part}")
        return x

    steps = chain(conv_bn_act(x, width=hidden, style=style, name="reduce"), step, depth=depth, residual=False)
    deep = conv_bn_act(Concat()(*steps, name="concat"), width=width, style=style, name="fuse")
    return deep if initial is None else Add()(x, LayerScale(initial)(deep, name="scale"), name="add")


def _attended(x: Node, heads: int, areas: int, expansion: float, style: Conventions, name: str) -> Node:
    """Attention and a perceptron, each added to its input. (H, W, C) -> (H, W, C)."""
    shape = {"heads": heads, "areas": areas, "key_expansion": 1.0, "kernel": 7}
    x = Add()(x, map_attention(x, **shape, style=style, name=f"{name}_attention"), name=f"{name}_add1")
    return Add()(x, _perceptron(x, expansion, style, name), name=f"{name}_add2")
