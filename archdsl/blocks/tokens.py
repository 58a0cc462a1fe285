"""Tokens: from a map and back, attention between them, and the layers of a transformer (Vaswani et al. 2017)."""

from __future__ import annotations

from archdsl.blocks.conventions import Conventions
from archdsl.blocks.csp import hidden_width
from archdsl.blocks.layers import Rate
from archdsl.blocks.registry import Groups, Ratio, Width, block
from archdsl.ir.node import Node, ShapeError
from archdsl.ir.ops import (
    ActivationName,
    Add,
    Attention,
    ConcatTokens,
    Dense,
    FirstToken,
    Learned,
    Ones,
    Slice,
    StochasticDepth,
    TokenMean,
    ToMap,
    ToTokens,
    Transpose,
)
from archdsl.ir.types import Tokens, misfit


@block
def to_tokens(x: Node) -> Node:
    """Every pixel of a map as a token, row by row. (H, W, C) -> (H W, C)."""
    return ToTokens()(x, name="tokens")


@block
def to_map(x: Node) -> Node:
    """The tokens as the map that they were, without class tokens. (N, C) -> (H, W, C)."""
    if not isinstance(x.type, Tokens):
        raise ShapeError(*misfit(x.type, (Tokens,)))
    height, image_width = x.type.grid or (None, None)
    if height is None or image_width is None:
        raise ShapeError("the size of their map is not known", hint="set the image's size in `input.shape`")
    return ToMap(height, image_width, x.type.extra)(x, name="map")


@block
def class_token(x: Node) -> Node:
    """A learned token before the others (ViT, Dosovitskiy et al. 2021, equation 1). (N, C) -> (N + 1, C)."""
    token = Learned(1, x.channels)(Ones()(x, name="one"), name="token")
    return ConcatTokens()(token, x, name="concat")


@block
def position_embedding(x: Node) -> Node:
    """A learned vector for each token, added to it (ViT, equation 1). (N, C) -> (N, C). N must be known."""
    if not isinstance(x.type, Tokens):
        raise ShapeError(*misfit(x.type, (Tokens,)))
    length = x.type.length
    if length is None:
        raise ShapeError("the number of tokens is not known", hint="set the image's size in `input.shape`")
    embedding = Learned(length, x.channels)(Ones()(x, name="one"), name="embedding")
    return Add()(x, embedding, name="add")


@block
def learned_tokens(x: Node, *, length: Groups, width: Width) -> Node:
    """Learned tokens, the same for every image, such as queries (DETR, Carion et al. 2020). (…, C) -> (length, width).

    Of the input nothing is read.
    """
    return Learned(length, width)(Ones()(x, name="one"), name="tokens")


@block
def transpose(x: Node) -> Node:
    """Channels as tokens, and tokens as channels (MLP-Mixer, Tolstikhin et al. 2021). (N, C) -> (C, N)."""
    return Transpose()(x, name="transpose")


@block
def first_token(x: Node) -> Node:
    """The first token, such as the class token. (N, C) -> (C)."""
    return FirstToken()(x, name="first")


@block
def token_mean(x: Node) -> Node:
    """Mean of all tokens. (N, C) -> (C)."""
    return TokenMean()(x, name="mean")


@block
def attention(x: Node, *, heads: Groups, bias: bool = True, areas: Groups = 1) -> Node:
    """Multi-head self-attention (Vaswani et al. 2017, section 3.2). (…, C) -> (…, C), a map or tokens.

    One dense layer makes queries, keys and values, another mixes the results of the heads; `bias` is for both. With
    `areas`, attention stays within each of that many equal runs of tokens.
    """
    width = x.channels
    mixed = Dense(3 * width, bias)(x, name="qkv")
    parts = [Slice(part * width, (part + 1) * width)(mixed, name=name) for part, name in enumerate("qkv")]
    return Dense(width, bias)(Attention(heads, areas)(*parts, name="heads"), name="projection")


@block
def cross_attention(x: Node, context: Node, *, heads: Groups, bias: bool = True) -> Node:
    """Attention whose keys and values are another's (Vaswani et al. 2017, section 3.2.3). (N, C), (M, D) -> (N, C).

    Four dense layers of C channels: queries, keys, values, and what mixes the results of the heads.
    """
    sources = {"queries": x, "keys": context, "values": context}
    parts = [Dense(x.channels, bias)(source, name=name) for name, source in sources.items()]
    return Dense(x.channels, bias)(Attention(heads)(*parts, name="heads"), name="projection")


@block
def perceptron(
    x: Node,
    *,
    units: Width | None = None,
    expansion: Ratio = 4.0,
    activation: ActivationName = "gelu",
    style: Conventions,
) -> Node:
    """Two dense layers with an activation between them, the same for every place. (…, C) -> (…, C).

    The first has `units`, by default expansion × C.
    """
    hidden = Dense(units or hidden_width(x.channels, expansion))(x, name="expand")
    return Dense(x.channels)(style.with_activation(activation).activate(hidden), name="reduce")


@block
def transformer(
    x: Node,
    *,
    heads: Groups,
    bias: bool = True,
    expansion: Ratio = 4.0,
    activation: ActivationName = "gelu",
    drop: Rate = 0.0,
    style: Conventions,
) -> Node:
    """Attention, then a perceptron, each after a norm and added to its input (ViT, figure 1). (…, C) -> (…, C).

    `bias` is that of the attention. `drop` is the rate of stochastic depth.
    """
    deep = attention(style.normalize(x, name="norm1"), heads=heads, bias=bias)
    x = Add()(x, _dropped(deep, drop, "drop1"), name="add1")
    active = style.normalize(x, name="norm2")
    deep = perceptron(active, expansion=expansion, activation=activation, style=style)
    return Add()(x, _dropped(deep, drop, "drop2"), name="add2")


def _dropped(x: Node, rate: float, name: str) -> Node:
    return StochasticDepth(rate)(x, name=name) if rate else x
