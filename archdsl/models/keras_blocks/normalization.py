"""Normalisation, scaling and dropout of Keras as blocks."""

from __future__ import annotations

from typing import Any

import keras

from archdsl.models.keras_blocks.entries import Entry, Shapes, Unsayable, entry, only, over_channels

_NORM = {"center": True, "scale": True}


def batch_norm(layer: Any, shapes: Shapes) -> list[Entry]:
    kind = "sync_batch" if layer.synchronized else "batch"
    return [_norm(kind, layer, shapes, momentum=float(layer.momentum))]


def layer_norm(layer: Any, shapes: Shapes) -> list[Entry]:
    only(layer, rms_scaling=False)
    return [_norm("layer", layer, shapes)]


def group_norm(layer: Any, shapes: Shapes) -> list[Entry]:
    return [_norm("group", layer, shapes, groups=layer.groups)]


def _norm(kind: str, layer: Any, shapes: Shapes, **options: Any) -> Entry:
    over_channels(layer, shapes[0])
    affine = {"center": layer.center, "scale": layer.scale}
    return entry("norm", _NORM, kind=kind, **options, epsilon=float(layer.epsilon), **affine)


def unit_norm(layer: Any, shapes: Shapes) -> list[Entry]:
    over_channels(layer, shapes[0])
    return [{"block": "norm", "kind": "l2"}]


def normalization(layer: Any, shapes: Shapes) -> list[Entry]:
    only(layer, invert=False)
    over_channels(layer, shapes[0])
    if layer.input_mean is None:
        return [{"block": "normalize"}]
    mean, variance = [_numbers(each) for each in (layer.input_mean, layer.input_variance)]
    return [{"block": "normalize", "mean": mean, "std": [each**0.5 for each in variance]}]


def rescaling(layer: Any, shapes: Shapes) -> list[Entry]:
    scale, offset = _numbers(layer.scale), _numbers(layer.offset)
    if len(scale) == len(offset) == 1:
        return [entry("rescale", {"offset": 0.0}, scale=scale[0], offset=offset[0])]
    if min(scale) <= 0:
        raise Unsayable("multiplies channels by different numbers that are not all above 0")
    longest = max(len(scale), len(offset))
    both = zip(scale * (longest // len(scale)), offset * (longest // len(offset)), strict=True)
    mean, std = zip(*[(-beyond / factor, 1 / factor) for factor, beyond in both], strict=True)
    return [{"block": "normalize", "mean": list(mean), "std": list(std)}]


def _numbers(value: Any) -> list[float]:
    return [float(each) for each in keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(value)).ravel()]


def layer_scale(layer: Any, shapes: Shapes) -> list[Entry]:
    return [{"block": "layer_scale", "initial": float(layer.init_values)}]


def dropout(layer: Any, shapes: Shapes) -> list[Entry]:
    noise = getattr(layer, "noise_shape", None)
    if noise is None:
        return [{"block": "dropout", "rate": float(layer.rate)}]
    if any(side != 1 for side in tuple(noise)[1:]):
        raise Unsayable(f"has noise_shape={noise!r}; the language drops single values or whole images")
    return [{"block": "stochastic_depth", "rate": float(layer.rate)}]


def drop_path(layer: Any, shapes: Shapes) -> list[Entry]:
    return [{"block": "stochastic_depth", "rate": float(layer.drop_path_rate)}]
