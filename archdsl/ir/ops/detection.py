"""Boxes from what a head computes at every pixel; none of these has weights, or needs to know the size of its map."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi
from typing import Any

from archdsl.ir.emission import EmitContext, parts, precise
from archdsl.ir.node import Op, ShapeError
from archdsl.ir.types import FeatureMap, both, undivided


@dataclass(frozen=True)
class DistributionMean(Op):
    """Σ k softmax(x)ₖ over each run of `bins` channels, k from 0 (Generalized Focal Loss, Li et al. 2020, equation 4).

    (H, W, n bins) -> (H, W, n).
    """

    bins: int

    def infer(self, x: FeatureMap) -> FeatureMap:
        if x.channels % self.bins:
            raise ShapeError(*undivided(x.channels, "channels", x.channels // self.bins or 1, "distributions"))
        return x.with_channels(x.channels // self.bins)

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        x = precise(context, *inputs)
        ops = context.keras.ops
        runs = ops.stack(parts(x, x.shape[-1] // self.bins), axis=-2)
        shares = context.keras.layers.Softmax(name=f"{name}_shares", dtype=x.dtype)(runs)
        numbers = ops.cumsum(ops.ones_like(shares), axis=-1) - 1
        return ops.sum(shares * numbers, axis=-1)


def middles(ops: Any, like: Any) -> tuple[Any, Any]:
    """Column and row of the middle of every pixel, from 0.5 on, as (B, H, W, 1), which is the shape of `like`."""
    ones = ops.ones_like(like)
    return ops.cumsum(ones, axis=2) - 0.5, ops.cumsum(ones, axis=1) - 0.5


@dataclass(frozen=True)
class BoxesFromDistances(Op):
    """(x - left, y - top, x + right, y + bottom) stride, around the middle of every pixel (FCOS, Tian et al. 2019).

    (H, W, 4) -> (H, W, 4). The input is left, top, right and bottom in pixels of the map, the result left, top, right
    and bottom edge in pixels of the image, of which `stride` lie between two of the map.
    """

    in_place = True
    keeps = "nothing"

    stride: float | tuple[float, float] = 1

    def infer(self, x: FeatureMap) -> FeatureMap:
        return _of_four(x)

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        ops = context.keras.ops
        left, top, right, bottom = parts(precise(context, *inputs), 4)
        x, y = middles(ops, left)
        down, across = both(self.stride)
        edges = [(x - left) * across, (y - top) * down, (x + right) * across, (y + bottom) * down]
        return context.keras.layers.Concatenate(name=name, dtype=x.dtype)(edges)


@dataclass(frozen=True)
class RotatedBoxes(Op):
    """Boxes that are turned around their middle, which is ((right - left) / 2, (bottom - top) / 2) turned from a pixel.

    (H, W, 4), (H, W, 1) -> (H, W, 5): distances as in BoxesFromDistances, and an angle t of which radians are
    (sigmoid(t) - 1/4) π; the result is x, y, width, height in pixels of the image, and the angle.
    """

    stride: float = 1

    def infer(self, x: FeatureMap, angle: FeatureMap) -> FeatureMap:
        if angle != angle.with_channels(1) or angle.shape[:2] != _of_four(x).shape[:2]:
            raise ShapeError("expected one angle for every box")
        return x.with_channels(5)

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        ops = context.keras.ops
        left, top, right, bottom = parts(precise(context, inputs[0]), 4)
        angle = (ops.sigmoid(precise(context, inputs[1])) - 0.25) * pi
        cosine, sine = ops.cos(angle), ops.sin(angle)
        right_by, down_by = (right - left) / 2, (bottom - top) / 2
        x, y = middles(ops, left)
        numbers = [x + right_by * cosine - down_by * sine, y + right_by * sine + down_by * cosine]
        numbers += [left + right, top + bottom]
        return context.keras.layers.Concatenate(name=name, dtype=x.dtype)(
            [*[each * self.stride for each in numbers], angle]
        )


@dataclass(frozen=True)
class Keypoints(Op):
    """(2 dx + x, 2 dy + y) stride and sigmoid(v) of every three channels dx, dy, v, with x, y the corner of the pixel.

    (H, W, 3 n) -> (H, W, 3 n): places in pixels of the image, and how likely it is that they are seen (YOLOv8).
    """

    in_place = True

    stride: float | tuple[float, float] = 1

    def infer(self, x: FeatureMap) -> FeatureMap:
        if x.channels % 3:
            raise ShapeError(f"{x.channels} channels; expected 3 for each point: right, down, and whether it is seen")
        return x

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        ops = context.keras.ops
        offsets = precise(context, *inputs)
        points = offsets.shape[-1] // 3
        right, below, seen = [offsets[..., part::3] for part in range(3)]
        x, y = middles(ops, offsets[..., :1])
        down, across = both(self.stride)
        numbers = [(right * 2 + x - 0.5) * across, (below * 2 + y - 0.5) * down, ops.sigmoid(seen)]
        together = context.keras.layers.Concatenate(name=f"{name}_parts", dtype=x.dtype)(numbers)
        return ops.take(together, [part * points + point for point in range(points) for part in range(3)], axis=-1)


def _of_four(x: FeatureMap) -> FeatureMap:
    if x.channels != 4:
        raise ShapeError(f"{x.channels} channels; expected 4 distances: left, top, right, bottom")
    return x
