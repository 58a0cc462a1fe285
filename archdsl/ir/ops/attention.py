"""Attention: every place is a mean of the values of all, by how well its query fits their keys."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, prod
from typing import Any

from archdsl.ir.emission import EmitContext
from archdsl.ir.node import Op, ShapeError
from archdsl.ir.types import FeatureMap, Tokens, undivided


@dataclass(eq=False, repr=False)
class Attention(Op):
    """softmax(Q Kᵀ / √d) V in each of `heads` (Vaswani et al. 2017, equation 1). (N, C), (M, C), (M, D) -> (N, D).

    Queries, keys and values are tokens or maps; the channels of a head are next to each other, d = C / heads. In each
    of `areas` equal runs of tokens these see themselves only (YOLOv12, Tian et al. 2025, section 3.2).

    MACs = N M (C + D) / areas, the two matrix products: they are most of what attention costs, and grow with the square
    of the image. It has no weights: queries, keys and values are made by other layers.
    """

    takes = (FeatureMap, Tokens)

    heads: int = 1
    areas: int = 1

    def infer(self, *inputs: FeatureMap | Tokens) -> FeatureMap | Tokens:
        queries, keys, values = inputs
        if queries.channels != keys.channels:
            raise ShapeError(f"queries have {queries.channels} channels and keys {keys.channels}; expected equal ones")
        for x in (queries, values):
            if x.channels % self.heads:
                raise ShapeError(*undivided(x.channels, "channels", self.heads, "heads"))
        if keys.shape[:-1] != values.shape[:-1]:
            raise ShapeError(f"keys are {keys} and values {values}; expected equal numbers of them")
        self._check_areas(inputs)
        return queries.with_channels(values.channels)

    def _check_areas(self, inputs: tuple[FeatureMap | Tokens, ...]) -> None:
        for places in [x.shape[:-1] for x in inputs if self.areas > 1]:
            if None in places:
                hint = "set the image's size in `input.shape`"
                raise ShapeError("its size is not known; areas need a known one", hint=hint)
            if prod([side or 0 for side in places]) % self.areas:
                raise ShapeError(*undivided(prod(places), "places", self.areas, "areas"))  # type: ignore[arg-type]

    def macs(self, result: FeatureMap | Tokens, *inputs: FeatureMap | Tokens) -> int | None:
        queries, keys, values = inputs
        if None in (*queries.shape, *keys.shape):
            return None
        places = keys.elements // keys.channels
        return queries.elements // queries.channels * places * (queries.channels + values.channels) // self.areas

    @property
    def reach(self) -> float:
        return inf

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        queries, keys, values = inputs
        size_of_head = queries.shape[-1] // self.heads
        if queries.shape[1:-1].count(None) > 1:
            return self._of_any_size(context, name, inputs, size_of_head)
        ops, layers, sides = context.keras.ops, context.keras.layers, queries.shape[1:-1]
        areas, batch = ((self.areas,), "ba") if self.areas > 1 else ((), "b")
        queries, keys, values = [
            layers.Reshape((*areas, -1, self.heads, x.shape[-1] // self.heads), name=f"{name}_{part}")(x)
            for part, x in zip(("queries", "keys", "values"), inputs, strict=True)
        ]
        fit = ops.einsum(f"{batch}qhc,{batch}khc->{batch}hqk", queries * size_of_head**-0.5, keys)
        weights = layers.Softmax(name=f"{name}_weights")(fit)
        means = ops.einsum(f"{batch}hqk,{batch}khc->{batch}qhc", weights, values)
        known = [-1 if side is None else side for side in sides]
        return layers.Reshape((*known, inputs[2].shape[-1]), name=name)(means)

    def _of_any_size(self, context: EmitContext, name: str, inputs: Any, size_of_head: int) -> Any:
        """The same for maps of which no side is known: Keras cannot bring them into shape again."""
        ops, layers = context.keras.ops, context.keras.layers
        queries, keys, values = [ops.stack(ops.split(x, self.heads, axis=-1), axis=3) for x in inputs]
        fit = ops.einsum("bxyhc,buvhc->bhxyuv", queries * size_of_head**-0.5, keys)
        weights = layers.Softmax(axis=(-2, -1), name=f"{name}_weights")(fit)
        means = ops.einsum("bhxyuv,buvhc->bxyhc", weights, values)
        heads = [means[:, :, :, head] for head in range(self.heads)]
        return layers.Concatenate(name=name)(heads)
