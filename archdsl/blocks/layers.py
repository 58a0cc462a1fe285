"""Single layers that keep the shape: normalisation, activation, scaling, dropout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from archdsl.blocks.conventions import Conventions, NormKind, activation_of, norm_of, with_options
from archdsl.blocks.registry import Groups, block
from archdsl.ir.node import Node, ShapeError
from archdsl.ir.ops import (
    ActivationName,
    Dropout,
    Identity,
    LayerScale,
    Normalize,
    Rescale,
    StochasticDepth,
    StopGradient,
)
from archdsl.schemas.annotations import Limits

Rate = Annotated[float, Limits(ge=0, lt=1)]
Epsilon = Annotated[float, Limits(gt=0, le=1)]
Number = Annotated[float, Limits(ge=-1e9, le=1e9)]
Positive = Annotated[float, Limits(gt=0, le=1e6)]
Numbers = Annotated[Sequence[Number], Limits(min_length=1, max_length=65_536)]
Positives = Annotated[Sequence[Positive], Limits(min_length=1, max_length=65_536)]


@block
def identity(x: Node) -> Node:
    """Passes its input on. (…, C) -> (…, C)."""
    return Identity()(x, name="identity")


@block
def stop_gradient(x: Node) -> Node:
    """Passes its input on, which the layers after it do not train. (…, C) -> (…, C)."""
    return StopGradient()(x, name="fixed")


@block
def norm(
    x: Node,
    *,
    kind: NormKind | Literal["l2"] | None = None,
    momentum: Rate | None = None,
    epsilon: Epsilon | None = None,
    groups: Groups | None = None,
    center: bool | None = None,
    scale: bool | None = None,
    style: Conventions,
) -> Node:
    """The normalisation of the conventions, or another. (…, C) -> (…, C).

    An argument that is not set is that of the conventions; for another kind, its default.
    """
    stated = {"momentum": momentum, "epsilon": epsilon, "groups": groups, "center": center, "scale": scale}
    options = {name: value for name, value in stated.items() if value is not None}
    op, unknown = with_options(style.norm if kind is None else norm_of(kind), options)
    if unknown:
        raise ShapeError(f"a norm of this kind has no {unknown[0]}")
    return x if op is None else op(x, name="bn")


@block
def activation(
    x: Node,
    *,
    function: ActivationName | None = None,
    slope: Rate | None = None,
    limit: Positive | None = None,
    style: Conventions,
) -> Node:
    """An activation, by default that of the conventions. (…, C) -> (…, C).

    `slope` is that of leaky_relu; `limit`, for relu, is the largest value that it gives. prelu learns its slopes, and
    softmax is over the channels.
    """
    if function is None:
        return style.activate(x)
    return activation_of(function, style.slope if slope is None else slope, limit)(x, name="act")


@block
def softmax(x: Node) -> Node:
    """Channels as probabilities, which sum to 1. (…, C) -> (…, C)."""
    return activation_of("softmax")(x, name="softmax")


@block
def rescale(x: Node, *, scale: Number = 1.0, offset: Number = 0.0) -> Node:
    """Every value × scale + offset, two numbers that are not learned. (…, C) -> (…, C)."""
    return Rescale(scale, offset)(x, name="rescale")


@block
def normalize(x: Node, *, mean: Numbers | None = None, std: Positives | None = None) -> Node:
    """(x - mean) / std, with one number for each channel, or one for all. (…, C) -> (…, C).

    With neither they are part of the weights: to be adapted to data or loaded, and not trained (EfficientNet).
    """
    if mean is None and std is None:
        return Normalize()(x, name="normalize")
    mean, std = mean or [0.0], std or [1.0]
    return Normalize(tuple(mean), tuple([each**2 for each in std]))(x, name="normalize")


@block
def layer_scale(x: Node, *, initial: Annotated[float, Limits(ge=0, le=1)] = 1e-6) -> Node:
    """A learned factor for each channel, which begins at `initial` (CaiT, Touvron et al. 2021; ConvNeXt).

    (…, C) -> (…, C).
    """
    return LayerScale(initial)(x, name="scale")


@block
def dropout(x: Node, *, rate: Rate = 0.5) -> Node:
    """Sets a share of the values to zero, in training only (Srivastava et al. 2014). (…, C) -> (…, C)."""
    return Dropout(rate)(x, name="dropout")


@block
def stochastic_depth(x: Node, *, rate: Rate = 0.2) -> Node:
    """Sets a share of the images to zero as a whole, in training only (Huang et al. 2016). (…, C) -> (…, C).

    For a branch that is added to another. The images that remain are divided by their share.
    """
    return StochasticDepth(rate)(x, name="drop")
