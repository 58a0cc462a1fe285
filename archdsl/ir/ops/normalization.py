"""Normalisation: of the input, over the batch, over groups of channels, over the channels of one place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import inf
from typing import Any

from archdsl.ir.cost import Weight
from archdsl.ir.emission import EmitContext
from archdsl.ir.node import ShapeError
from archdsl.ir.ops.pointwise import Pointwise
from archdsl.ir.types import TensorType, undivided


@lru_cache(maxsize=1024)  # every network has them after nearly every convolution
def _affine(channels: int, center: bool, scale: bool) -> tuple[Weight, ...]:
    return tuple([Weight(name, (channels,)) for name, has in (("gamma", scale), ("beta", center)) if has])


@lru_cache(maxsize=1024)
def _with_statistics(channels: int, center: bool, scale: bool) -> tuple[Weight, ...]:
    statistics = [Weight(name, (channels,), trainable=False) for name in ("moving_mean", "moving_variance")]
    return (*_affine(channels, center, scale), *statistics)


@dataclass(eq=False, repr=False)
class BatchNorm(Pointwise):
    """Batch normalisation (Ioffe and Szegedy 2015). (…, C) -> (…, C).

    `synchronized` takes the statistics over all replicas of a distributed training step. Without `scale` there is no
    gamma, without `center` no beta.
    """

    momentum: float = 0.99
    epsilon: float = 1e-3
    synchronized: bool = False
    center: bool = True
    scale: bool = True

    def weights(self, *inputs: TensorType) -> tuple[Weight, ...]:
        return _with_statistics(inputs[0].channels, self.center, self.scale)

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.layers.BatchNormalization(
            momentum=self.momentum,
            epsilon=self.epsilon,
            synchronized=self.synchronized,
            center=self.center,
            scale=self.scale,
            name=name,
        )(*inputs)


@dataclass(eq=False, repr=False)
class GroupNorm(Pointwise):
    """Normalisation over groups of channels (Wu and He 2018). (…, C) -> (…, C)."""

    groups: int = 32
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True

    def infer(self, x: TensorType) -> TensorType:
        if x.channels % self.groups:
            raise ShapeError(*undivided(x.channels, "channels", self.groups, "groups"))
        return x

    def weights(self, *inputs: TensorType) -> tuple[Weight, ...]:
        return _affine(inputs[0].channels, self.center, self.scale)

    @property
    def reach(self) -> float:
        return inf  # its statistics are those of the whole map

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.layers.GroupNormalization(
            self.groups, epsilon=self.epsilon, center=self.center, scale=self.scale, name=name
        )(*inputs)


@dataclass(eq=False, repr=False)
class LayerNorm(Pointwise):
    """Normalisation over the channels of each place (Ba et al. 2016; ConvNeXt, ViT). (…, C) -> (…, C)."""

    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True

    def weights(self, *inputs: TensorType) -> tuple[Weight, ...]:
        return _affine(inputs[0].channels, self.center, self.scale)

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.layers.LayerNormalization(
            epsilon=self.epsilon, center=self.center, scale=self.scale, name=name
        )(*inputs)


class L2Normalize(Pointwise):
    """The channels of each place, as a vector of length 1. (…, C) -> (…, C)."""

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.layers.UnitNormalization(axis=-1, name=name)(*inputs)


@dataclass(eq=False, repr=False)
class Normalize(Pointwise):
    """(x - mean) / √variance, for each channel of the input. (…, C) -> (…, C).

    Without numbers of its own it owns them: mean, variance and the number of images that they are of, which are not
    trained but adapted or loaded, as in EfficientNet.
    """

    keeps = "nothing"

    mean: tuple[float, ...] = ()
    variance: tuple[float, ...] = ()

    def infer(self, x: TensorType) -> TensorType:
        for values in (self.mean, self.variance):
            if len(values) not in (0, 1, x.channels):
                raise ShapeError(f"{len(values)} numbers for {x.channels} channels; expected one each, or one for all")
        return x

    def weights(self, *inputs: TensorType) -> tuple[Weight, ...]:
        shape = (inputs[0].channels,)
        shapes = {} if self.mean else {"mean": shape, "variance": shape, "count": ()}
        return tuple([Weight(name, shape, trainable=False) for name, shape in shapes.items()])

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        channels = inputs[0].shape[-1]
        values = [list(each) * (channels // len(each)) if each else None for each in (self.mean, self.variance)]
        return context.keras.layers.Normalization(-1, *values, name=name)(*inputs)
