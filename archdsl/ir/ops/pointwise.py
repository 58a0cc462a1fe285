"""Operations on each place alone, which keep the shape: the image, rescaling, activation, dropout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from archdsl.ir.cost import Weight
from archdsl.ir.emission import EmitContext
from archdsl.ir.node import Keeps, Op
from archdsl.ir.types import ANY, FeatureMap, TensorType

FunctionName = Literal[
    "silu",
    "relu",
    "relu6",
    "leaky_relu",
    "mish",
    "hard_swish",
    "gelu",
    "gelu_tanh",
    "elu",
    "selu",
    "softplus",
    "sigmoid",
    "hard_sigmoid",
    "tanh",
    "softmax",
    "linear",
]
ActivationName = Literal[FunctionName, "prelu"]
"""A function, or an activation with weights of its own."""
ACTIVATIONS: tuple[str, ...] = get_args(FunctionName)
_DIPPING = ("silu", "mish", "hard_swish", "gelu", "gelu_tanh")  # the slope of all others follows from the result


@dataclass(eq=False, repr=False)
class Input(Op):
    """The image. () -> (H, W, C)."""

    keeps = "nothing"

    shape: FeatureMap

    def infer(self) -> FeatureMap:
        return self.shape

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.Input(self.shape.shape, name=name)


class Pointwise(Op):
    """An operation on each place alone. (…, C) -> (…, C)."""

    takes = ANY
    in_place = True

    def infer(self, x: TensorType) -> TensorType:
        return x


@dataclass(eq=False, repr=False)
class Rescale(Pointwise):
    """Multiply by `scale`, add `offset`. (…, C) -> (…, C)."""

    keeps = "nothing"

    scale: float = 1 / 255
    offset: float = 0.0

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.layers.Rescaling(self.scale, self.offset, name=name)(*inputs)


class Identity(Pointwise):
    """Returns its input. (…, C) -> (…, C)."""

    is_view = True
    keeps = "nothing"

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.layers.Identity(name=name)(*inputs)


class StopGradient(Pointwise):
    """Returns its input, which what follows does not train. (…, C) -> (…, C)."""

    is_view = True
    keeps = "nothing"

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.ops.stop_gradient(*inputs)


@dataclass(eq=False, repr=False)
class Activation(Pointwise):
    """A non-linearity by its Keras name; softmax is over the channels of each place. (…, C) -> (…, C).

    `slope` is that of leaky_relu. `limit`, for relu, is the largest value that it gives. gelu_tanh is gelu by its
    approximation with tanh (Hendrycks and Gimpel 2016, section 2).
    """

    function: FunctionName = "linear"
    slope: float = 0.1
    limit: float | None = None

    @property
    def keeps(self) -> Keeps:
        return "nothing" if self.function == "linear" else "inputs" if self.function in _DIPPING else "result"

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        layers = context.keras.layers
        if self.function == "leaky_relu":
            return layers.LeakyReLU(self.slope, name=name)(*inputs)
        if self.function == "gelu_tanh":
            return context.keras.ops.gelu(*inputs, approximate=True)
        if self.limit is not None:
            return layers.ReLU(self.limit, name=name)(*inputs)
        return layers.Activation(self.function, name=name)(*inputs)


class PRelu(Pointwise):
    """A relu with a slope below zero that each channel learns (He et al. 2015, equation 1). (…, C) -> (…, C)."""

    def weights(self, *inputs: TensorType) -> tuple[Weight, ...]:
        places = [1] * (len(inputs[0].shape) - 1)
        return (Weight("alpha", (*places, inputs[0].channels)),)

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        places = list(range(1, len(inputs[0].shape) - 1))
        initializer = context.keras.initializers.Constant(0.25)  # section 2.1
        return context.keras.layers.PReLU(initializer, shared_axes=places or None, name=name)(*inputs)


@dataclass(eq=False, repr=False)
class LayerScale(Pointwise):
    """A learned factor for each channel (LayerScale of CaiT, Touvron et al. 2021). (…, C) -> (…, C).

    It begins at `initial`.
    """

    initial: float = 1e-6

    def weights(self, *inputs: TensorType) -> tuple[Weight, ...]:
        return (Weight("kernel", (inputs[0].channels,)),)

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        (x,) = inputs
        places = "abcd"[: len(x.shape) - 1]
        return context.keras.layers.EinsumDense(
            f"{places}z,z->{places}z",
            output_shape=tuple(x.shape[1:]),
            kernel_initializer=context.keras.initializers.Constant(self.initial),
            name=name,
        )(x)


@dataclass(eq=False, repr=False)
class Dropout(Pointwise):
    """Sets a share of the values to zero, in training only (Srivastava et al. 2014). (…, C) -> (…, C)."""

    is_view = True
    keeps = "nothing"

    rate: float = 0.5

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.layers.Dropout(self.rate, name=name)(*inputs)


@dataclass(eq=False, repr=False)
class StochasticDepth(Pointwise):
    """Sets a share of the images to zero as a whole, in training only (Huang et al. 2016). (…, C) -> (…, C).

    The images that remain are divided by their share, so that the mean stays. For a branch that is added to another.
    """

    is_view = True
    keeps = "nothing"

    rate: float = 0.2

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        one_each = (None, *[1] * (len(inputs[0].shape) - 1))
        return context.keras.layers.Dropout(self.rate, noise_shape=one_each, name=name)(*inputs)
