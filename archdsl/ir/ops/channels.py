"""What picks or sums up channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archdsl.ir.emission import EmitContext
from archdsl.ir.graph import Op, ShapeError
from archdsl.ir.types import FeatureMap


@dataclass(frozen=True)
class Slice(Op):
    """Channels from `start` up to `stop`. (H, W, C) -> (H, W, stop - start)."""

    start: int
    stop: int

    def infer(self, x: FeatureMap) -> FeatureMap:
        if not 0 <= self.start < self.stop <= x.channels:
            raise ShapeError(f"there is no range {self.start}:{self.stop} among {x.channels} channels")
        return x._replace(channels=self.stop - self.start)

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return inputs[0][..., self.start : self.stop]


@dataclass(frozen=True)
class Split(Op):
    """Cut the channels into equal parts, to be taken by Part. (H, W, C) -> parts × (H, W, C / parts).

    One operation with one gradient: training is faster than with a Slice for each part.
    """

    parts: int = 2

    def infer(self, x: FeatureMap) -> FeatureMap:
        if x.channels % self.parts:
            raise ShapeError(f"{x.channels} channels do not divide into {self.parts} parts")
        return x._replace(channels=x.channels // self.parts)

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.ops.split(inputs[0], self.parts, axis=-1)


@dataclass(frozen=True)
class Part(Op):
    """One of the parts of a Split, counted from 0. parts × (H, W, C) -> (H, W, C)."""

    index: int

    def infer(self, x: FeatureMap) -> FeatureMap:
        return x

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return inputs[0][self.index]


@dataclass(frozen=True)
class ChannelMean(Op):
    """Mean over the channels at each pixel. (H, W, C) -> (H, W, 1)."""

    def infer(self, x: FeatureMap) -> FeatureMap:
        return x._replace(channels=1)

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.ops.mean(*inputs, axis=-1, keepdims=True)


@dataclass(frozen=True)
class ChannelMax(Op):
    """Largest value over the channels at each pixel. (H, W, C) -> (H, W, 1)."""

    def infer(self, x: FeatureMap) -> FeatureMap:
        return x._replace(channels=1)

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.ops.max(*inputs, axis=-1, keepdims=True)
