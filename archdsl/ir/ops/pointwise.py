"""What keeps the shape: the image, rescaling, normalisation, activation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import inf
from typing import Any, Literal, get_args

from archdsl.ir.emission import EmitContext
from archdsl.ir.graph import Op, ShapeError, TensorType, Weight

ActivationName = Literal[
    "silu", "relu", "relu6", "leaky_relu", "mish", "hard_swish", "gelu", "sigmoid", "tanh", "linear"
]
ACTIVATIONS: tuple[str, ...] = get_args(ActivationName)


@dataclass(frozen=True)
class Input(Op):
    """The image. () -> (H, W, C)."""

    shape: TensorType

    def infer(self) -> TensorType:  # type: ignore[override]
        return self.shape

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.Input(self.shape.shape, name=name)


@dataclass(frozen=True)
class Pointwise(Op):
    """Another value at every place. (H, W, C) -> (H, W, C)."""

    def infer(self, x: TensorType) -> TensorType:  # type: ignore[override]
        return x


@dataclass(frozen=True)
class Rescale(Pointwise):
    """Multiply by `scale`, add `offset`. (H, W, C) -> (H, W, C)."""

    scale: float = 1 / 255
    offset: float = 0.0

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.layers.Rescaling(self.scale, self.offset, name=name)(*inputs)


@dataclass(frozen=True)
class Identity(Pointwise):
    """Nothing. (H, W, C) -> (H, W, C)."""

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.layers.Identity(name=name)(*inputs)


@dataclass(frozen=True)
class Activation(Pointwise):
    """A pointwise non-linearity by its Keras name; `slope` is that of leaky_relu. (H, W, C) -> (H, W, C)."""

    function: ActivationName = "linear"
    slope: float = 0.1

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        if self.function == "leaky_relu":
            return context.keras.layers.LeakyReLU(self.slope, name=name)(*inputs)
        return context.keras.layers.Activation(self.function, name=name)(*inputs)


@lru_cache(maxsize=1024)  # every network has it after nearly every convolution
def _statistics(channels: int) -> tuple[Weight, ...]:
    shape = (channels,)
    return (
        Weight("gamma", shape),
        Weight("beta", shape),
        Weight("moving_mean", shape, trainable=False),
        Weight("moving_variance", shape, trainable=False),
    )


@dataclass(frozen=True)
class BatchNorm(Pointwise):
    """Batch normalisation (Ioffe and Szegedy 2015). (H, W, C) -> (H, W, C).

    `synchronized` takes the statistics over all replicas of a distributed training step.
    """

    momentum: float = 0.99
    epsilon: float = 1e-3
    synchronized: bool = False

    def weights(self, *inputs: TensorType) -> tuple[Weight, ...]:
        return _statistics(inputs[0].channels)

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.layers.BatchNormalization(
            momentum=self.momentum, epsilon=self.epsilon, synchronized=self.synchronized, name=name
        )(*inputs)


@dataclass(frozen=True)
class GroupNorm(Op):
    """Normalisation over groups of channels (Wu and He 2018). (H, W, C) -> (H, W, C)."""

    groups: int = 32
    epsilon: float = 1e-3

    def infer(self, x: TensorType) -> TensorType:  # type: ignore[override]
        if x.channels % self.groups:
            raise ShapeError(f"{x.channels} channels do not divide into {self.groups} groups")
        return x

    def weights(self, *inputs: TensorType) -> tuple[Weight, ...]:
        shape = (inputs[0].channels,)
        return Weight("gamma", shape), Weight("beta", shape)

    @property
    def reach(self) -> float:
        return inf  # its statistics are those of the whole map

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.layers.GroupNormalization(self.groups, epsilon=self.epsilon, name=name)(*inputs)
