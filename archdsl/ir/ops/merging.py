"""Where several maps meet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from archdsl.ir.emission import EmitContext
from archdsl.ir.graph import Op, ShapeError
from archdsl.ir.types import FeatureMap


@dataclass(frozen=True)
class Add(Op):
    """Sum of equal shapes. n × (H, W, C) -> (H, W, C)."""

    def infer(self, *inputs: FeatureMap) -> FeatureMap:
        joined = join_sides(inputs)
        if any(x.channels != inputs[0].channels for x in inputs):
            channels = [x.channels for x in inputs]
            narrow, wide = channels.index(min(channels)), channels.index(max(channels))
            hint = f"give {{{narrow}}} the width of {{{wide}}}, {max(channels)} channels"
            raise ShapeError("the channels differ; expected equal shapes", hint=hint)
        return joined

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.layers.Add(name=name)(inputs)


@dataclass(frozen=True)
class Multiply(Op):
    """A map times a gate of its size, or of one value for each channel or pixel. (H, W, C), gate -> (H, W, C).

    The gate is (H, W, C), (1, 1, C) or (H, W, 1).
    """

    def infer(self, x: FeatureMap, gate: FeatureMap) -> FeatureMap:
        if gate.channels not in (1, x.channels):
            raise ShapeError(f"the gate has {gate.channels} channels; expected 1 or {x.channels}")
        return x if (gate.height, gate.image_width) == (1, 1) else join_sides((x, gate))

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.layers.Multiply(name=name)(inputs)


@dataclass(frozen=True)
class Concat(Op):
    """Stack along the channels. (H, W, C₁), …, (H, W, Cₙ) -> (H, W, C₁ + … + Cₙ)."""

    def infer(self, *inputs: FeatureMap) -> FeatureMap:
        joined = join_sides(inputs)
        return joined._replace(channels=sum([x.channels for x in inputs]))

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.layers.Concatenate(name=name)(inputs)


@dataclass(frozen=True)
class ConcatRows(Op):
    """Stack along the height. (H₁, W, C), …, (Hₙ, W, C) -> (H₁ + … + Hₙ, W, C)."""

    def infer(self, *inputs: FeatureMap) -> FeatureMap:
        first = inputs[0]
        if any((x.image_width, x.channels) != (first.image_width, first.channels) for x in inputs):
            raise ShapeError("widths or channels differ; expected maps that differ in height only")
        heights = [x.height for x in inputs]
        return first._replace(height=None if None in heights else sum([height or 0 for height in heights]))

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.layers.Concatenate(axis=1, name=name)(inputs)


def join_sides(inputs: Sequence[FeatureMap]) -> FeatureMap:
    """The common height, width and stride of `inputs`; an unknown side takes the known one."""
    height, image_width = inputs[0][:2]
    for other in inputs[1:]:
        height = other.height if height is None else height
        image_width = other.image_width if image_width is None else image_width
        if other.height not in (None, height) or other.image_width not in (None, image_width):
            raise ShapeError(
                "heights or widths differ; expected equal sizes",
                hint="where maps meet after up-sampling, the image's sides must be divisible by the largest stride",
            )
        if other.strides != inputs[0].strides:
            first, second = [_stride_text(each) for each in (inputs[0], other)]
            raise ShapeError(
                f"their strides are {first} and {second}; expected maps of one stride",
                hint="bring one to the other's size, with block upsample or a strided convolution",
            )
    return inputs[0]._replace(height=height, image_width=image_width)


def _stride_text(x: FeatureMap) -> str:
    return " × ".join([f"{each:g}" for each in dict.fromkeys(x.strides)])
