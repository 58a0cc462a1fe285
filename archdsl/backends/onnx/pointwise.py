"""Operations on each place alone in ONNX: activations, normalisation, factors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy

from archdsl.backends.onnx.emission import TO_BODY, TO_HEAD, Emission, by_channel, channel_axis
from archdsl.ir import ops
from archdsl.ir.node import Node, Op
from archdsl.ir.types import FeatureMap, Tokens

if TYPE_CHECKING:
    from archdsl.backends.onnx.emission import Array

_KERAS_EPSILON = 1e-7  # keras.config.epsilon(), below which its layers divide by nothing

_FUNCTIONS: dict[str, Callable[[Emission, str], str]] = {
    "silu": lambda to, x: to("Mul", x, to("Sigmoid", x)),
    "relu6": lambda to, x: _clipped(to, x, 6),
    "mish": lambda to, x: to("Mul", x, to("Tanh", to("Softplus", x))),
    "gelu": lambda to, x: _gelu(to, x, to("Erf", to("Mul", x, to.floats(0.5**0.5)))),
    "gelu_tanh": lambda to, x: _gelu(to, x, to("Tanh", _cubic(to, x))),
    "hard_sigmoid": lambda to, x: to("HardSigmoid", x, alpha=1 / 6, beta=0.5),
    "linear": lambda to, x: x,
    **{
        name: lambda to, x, kind=kind: to(kind, x)  # type: ignore[misc]
        for name, kind in {
            "relu": "Relu",
            "hard_swish": "HardSwish",
            "elu": "Elu",
            "selu": "Selu",
            "softplus": "Softplus",
            "sigmoid": "Sigmoid",
            "tanh": "Tanh",
        }.items()
    },
}


def _clipped(to: Emission, x: str, limit: float) -> str:
    return to("Clip", x, to.floats(0), to.floats(limit))


def _gelu(to: Emission, x: str, curve: str) -> str:
    """x (1 + curve) / 2."""
    return to("Mul", to("Mul", x, to("Add", curve, to.floats(1))), to.floats(0.5))


def _cubic(to: Emission, x: str) -> str:
    """√(2/π) (x + 0.044715 x³)."""
    cube = to("Mul", to("Mul", x, x), x)
    return to("Mul", to("Add", x, to("Mul", cube, to.floats(0.044715))), to.floats((2 / numpy.pi) ** 0.5))


def activation(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    op: Any = node.op
    if op.function == "softmax":
        return to("Softmax", x, axis=channel_axis(node.type))
    if op.function == "leaky_relu":
        return to("LeakyRelu", x, alpha=op.slope)
    return _FUNCTIONS[op.function](to, x) if op.limit is None else _clipped(to, x, op.limit)


def prelu(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    return to("PRelu", x, to.weight("alpha", by_channel(arrays[0].reshape(-1), node.type)))


def unchanged(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    return x


def rescale(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    op: Any = node.op
    scaled = to("Mul", x, to.floats(op.scale))
    return to("Add", scaled, to.floats(op.offset)) if op.offset else scaled


def layer_scale(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    return to("Mul", x, to.weight("kernel", by_channel(arrays[0], node.type)))


def batch_norm(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    op: Any = node.op
    gamma, beta = _affine(op, arrays[:-2], node.type.channels)
    mean, variance = arrays[-2:]
    if isinstance(node.type, Tokens):  # for ONNX the second axis is that of the channels
        factor = gamma / numpy.sqrt(variance + op.epsilon)
        return to("Add", to("Mul", x, to.weight("factor", factor)), to.weight("addend", beta - mean * factor))
    values = {"gamma": gamma, "beta": beta, "moving_mean": mean, "moving_variance": variance}
    return to("BatchNormalization", x, *[to.weight(*each) for each in values.items()], epsilon=op.epsilon)


def _affine(op: Any, arrays: tuple[Array, ...], channels: int) -> tuple[Array, Array]:
    """gamma and beta, one and zero where the operation has none."""
    gamma = arrays[0] if op.scale else numpy.ones(channels, "float32")
    return gamma, arrays[-1] if op.center else numpy.zeros(channels, "float32")


def layer_norm(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    op: Any = node.op
    gamma, beta = _affine(op, arrays, node.type.channels)
    is_map = isinstance(node.type, FeatureMap)
    places = to.transpose(x, *TO_HEAD) if is_map else x
    weights = to.weight("gamma", gamma), to.weight("beta", beta)
    normalized = to("LayerNormalization", places, *weights, axis=-1, epsilon=op.epsilon)
    return to.transpose(normalized, *TO_BODY) if is_map else normalized


def group_norm(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    """As instances of one channel for each group."""
    op: Any = node.op
    has_tokens = isinstance(node.type, Tokens)
    first = to.transpose(x, 0, 2, 1) if has_tokens else x
    unit = to.floats(numpy.ones(op.groups)), to.floats(numpy.zeros(op.groups))
    groups = to("InstanceNormalization", to.reshape(first, 0, op.groups, -1), *unit, epsilon=op.epsilon)
    whole = to("Reshape", groups, to("Shape", first))
    values = _affine(op, arrays, node.type.channels)
    gamma, beta = [by_channel(each, node.type) for each in values]
    back = to.transpose(whole, 0, 2, 1) if has_tokens else whole
    return to("Add", to("Mul", back, to.weight("gamma", gamma)), to.weight("beta", beta))


def l2_normalize(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    squares = to("ReduceSumSquare", x, axes=[channel_axis(node.type)], keepdims=1)
    return to("Div", x, to("Sqrt", to("Max", squares, to.floats(_KERAS_EPSILON**2))))


def normalize(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    op: Any = node.op
    mean, variance = arrays[:2] if arrays else (numpy.asarray(op.mean), numpy.asarray(op.variance))
    deviation = numpy.maximum(numpy.sqrt(variance), _KERAS_EPSILON)
    centred = to("Sub", x, to.weight("mean", by_channel(mean, node.type)))
    return to("Div", centred, to.weight("deviation", by_channel(deviation, node.type)))


WRITERS: dict[type[Op], Callable[..., Any]] = {
    ops.Rescale: rescale,
    **dict.fromkeys((ops.Identity, ops.StopGradient, ops.Dropout, ops.StochasticDepth), unchanged),
    ops.Activation: activation,
    ops.PRelu: prelu,
    ops.LayerScale: layer_scale,
    ops.BatchNorm: batch_norm,
    ops.LayerNorm: layer_norm,
    ops.GroupNorm: group_norm,
    ops.L2Normalize: l2_normalize,
    ops.Normalize: normalize,
}
