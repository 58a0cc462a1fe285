"""Boxes, anchors and points in ONNX, always in float32: half of it is 0.5 pixels in an image of 640."""

from __future__ import annotations

from collections.abc import Callable
from math import pi
from typing import TYPE_CHECKING, Any

import numpy

from archdsl.backends.onnx.emission import Emission
from archdsl.ir import ops
from archdsl.ir.node import Node, Op
from archdsl.ir.types import FeatureMap, both

if TYPE_CHECKING:
    from archdsl.backends.onnx.emission import Array


def distribution_mean(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    op: Any = node.op
    runs = to.transpose(to.reshape(x, 0, node.type.channels, op.bins, -1), 0, 1, 3, 2)
    mean = to("MatMul", to("Softmax", runs, axis=-1), to.floats(numpy.arange(op.bins)[:, None]))
    assert isinstance(node.type, FeatureMap)
    return to.as_map(mean, node.type, x)


def middles(to: Emission, node: Node, x: str) -> tuple[str, str]:
    """Column and row of the middle of every pixel of a map, from 0.5 on: (1, 1, 1, W) and (1, 1, H, 1)."""
    height, image_width = node.inputs[0].type.shape[:2]  # type: ignore[misc]
    column, row = _numbers(to, image_width, x, 3), _numbers(to, height, x, 2)
    return to.reshape(column, 1, 1, 1, -1), to.reshape(row, 1, 1, -1, 1)


def _numbers(to: Emission, side: int | None, x: str, axis: int) -> str:
    if side is not None:
        return to.floats(numpy.arange(side) + 0.5)
    return to("Range", to.floats(0.5), _length(to, x, axis), to.floats(1))


def _length(to: Emission, x: str, axis: int) -> str:
    """How long `x` is along an axis, as a number to compute with."""
    return to.cast(to("Squeeze", to.side(x, axis)), to.dtype)


def _sum(to: Emission, *values: str) -> str:
    first, *others = values
    for other in others:
        first = to("Add", first, other)
    return first


def _times(to: Emission, value: str, factor: float) -> str:
    return value if factor == 1 else to("Mul", value, to.floats(factor))


def boxes_from_distances(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    op: Any = node.op
    left, top, right, bottom = to.split(x, 4, 1)
    column, row = middles(to, node, x)
    down, across = both(op.stride)
    edges = [
        (to("Sub", column, left), across),
        (to("Sub", row, top), down),
        (to("Add", column, right), across),
        (to("Add", row, bottom), down),
    ]
    return to.concat([_times(to, *edge) for edge in edges], 1)


def rotated_boxes(to: Emission, node: Node, arrays: tuple[Array, ...], x: str, turn: str) -> str:
    op: Any = node.op
    left, top, right, bottom = to.split(x, 4, 1)
    column, row = middles(to, node, x)
    angle = to("Mul", to("Sub", to("Sigmoid", turn), to.floats(0.25)), to.floats(pi))
    cosine, sine = to("Cos", angle), to("Sin", angle)
    across, down = [_times(to, to("Sub", *pair), 0.5) for pair in ((right, left), (bottom, top))]
    parts = [
        to("Sub", _sum(to, column, to("Mul", across, cosine)), to("Mul", down, sine)),
        _sum(to, row, to("Mul", across, sine), to("Mul", down, cosine)),
        to("Add", left, right),
        to("Add", top, bottom),
    ]
    return to.concat([*[_times(to, part, op.stride) for part in parts], angle], 1)


def keypoints(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    op: Any = node.op
    points = node.type.channels // 3
    right, below, seen = [to.take(x, range(part, 3 * points, 3), 1) for part in range(3)]
    places = [
        _times(to, to("Sub", _sum(to, _times(to, offset, 2), middle), to.floats(0.5)), stride)
        for offset, middle, stride in zip((right, below), middles(to, node, x), reversed(both(op.stride)), strict=True)
    ]
    together = to.concat([*places, to("Sigmoid", seen)], 1)
    return to.take(together, [part * points + point for point in range(points) for part in range(3)], 1)


def anchors(to: Emission, node: Node, arrays: tuple[Array, ...], x: str, *image: str) -> str:
    op: Any = node.op
    down, across = both(op.stride)
    column, row = middles(to, node, x)
    places = to.reshape(column, 1, 1, -1, 1), to.reshape(row, 1, -1, 1, 1)
    found = []
    for middle, step, axis, sides in zip(places, (across, down), (3, 2), zip(*op.sizes, strict=True), strict=True):
        half = to.floats([side / 2 for side in sides])
        edges = [to(kind, _times(to, middle, step), half) for kind in ("Sub", "Add")]
        if image:
            limit = _length(to, image[0], axis)
            edges = [to("Min", to("Max", edge, to.floats(0)), limit) for edge in edges]
        found.append((_times(to, _sum(to, *edges), 0.5), to("Sub", edges[1], edges[0])))
    (x_middle, width), (y_middle, height) = found
    pairs = ((x_middle, y_middle), (y_middle, x_middle), (width, height), (height, width))
    whole = [to("Add", own, _times(to, other, 0)) for own, other in pairs]  # each for every column and row
    boxes = to.concat([to("Unsqueeze", each, to.integers([-1])) for each in whole], -1)
    batch = to.concat([to.side(x, 0), to.integers([1, 1])], 0)
    return to("Expand", to.reshape(boxes, 1, -1, 4), batch)


def anchor_boxes(to: Emission, node: Node, arrays: tuple[Array, ...], x: str, anchor: str) -> str:
    op: Any = node.op
    (offset, size), (middle, anchor_size) = to.split(x, 2, -1), to.split(anchor, 2, -1)
    steps = to.floats([op.spread * step for step in reversed(both(op.stride))])
    moved = to("Mul", to("Sub", to("Sigmoid", offset), to.floats(0.5)), steps)
    double = None if op.style == "darknet" else _times(to, to("Sigmoid", size), 2)
    factor = to("Mul", double, double) if double else to("Exp", size)
    return _edges(to, to("Add", middle, moved), to("Mul", factor, anchor_size))


def delta_boxes(to: Emission, node: Node, arrays: tuple[Array, ...], x: str, anchor: str) -> str:
    op: Any = node.op
    offset, size = to.split(to.take(x, (1, 0, 3, 2), -1), 2, -1)
    middle, anchor_size = to.split(anchor, 2, -1)
    first, second = op.variances
    moved = to("Add", middle, to("Mul", _times(to, offset, first), anchor_size))
    return _edges(to, moved, to("Mul", to("Exp", _times(to, size, second)), anchor_size))


def _edges(to: Emission, middle: str, size: str) -> str:
    half = _times(to, size, 0.5)
    return to.concat([to("Sub", middle, half), to("Add", middle, half)], -1)


WRITERS: dict[type[Op], Callable[..., Any]] = {
    ops.DistributionMean: distribution_mean,
    ops.BoxesFromDistances: boxes_from_distances,
    ops.RotatedBoxes: rotated_boxes,
    ops.Keypoints: keypoints,
    ops.Anchors: anchors,
    ops.AnchorBoxes: anchor_boxes,
    ops.DeltaBoxes: delta_boxes,
}
