"""Pooling: over a sliding window, and over the whole map."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

from archdsl.ir.emission import DATA_FORMAT, EmitContext
from archdsl.ir.node import Op
from archdsl.ir.ops.windows import Padding, Windowed, slide
from archdsl.ir.types import FeatureMap, Sides, Vector


@dataclass(eq=False, repr=False)
class Pool(Windowed):
    """A window that slides over each channel alone. (H, W, C) -> (H', W', C)."""

    sided = ("size", "stride")

    size: Sides = 2
    stride: Sides = 2
    padding: Padding = "same"

    def infer(self, x: FeatureMap) -> FeatureMap:
        return slide(x, x.channels, self.size, self.stride, 1, self.padding)

    @property
    def reach(self) -> Sides:
        return self.size


class MaxPool(Pool):
    """Largest value of each window. (H, W, C) -> (H', W', C)."""

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.layers.MaxPooling2D(
            self.size, self.stride, self.padding, data_format=DATA_FORMAT, name=name
        )(*inputs)


class AvgPool(Pool):
    """Mean of each window; what lies outside the image does not count. (H, W, C) -> (H', W', C)."""

    keeps = "nothing"

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.layers.AveragePooling2D(
            self.size, self.stride, self.padding, data_format=DATA_FORMAT, name=name
        )(*inputs)


@dataclass(eq=False, repr=False)
class GlobalPool(Op):
    """One value for each channel: a vector, or a map of one pixel with the stride of the one it sums up.

    (H, W, C) -> (C), or (1, 1, C) where it keeps the sides.
    """

    keeps_sides: bool = True

    def infer(self, x: FeatureMap) -> FeatureMap | Vector:
        return x._replace(height=1, image_width=1) if self.keeps_sides else Vector(x.channels)

    @property
    def reach(self) -> float:
        return inf


class GlobalAvgPool(GlobalPool):
    """Mean of each channel over the whole map. (H, W, C) -> (1, 1, C), or (C)."""

    keeps = "nothing"

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        layer = context.keras.layers.GlobalAveragePooling2D(DATA_FORMAT, keepdims=self.keeps_sides, name=name)
        return layer(*inputs)


class GlobalMaxPool(GlobalPool):
    """Largest value of each channel in the whole map. (H, W, C) -> (1, 1, C), or (C)."""

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        layer = context.keras.layers.GlobalMaxPooling2D(DATA_FORMAT, keepdims=self.keeps_sides, name=name)
        return layer(*inputs)


class SumRows(Op):
    """Sum along the height. (H, W, C) -> (1, W, C)."""

    keeps = "nothing"

    def infer(self, x: FeatureMap) -> FeatureMap:
        return x._replace(height=1)

    @property
    def reach(self) -> float:
        return inf

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.ops.sum(*inputs, axis=1, keepdims=True)
