"""Vectors: operations that make one from a map, and the layers of a classifier."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

from archdsl.ir.cost import Weight
from archdsl.ir.emission import DATA_FORMAT, EmitContext
from archdsl.ir.node import Op, ShapeError
from archdsl.ir.types import ANY, FeatureMap, TensorType, Tokens, Vector


class Flatten(Op):
    """All values of a map as one vector, row by row. (H, W, C) -> (H W C)."""

    takes = (FeatureMap, Tokens)
    is_view = True
    keeps = "nothing"

    def infer(self, x: FeatureMap | Tokens) -> Vector:
        if None in x.shape:
            hint = "set the image's size in `input.shape`, or put global_avg_pool in its place"
            raise ShapeError("its size is not known; expected a known one", hint=hint)
        return Vector(x.elements)

    @property
    def reach(self) -> float:
        return inf

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.layers.Flatten(data_format=DATA_FORMAT, name=name)(*inputs)


@dataclass(eq=False, repr=False)
class Dense(Op):
    """A fully connected layer, the same at every place. (…, C) -> (…, units). MACs = places × C × units."""

    takes = ANY
    adds_to = True

    units: int
    bias: bool = True

    def infer(self, x: TensorType) -> TensorType:
        return x.with_channels(self.units)

    def weights(self, *inputs: TensorType) -> tuple[Weight, ...]:
        kernel = Weight("kernel", (inputs[0].channels, self.units))
        return (kernel, Weight("bias", (self.units,))) if self.bias else (kernel,)

    def macs(self, result: TensorType, *inputs: TensorType) -> int | None:
        return None if None in result.shape else result.elements * inputs[0].channels

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        layer = context.keras.layers.Dense(self.units, use_bias=self.bias, name=name)
        return context.called(layer, *inputs)
