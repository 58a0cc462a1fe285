"""Operations that pick, order or summarise channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archdsl.ir.emission import EmitContext
from archdsl.ir.node import Op, ShapeError
from archdsl.ir.types import ANY, FeatureMap, TensorType, undivided


@dataclass(eq=False, repr=False)
class Slice(Op):
    """Channels from `start` up to `stop`, of each of `groups`. (…, C) -> (…, groups (stop - start))."""

    takes = ANY
    is_view = True
    keeps = "nothing"

    start: int
    stop: int
    groups: int = 1

    def infer(self, x: TensorType) -> TensorType:
        size = group_size(x, self.groups)
        if not 0 <= self.start < self.stop <= size:
            raise ShapeError(f"there is no range {self.start}:{self.stop} among {size} channels")
        return x.with_channels(self.groups * (self.stop - self.start))

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        (x,) = inputs
        if self.groups == 1:
            return x[..., self.start : self.stop]
        size = x.shape[-1] // self.groups
        taken = [size * group + channel for group in range(self.groups) for channel in range(self.start, self.stop)]
        return context.keras.ops.take(x, taken, axis=-1)


@dataclass(eq=False, repr=False)
class ChannelShuffle(Op):
    """The first channel of each group, then the second of each, … (ShuffleNet, Zhang et al. 2018, figure 1).

    (…, C) -> (…, C).
    """

    takes = ANY
    keeps = "nothing"

    groups: int = 2

    def infer(self, x: TensorType) -> TensorType:
        group_size(x, self.groups)
        return x

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        channels = inputs[0].shape[-1]
        order = [
            channel
            for first in range(channels // self.groups)
            for channel in range(first, channels, channels // self.groups)
        ]
        return context.keras.ops.take(*inputs, order, axis=-1)


class ReverseChannels(Op):
    """The last channel first: RGB for BGR. (…, C) -> (…, C)."""

    takes = ANY
    keeps = "nothing"

    def infer(self, x: TensorType) -> TensorType:
        return x

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.ops.flip(*inputs, axis=-1)


@dataclass(eq=False, repr=False)
class Split(Op):
    """Cut the channels into equal parts, to be taken by Part. (…, C) -> parts × (…, C / parts).

    One operation with one gradient: training is faster than with a Slice for each part.
    """

    takes = ANY
    is_view = True
    keeps = "nothing"

    parts: int = 2

    def infer(self, x: TensorType) -> TensorType:
        return x.with_channels(group_size(x, self.parts, "parts"))

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.ops.split(inputs[0], self.parts, axis=-1)


@dataclass(eq=False, repr=False)
class Part(Op):
    """One of the parts of a Split, counted from 0. parts × (…, C) -> (…, C)."""

    takes = ANY
    is_view = True
    keeps = "nothing"

    index: int

    def infer(self, x: TensorType) -> TensorType:
        return x

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return inputs[0][self.index]


class ChannelMean(Op):
    """Mean over the channels at each pixel. (H, W, C) -> (H, W, 1)."""

    keeps = "nothing"

    def infer(self, x: FeatureMap) -> FeatureMap:
        return x._replace(channels=1)

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.ops.mean(*inputs, axis=-1, keepdims=True)


class ChannelMax(Op):
    """Largest value over the channels at each pixel. (H, W, C) -> (H, W, 1)."""

    def infer(self, x: FeatureMap) -> FeatureMap:
        return x._replace(channels=1)

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.ops.max(*inputs, axis=-1, keepdims=True)


def group_size(x: TensorType, groups: int, noun: str = "groups") -> int:
    """Channels in each of `groups` equal groups."""
    if x.channels % groups:
        raise ShapeError(*undivided(x.channels, "channels", groups, noun))
    return x.channels // groups
