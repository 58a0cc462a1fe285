"""Activations of Keras as blocks: layers, and the argument `activation` of others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from archdsl.ir.ops import ACTIVATIONS
from archdsl.models.keras_blocks.entries import Entry, Shapes, Unsayable, only, over_channels

_FUNCTIONS: Mapping[str, Entry] = {
    **{name: {"function": name} for name in ACTIVATIONS},
    "hard_silu": {"function": "hard_swish"},
    "leaky_relu": {"function": "leaky_relu", "slope": 0.2},  # Keras's slope for the name alone
}


def activated(layer: Any, *entries: Entry) -> list[Entry]:
    """The blocks of a layer and its activation, which is one more."""
    function = layer.activation
    name = getattr(function, "__name__", "")
    if name not in _FUNCTIONS or keras.activations.get(name) is not function:
        raise Unsayable(f"has the activation {name or function!r}, for which there is no word")
    return [*entries] if name == "linear" else [*entries, {"block": "activation", **_FUNCTIONS[name]}]


def relu(layer: Any, shapes: Shapes) -> list[Entry]:
    only(layer, threshold=0.0)
    limit, slope = layer.max_value, float(layer.negative_slope)
    if limit is not None:
        only(layer, negative_slope=0.0)
        limited = {"function": "relu6"} if limit == 6 else {"function": "relu", "limit": float(limit)}
        return [{"block": "activation", **limited}]
    return [leaky(slope) if slope else {"block": "activation", "function": "relu"}]


def leaky(slope: float) -> Entry:
    return {"block": "activation", "function": "leaky_relu", "slope": slope}


def elu(layer: Any, shapes: Shapes) -> list[Entry]:
    only(layer, alpha=1.0)
    return [{"block": "activation", "function": "elu"}]


def softmax(layer: Any, shapes: Shapes) -> list[Entry]:
    over_channels(layer, shapes[0])
    return [{"block": "softmax"}]


def prelu(layer: Any, shapes: Shapes) -> list[Entry]:
    if any(side != 1 for side in tuple(layer.alpha.shape)[:-1]):
        raise Unsayable("learns a slope for each place; the language has one for each channel")
    return [{"block": "activation", "function": "prelu"}]
