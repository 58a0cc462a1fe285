"""Merging, cutting, moving and summarising values in ONNX; attention."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy

from archdsl.backends.onnx.emission import ALL, TO_BODY, TO_HEAD, Emission, by_channel, channel_axis
from archdsl.ir import ops
from archdsl.ir.node import Node, Op
from archdsl.ir.types import FeatureMap, Tokens, Vector, both

if TYPE_CHECKING:
    from archdsl.backends.onnx.emission import Array


def add(to: Emission, node: Node, arrays: tuple[Array, ...], *inputs: str) -> str:
    return reduce(lambda one, other: to("Add", one, other), inputs)


def weighted_sum(to: Emission, node: Node, arrays: tuple[Array, ...], *inputs: str) -> str:
    """The factors are constants once training is over."""
    op: Any = node.op
    kernel = arrays[0].astype("float64")
    if op.normalization == "softmax":
        kernel = numpy.exp(kernel - kernel.max(1, keepdims=True))
        kernel /= kernel.sum(1, keepdims=True)
    elif op.normalization == "relu":
        kernel = numpy.maximum(kernel, 0)
        kernel /= kernel.sum(1, keepdims=True) + 1e-4
    factors = [to.weight(f"factor_{index}", by_channel(each, node.type)) for index, each in enumerate(kernel[0])]
    return add(to, node, (), *[to("Mul", *each) for each in zip(inputs, factors, strict=True)])


def subtract(to: Emission, node: Node, arrays: tuple[Array, ...], *inputs: str) -> str:
    return to("Sub", *inputs)


def multiply(to: Emission, node: Node, arrays: tuple[Array, ...], x: str, gate: str) -> str:
    if isinstance(node.inputs[1].type, Vector) and not isinstance(node.type, Vector):
        axes = [2, 3] if isinstance(node.type, FeatureMap) else [1]
        gate = to("Unsqueeze", gate, to.integers(axes))
    return to("Mul", x, gate)


def concat(to: Emission, node: Node, arrays: tuple[Array, ...], *inputs: str) -> str:
    return to.concat(inputs, channel_axis(node.type))


def concat_rows(to: Emission, node: Node, arrays: tuple[Array, ...], *inputs: str) -> str:
    return to.concat(inputs, 2)


def concat_tokens(to: Emission, node: Node, arrays: tuple[Array, ...], *inputs: str) -> str:
    return to.concat(inputs, 1)


# Channels


def slice_channels(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    op: Any = node.op
    axis, size = channel_axis(node.type), node.inputs[0].channels // op.groups
    if op.groups == 1:
        return to.slice(x, axis, op.start, op.stop)
    return to.take(x, [size * group + each for group in range(op.groups) for each in range(op.start, op.stop)], axis)


def split(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> list[str]:
    op: Any = node.op
    return to.split(x, op.parts, channel_axis(node.type))


def part(to: Emission, node: Node, arrays: tuple[Array, ...], parts: list[str]) -> str:
    index: int = node.op.index  # type: ignore[attr-defined]
    return parts[index]


def shuffle(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    """Of a map no Gather: OpenVINO works one into the kernel behind it, in the inverse order."""
    op: Any = node.op
    size = node.type.channels // op.groups
    if isinstance(node.type, FeatureMap):
        return to.as_map(to.transpose(to.reshape(x, 0, op.groups, size, -1), 0, 2, 1, 3), node.type, x)
    order = [first + size * group for first in range(size) for group in range(op.groups)]
    return to.take(x, order, channel_axis(node.type))


def reverse(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    return to.take(x, reversed(range(node.type.channels)), channel_axis(node.type))


def channel_mean(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    return to("ReduceMean", x, axes=[1], keepdims=1)


def channel_max(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    return to("ReduceMax", x, axes=[1], keepdims=1)


# Sides


def pad(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    op: Any = node.op
    (top, bottom), (left, right) = op.border
    return to("Pad", x, to.integers([0, 0, top, left, 0, 0, bottom, right]), to.floats(op.value))


def crop(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    op: Any = node.op
    for axis, (before, after) in zip((2, 3), op.border, strict=True):
        x = to.slice(x, axis, before, -after if after else ALL)
    return x


def upsample(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    op: Any = node.op
    scales = to.exact([1, 1, *both(op.factor)])
    if op.interpolation == "bilinear":
        return to("Resize", x, "", scales, mode="linear", coordinate_transformation_mode="half_pixel")
    style = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return to("Resize", x, "", scales, mode="nearest", **style)


def resize(to: Emission, node: Node, arrays: tuple[Array, ...], x: str, *like: str) -> str:
    op: Any = node.op
    sides = to("Shape", *like, start=2) if like else to.integers([op.height, op.image_width])
    sizes = to.concat([to("Shape", x, end=2), sides], 0)
    mode = "linear" if op.interpolation == "bilinear" else "nearest"
    style = {"coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil"}
    return to("Resize", x, "", "", sizes, mode=mode, **style)


def space_to_depth(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    rows = [to.slice(x, 2, row, ALL, 2) for row in (0, 1)]
    return to.concat([to.slice(rows[row], 3, column, ALL, 2) for column in (0, 1) for row in (0, 1)], 1)


def depth_to_space(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    op: Any = node.op
    return to("DepthToSpace", x, blocksize=op.factor, mode="CRD")


def sum_rows(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    return to("ReduceSum", x, to.integers([2]), keepdims=1)


# Tokens and vectors


def flatten(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    is_map = isinstance(node.inputs[0].type, FeatureMap)
    return to("Flatten", to.transpose(x, *TO_HEAD) if is_map else x)


def to_tokens(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    return to.reshape(to.transpose(x, *TO_HEAD), 0, -1, node.type.channels)


def to_map(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    op: Any = node.op
    pixels = to.slice(x, 1, op.extra, ALL) if op.extra else x
    return to.transpose(to.reshape(pixels, 0, op.height, op.image_width, node.type.channels), *TO_BODY)


def transpose(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    return to.transpose(x, 0, 2, 1)


def ones(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    shape = to.concat([to.side(x, 0), to.integers([1])], 0)
    return to("Expand", to.floats([[1]]), shape)


def learned(to: Emission, node: Node, arrays: tuple[Array, ...], one: str) -> str:
    op: Any = node.op
    return to.reshape(to("MatMul", one, to.weight("kernel", arrays[0].reshape(1, -1))), 0, op.length, op.channels)


def first_token(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    return to("Gather", x, to.integers(0), axis=1)


def token_mean(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    return to("ReduceMean", x, axes=[1], keepdims=0)


# Attention: each value becomes (batch, areas, heads, places, channels of a head)

_PLACES_LAST = {FeatureMap: (0, 3, 1, 2, 4), Tokens: (0, 1, 3, 4, 2)}
_CHANNELS_LAST = {FeatureMap: (0, 3, 1, 4, 2), Tokens: (0, 1, 3, 2, 4)}
_BACK = {FeatureMap: (0, 2, 4, 1, 3), Tokens: (0, 1, 3, 2, 4)}


def attention(to: Emission, node: Node, arrays: tuple[Array, ...], *inputs: str) -> str:
    op: Any = node.op
    orders = (_CHANNELS_LAST, _PLACES_LAST, _CHANNELS_LAST)
    parts = [
        to.transpose(_heads(to, op, each, source.type), *order[type(source.type)])
        for each, source, order in zip(inputs, node.inputs, orders, strict=True)
    ]
    queries, keys, values = parts
    size = node.inputs[0].channels // op.heads
    fit = to("MatMul", to("Mul", queries, to.floats(size**-0.5)), keys)
    means = to("MatMul", to("Softmax", fit, axis=-1), values)
    back = to.transpose(means, *_BACK[type(node.type)])
    if isinstance(node.type, FeatureMap):
        return to.as_map(back, node.type, inputs[0])
    return to.reshape(back, 0, -1, node.type.channels)


def _heads(to: Emission, op: Any, x: str, own: Any) -> str:
    """(batch, heads, channels, areas, places) of a map, (batch, areas, places, heads, channels) of tokens."""
    head = op.heads, own.channels // op.heads
    return (
        to.reshape(x, 0, *head, op.areas, -1) if isinstance(own, FeatureMap) else to.reshape(x, 0, op.areas, -1, *head)
    )


WRITERS: dict[type[Op], Callable[..., Any]] = {
    ops.Add: add,
    ops.WeightedSum: weighted_sum,
    ops.Subtract: subtract,
    ops.Multiply: multiply,
    ops.Concat: concat,
    ops.ConcatRows: concat_rows,
    ops.ConcatTokens: concat_tokens,
    ops.Slice: slice_channels,
    ops.Split: split,
    ops.Part: part,
    ops.ChannelShuffle: shuffle,
    ops.ReverseChannels: reverse,
    ops.ChannelMean: channel_mean,
    ops.ChannelMax: channel_max,
    ops.Pad: pad,
    ops.Crop: crop,
    ops.Upsample: upsample,
    ops.Resize: resize,
    ops.ResizeLike: resize,
    ops.SpaceToDepth: space_to_depth,
    ops.DepthToSpace: depth_to_space,
    ops.SumRows: sum_rows,
    ops.Flatten: flatten,
    ops.ToTokens: to_tokens,
    ops.ToMap: to_map,
    ops.Transpose: transpose,
    ops.Ones: ones,
    ops.Learned: learned,
    ops.FirstToken: first_token,
    ops.TokenMean: token_mean,
    ops.Attention: attention,
}
