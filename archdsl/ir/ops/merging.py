"""Where several values meet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from archdsl.ir.cost import Weight
from archdsl.ir.emission import EmitContext
from archdsl.ir.node import Op, ShapeError
from archdsl.ir.types import ANY, FeatureMap, TensorType, Tokens, Vector, misfit, stride_text


class OfEqualShapes(Op):
    """Values of equal shapes, number by number. n × (…, C) -> (…, C)."""

    takes = ANY

    def infer(self, *inputs: TensorType) -> TensorType:
        joined = join(inputs)
        if any(x.channels != inputs[0].channels for x in inputs):
            channels = [x.channels for x in inputs]
            narrow, wide = channels.index(min(channels)), channels.index(max(channels))
            hint = f"give {{{narrow}}} the width of {{{wide}}}, {max(channels)} channels"
            raise ShapeError("the channels differ; expected equal shapes", hint=hint)
        return joined


class Add(OfEqualShapes):
    """Sum of equal shapes. n × (…, C) -> (…, C)."""

    in_place = True
    keeps = "nothing"

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.layers.Add(name=name)(inputs)


Normalization = Literal["relu", "softmax", "none"]


@dataclass(eq=False, repr=False)
class WeightedSum(OfEqualShapes):
    """Sum of equal shapes, each times a learned factor, which begins at one. n × (…, C) -> (…, C).

    Of the weights w the factors are relu(w) / (Σ relu(w) + 1e-4) (EfficientDet, Tan et al. 2020, section 3.3, fast
    normalized fusion), those of softmax, or w itself. `per_channel` has one for each channel of each input.
    """

    in_place = True
    initial: ClassVar[float] = 1.0
    """Of every factor."""
    normalization: Normalization = "relu"
    per_channel: bool = False

    def weights(self, *inputs: TensorType) -> tuple[Weight, ...]:
        return (Weight("kernel", (1, len(inputs), inputs[0].channels if self.per_channel else 1)),)

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        ops, first = context.keras.ops, inputs[0]
        one = ops.ones_like(first[(slice(None), *[0] * (len(first.shape) - 2), slice(1))])
        shape = len(inputs), first.shape[-1] if self.per_channel else 1
        start = context.keras.initializers.Constant(self.initial)
        factors = context.keras.layers.EinsumDense(
            "ab,bcd->acd", output_shape=shape, kernel_initializer=start, name=name
        )(one)
        if self.normalization == "softmax":
            factors = ops.softmax(factors, axis=1)
        elif self.normalization == "relu":
            factors = ops.relu(factors)
            factors = factors / (ops.sum(factors, axis=1, keepdims=True) + 1e-4)
        places = [-1, *[1] * (len(first.shape) - 2), shape[1]]
        parts = [x * ops.reshape(factors[:, number], places) for number, x in enumerate(inputs)]
        return context.keras.layers.Add(name=f"{name}_sum")(parts)


class Subtract(OfEqualShapes):
    """The first minus the second. (…, C), (…, C) -> (…, C)."""

    in_place = True
    keeps = "nothing"

    def infer(self, *inputs: TensorType) -> TensorType:
        if len(inputs) != 2:
            raise ShapeError(f"got {len(inputs)} inputs; expected two of equal shapes")
        return super().infer(*inputs)

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.layers.Subtract(name=name)(inputs)


class Multiply(Op):
    """A value times a gate of its size, or of one number for each channel or place. (…, C), gate -> (…, C).

    For a map the gate is (H, W, C), (1, 1, C), (H, W, 1) or a vector (C).
    """

    takes = ANY
    in_place = True

    def infer(self, x: TensorType, gate: TensorType) -> TensorType:
        if gate.channels not in (1, x.channels):
            raise ShapeError(f"the gate has {gate.channels} channels; expected 1 or {x.channels}")
        is_of_channels = isinstance(gate, Vector) or gate.shape[:-1] == (1, 1)
        return x if is_of_channels else join((x, gate))

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.layers.Multiply(name=name)(inputs)


class Concat(Op):
    """Stack along the channels. (…, C₁), …, (…, Cₙ) -> (…, C₁ + … + Cₙ)."""

    takes = ANY
    keeps = "nothing"

    def infer(self, *inputs: TensorType) -> TensorType:
        return join(inputs).with_channels(sum([x.channels for x in inputs]))

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.layers.Concatenate(name=name)(inputs)


class ConcatRows(Op):
    """Stack along the height. (H₁, W, C), …, (Hₙ, W, C) -> (H₁ + … + Hₙ, W, C)."""

    keeps = "nothing"

    def infer(self, *inputs: FeatureMap) -> FeatureMap:
        first = inputs[0]
        if any((x.image_width, x.channels) != (first.image_width, first.channels) for x in inputs):
            raise ShapeError("widths or channels differ; expected maps that differ in height only")
        heights = [x.height for x in inputs]
        return first._replace(height=None if None in heights else sum([height or 0 for height in heights]))

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.layers.Concatenate(axis=1, name=name)(inputs)


def join(inputs: Sequence[TensorType]) -> TensorType:
    """The common type of `inputs`, whatever their channels; an unknown side takes the known one."""
    first = inputs[0]
    for other in inputs[1:]:
        if type(other) is not type(first):
            raise ShapeError(*misfit(other, (type(first),)))
        first = _JOINS[type(first)](first, other)
    return first


def _join_maps(first: FeatureMap, other: FeatureMap) -> FeatureMap:
    if first == other:
        return first
    if (1, 1) in (first[:2], other[:2]) and first[:2] != other[:2]:
        hint = "put resize_like between them: {{block: resize_like, from: [the one pixel, the other]}}"
        raise ShapeError("one of them has one pixel; expected equal sizes", hint=hint)
    if other.strides != first.strides:
        raise ShapeError(
            f"their strides are {stride_text(first)} and {stride_text(other)}; expected maps of one stride",
            hint="bring one to the other's size, with block upsample, resize_like or a strided convolution",
        )
    height = other.height if first.height is None else first.height
    image_width = other.image_width if first.image_width is None else first.image_width
    if other.height not in (None, height) or other.image_width not in (None, image_width):
        raise ShapeError(
            "heights or widths differ; expected equal sizes",
            hint="where maps meet after upsample, the image's sides must be divisible by the largest stride; "
            "resize_like takes its place for any size",
        )
    return first._replace(height=height, image_width=image_width)


def _join_tokens(first: Tokens, other: Tokens) -> Tokens:
    length = other.length if first.length is None else first.length
    if other.length not in (None, length):
        raise ShapeError(f"there are {length} and {other.length} tokens; expected equal numbers")
    if length is None and first.strides == other.strides and first.extra != other.extra:
        raise ShapeError(f"there are {first.extra} and {other.extra} class tokens; expected equal numbers")
    known = first if first.grid or not other.grid else other
    return known._replace(length=length, channels=first.channels)


_JOINS: dict[type, Any] = {FeatureMap: _join_maps, Tokens: _join_tokens, Vector: lambda first, other: first}
