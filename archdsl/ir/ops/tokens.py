"""Sequences of tokens: from a map and back, learned ones, and vectors of them."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar

from archdsl.ir.cost import Weight
from archdsl.ir.emission import EmitContext
from archdsl.ir.node import Op, ShapeError
from archdsl.ir.ops.channels import group_size
from archdsl.ir.types import ANY, FeatureMap, TensorType, Tokens, Vector, area


@dataclass(eq=False, repr=False)
class ToTokens(Op):
    """Every pixel is a token, or as many as it has `parts`, row by row. (H, W, C) -> (parts H W, C / parts)."""

    is_view = True
    keeps = "nothing"

    parts: int = 1

    def infer(self, x: FeatureMap) -> Tokens:
        if self.parts == 1:
            return Tokens(area(x[:2]), x.channels, x[:2], *x[3:])
        pixels = area(x[:2])
        size = group_size(x, self.parts, "parts")
        return Tokens(None if pixels is None else pixels * self.parts, size, None, *x[3:])

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        (x,) = inputs
        return context.keras.layers.Reshape((-1, x.shape[-1] // self.parts), name=name, dtype=x.dtype)(x)


@dataclass(eq=False, repr=False)
class ToMap(Op):
    """The tokens as the map whose pixels they are, without the extra ones before them. (N, C) -> (H, W, C)."""

    takes = (Tokens,)
    is_view = True
    keeps = "nothing"

    height: int
    image_width: int
    extra: int = 0

    def infer(self, x: Tokens) -> FeatureMap:
        rest = None if x.length is None else x.length - self.extra
        if rest not in (None, self.height * self.image_width):
            raise ShapeError(f"{rest} tokens are not a map of {self.height} × {self.image_width}")
        return FeatureMap(self.height, self.image_width, x.channels, *x[3:5])

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        (x,) = inputs
        pixels = x[:, self.extra :] if self.extra else x
        return context.keras.layers.Reshape((self.height, self.image_width, x.shape[-1]), name=name)(pixels)


class Transpose(Op):
    """Channels as tokens, and tokens as channels: what mixes channels then mixes places. (N, C) -> (C, N)."""

    takes = (Tokens,)
    keeps = "nothing"

    def infer(self, x: Tokens) -> Tokens:
        if x.length is None:
            raise ShapeError("its size is not known", hint="set the image's size in `input.shape`")
        return Tokens(x.channels, x.length)

    @property
    def reach(self) -> float:
        return inf

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.layers.Permute((2, 1), name=name)(*inputs)


class Ones(Op):
    """The number one, whatever the input: a factor for values that are learned. (…, C) -> (1)."""

    takes = ANY
    keeps = "nothing"

    def infer(self, x: TensorType) -> Vector:
        return Vector(1)

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        (x,) = inputs
        return context.keras.ops.ones_like(x[(slice(None), *[0] * (len(x.shape) - 2), slice(1))])


@dataclass(eq=False, repr=False)
class Learned(Op):
    """Learned tokens: the input, which is one, times its weights. (1) -> (length, channels)."""

    takes = (Vector,)
    deviation: ClassVar[float] = 0.02
    """Of the normal distribution that they begin with."""

    length: int
    channels: int

    def infer(self, one: Vector) -> Tokens:
        return Tokens(self.length, self.channels)

    def weights(self, *inputs: Vector) -> tuple[Weight, ...]:
        return (Weight("kernel", (1, self.length, self.channels)),)

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        layer = context.keras.layers.EinsumDense(
            "ab,bcd->acd",
            output_shape=(self.length, self.channels),
            kernel_initializer=context.keras.initializers.TruncatedNormal(stddev=self.deviation),
            name=name,
        )
        return context.called(layer, *inputs)


class ConcatTokens(Op):
    """One sequence after the other. (N₁, C), …, (Nₙ, C) -> (N₁ + … + Nₙ, C)."""

    takes = (Tokens,)
    keeps = "nothing"

    def infer(self, *inputs: Tokens) -> Tokens:
        last, before = inputs[-1], [x.length for x in inputs[:-1]]
        if any(x.channels != last.channels for x in inputs):
            raise ShapeError("the channels differ; expected equal ones")
        if None in before:
            return Tokens(None, last.channels)
        extra = sum([length or 0 for length in before])
        length = None if last.length is None else last.length + extra
        return last._replace(length=length, extra=last.extra + extra)

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.layers.Concatenate(axis=1, name=name, dtype=inputs[-1].dtype)(inputs)


class OneOfAll(Op):
    """A vector from a sequence. (N, C) -> (C)."""

    takes = (Tokens,)

    def infer(self, x: Tokens) -> Vector:
        return Vector(x.channels)


class FirstToken(OneOfAll):
    """The first token of a sequence, such as the class token. (N, C) -> (C)."""

    is_view = True
    keeps = "nothing"

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return inputs[0][:, 0]


class TokenMean(OneOfAll):
    """Mean of the tokens. (N, C) -> (C)."""

    keeps = "nothing"

    @property
    def reach(self) -> float:
        return inf

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.layers.GlobalAveragePooling1D("channels_last", name=name)(*inputs)
