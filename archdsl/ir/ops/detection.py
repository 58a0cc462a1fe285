"""Boxes from what a head computes at every pixel; none of these has weights, or needs to know the size of its map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archdsl.ir.emission import EmitContext
from archdsl.ir.graph import Op, ShapeError
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
        (x,) = inputs
        ops = context.keras.ops
        runs = ops.stack(ops.split(x, x.shape[-1] // self.bins, axis=-1), axis=-2)
        shares = context.keras.layers.Softmax(name=f"{name}_shares")(runs)
        numbers = ops.cumsum(ops.ones_like(shares), axis=-1) - 1
        return ops.sum(shares * numbers, axis=-1)


@dataclass(frozen=True)
class BoxesFromDistances(Op):
    """(x - left, y - top, x + right, y + bottom) stride, around the middle of every pixel (FCOS, Tian et al. 2019).

    (H, W, 4) -> (H, W, 4). The input is left, top, right and bottom in pixels of the map, the result left, top, right
    and bottom edge in pixels of the image, of which `stride` lie between two of the map.
    """

    stride: float | tuple[float, float] = 1

    def infer(self, x: FeatureMap) -> FeatureMap:
        if x.channels != 4:
            raise ShapeError(f"{x.channels} channels; expected 4 distances: left, top, right, bottom")
        return x

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        (distances,) = inputs
        ops = context.keras.ops
        left, top, right, bottom = ops.split(distances, 4, axis=-1)
        ones = ops.ones_like(left)
        y, x = [ops.cumsum(ones, axis=side) - 0.5 for side in (1, 2)]
        down, across = both(self.stride)
        edges = [(x - left) * across, (y - top) * down, (x + right) * across, (y + bottom) * down]
        return context.keras.layers.Concatenate(name=name)(edges)
