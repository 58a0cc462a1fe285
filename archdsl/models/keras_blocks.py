"""A Keras layer → the blocks of the language that compute the same, or why there are none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import keras

from archdsl.ir.ops import ACTIVATIONS

Entry: TypeAlias = dict[str, Any]
"""A layer of a config without its name and inputs: a block and its arguments."""
Shapes: TypeAlias = list[tuple[int | None, ...]]


class Unsayable(Exception):
    """A layer for which the language has no words; its text is the reason."""


def blocks_of(layer: Any, node: Any) -> list[Entry]:
    """The blocks of a call of a layer, the first of which reads its inputs and each other the one before it.

    None for a layer that passes its input on. Raises Unsayable.
    """
    kind = type(layer)
    if not kind.__module__.startswith("keras."):
        raise Unsayable(f"is of the custom class {kind.__name__}")
    is_layer = isinstance(layer, keras.layers.Layer)
    said = (_LAYERS if is_layer else _OPERATIONS).get(kind.__name__)
    if said is None:
        noun = "layer" if is_layer else "operation"
        raise Unsayable(f"is a {noun} of the class {kind.__name__}, for which there is no block")
    shapes = [tuple(each.shape) for each in (*node.input_tensors, *node.output_tensors)]
    return said(layer, shapes) if is_layer or len(node.input_tensors) > 1 else [_with_number(kind.__name__, node)]


def _with_number(name: str, node: Any) -> Entry:
    """x + 3 and its like, as a rescaling."""
    numbers = [each for each in node.arguments.args if isinstance(each, (int, float))]
    if len(numbers) != 1 or len(node.arguments.args) != 2:
        raise Unsayable("computes with numbers that are not a layer's")
    is_second = node.arguments.args[1] is numbers[0]
    scale, offset = _SCALED[name](float(numbers[0]), is_second)
    return _entry("rescale", {"scale": 1.0, "offset": 0.0}, scale=scale, offset=offset)


_SCALED: Mapping[str, Callable[[float, bool], tuple[float, float]]] = {
    "Add": lambda number, is_second: (1.0, number),
    "Multiply": lambda number, is_second: (number, 0.0),
    "Subtract": lambda number, is_second: (1.0, -number) if is_second else (-1.0, number),
}


def has_weights(entry: Entry) -> bool:
    """Whether a block owns arrays, so that two calls of its layer must share them."""
    return entry["block"] in _WITH_WEIGHTS or entry.get("function") == "prelu"


_WITH_WEIGHTS = {
    "conv",
    "dense",
    "depthwise_conv",
    "layer_scale",
    "norm",
    "normalize",
    "separable_conv",
    "transposed_conv",
}


def _only(layer: Any, **values: Any) -> None:
    """Raises Unsayable unless the arguments have these values, the only ones that the language has."""
    for name, expected in values.items():
        found = getattr(layer, name, expected)
        if found != expected:
            raise Unsayable(f"has {name}={found!r}; the language has {expected!r} only")


def _sides(value: Any) -> int | list[int]:
    """3 for (3, 3), [3, 5] for (3, 5)."""
    sides = [int(side) for side in value] if isinstance(value, Sequence) else [int(value)]
    return sides[0] if len(set(sides)) == 1 else sides


def _entry(block: str, defaults: Mapping[str, Any], **arguments: Any) -> Entry:
    """A block with those of its arguments that are not its defaults."""
    return {"block": block, **{name: value for name, value in arguments.items() if value != defaults.get(name, ...)}}


def _over_channels(layer: Any, shape: Sequence[Any]) -> None:
    axes = list(layer.axis) if isinstance(layer.axis, Sequence) else [layer.axis]
    if axes not in ([-1], [len(shape) - 1]):
        raise Unsayable(f"has axis={layer.axis!r}; the language has the last only")


# Activations

_FUNCTIONS: Mapping[str, Entry] = {
    **{name: {"function": name} for name in ACTIVATIONS},
    "hard_silu": {"function": "hard_swish"},
    "leaky_relu": {"function": "leaky_relu", "slope": 0.2},  # Keras's slope for the name alone
}


def _activated(layer: Any, *entries: Entry) -> list[Entry]:
    """The blocks of a layer and its activation, which is one more."""
    function = layer.activation
    name = getattr(function, "__name__", "")
    if name not in _FUNCTIONS or keras.activations.get(name) is not function:
        raise Unsayable(f"has the activation {name or function!r}, for which there is no word")
    return [*entries] if name == "linear" else [*entries, {"block": "activation", **_FUNCTIONS[name]}]


def _relu(layer: Any, shapes: Shapes) -> list[Entry]:
    _only(layer, threshold=0.0)
    limit, slope = layer.max_value, float(layer.negative_slope)
    if limit is not None:
        _only(layer, negative_slope=0.0)
        return [{"block": "activation", "function": "relu", "limit": float(limit)}]
    return [_leaky(slope) if slope else {"block": "activation", "function": "relu"}]


def _leaky(slope: float) -> Entry:
    return {"block": "activation", "function": "leaky_relu", "slope": slope}


def _elu(layer: Any, shapes: Shapes) -> list[Entry]:
    _only(layer, alpha=1.0)
    return [{"block": "activation", "function": "elu"}]


def _softmax(layer: Any, shapes: Shapes) -> list[Entry]:
    _over_channels(layer, shapes[0])
    return [{"block": "softmax"}]


def _prelu(layer: Any, shapes: Shapes) -> list[Entry]:
    if any(side != 1 for side in tuple(layer.alpha.shape)[:-1]):
        raise Unsayable("learns a slope for each place; the language has one for each channel")
    return [{"block": "activation", "function": "prelu"}]


# Convolutions and dense layers

_CONV = {"stride": 1, "dilation": 1, "groups": 1, "bias": True, "padding": "same"}


def _window(layer: Any) -> dict[str, Any]:
    _only(layer, data_format="channels_last")
    return {
        "kernel": _sides(layer.kernel_size),
        "stride": _sides(layer.strides),
        "dilation": _sides(layer.dilation_rate),
        "bias": layer.use_bias,
        "padding": layer.padding,
    }


def _conv(layer: Any, shapes: Shapes) -> list[Entry]:
    return _activated(layer, _entry("conv", _CONV, width=layer.filters, **_window(layer), groups=layer.groups))


def _depthwise(layer: Any, shapes: Shapes) -> list[Entry]:
    _only(layer, depth_multiplier=1)
    return _activated(layer, _entry("depthwise_conv", _CONV, **_window(layer)))


def _separable(layer: Any, shapes: Shapes) -> list[Entry]:
    _only(layer, depth_multiplier=1)
    return _activated(layer, _entry("separable_conv", _CONV, width=layer.filters, **_window(layer)))


def _transposed(layer: Any, shapes: Shapes) -> list[Entry]:
    _only(layer, output_padding=None)
    window = _window(layer)
    if window.pop("dilation") != 1:
        raise Unsayable(f"has dilation_rate={layer.dilation_rate!r}; the language has 1 only")
    return _activated(
        layer, _entry("transposed_conv", _CONV, width=layer.filters, factor=window.pop("stride"), **window)
    )


def _dense(layer: Any, shapes: Shapes) -> list[Entry]:
    return _activated(layer, _entry("dense", {"bias": True}, units=layer.units, bias=layer.use_bias))


# Normalisation and scaling

_NORM = {"center": True, "scale": True}


def _batch_norm(layer: Any, shapes: Shapes) -> list[Entry]:
    kind = "sync_batch" if layer.synchronized else "batch"
    return [_norm(kind, layer, shapes, momentum=float(layer.momentum))]


def _layer_norm(layer: Any, shapes: Shapes) -> list[Entry]:
    _only(layer, rms_scaling=False)
    return [_norm("layer", layer, shapes)]


def _group_norm(layer: Any, shapes: Shapes) -> list[Entry]:
    return [_norm("group", layer, shapes, groups=layer.groups)]


def _norm(kind: str, layer: Any, shapes: Shapes, **options: Any) -> Entry:
    _over_channels(layer, shapes[0])
    affine = {"center": layer.center, "scale": layer.scale}
    return _entry("norm", _NORM, kind=kind, **options, epsilon=float(layer.epsilon), **affine)


def _unit_norm(layer: Any, shapes: Shapes) -> list[Entry]:
    _over_channels(layer, shapes[0])
    return [{"block": "norm", "kind": "l2"}]


def _normalization(layer: Any, shapes: Shapes) -> list[Entry]:
    _only(layer, invert=False)
    _over_channels(layer, shapes[0])
    if layer.input_mean is None:
        return [{"block": "normalize"}]
    mean, variance = [_numbers(each) for each in (layer.input_mean, layer.input_variance)]
    return [{"block": "normalize", "mean": mean, "std": [each**0.5 for each in variance]}]


def _rescaling(layer: Any, shapes: Shapes) -> list[Entry]:
    scale, offset = _numbers(layer.scale), _numbers(layer.offset)
    if len(scale) == len(offset) == 1:
        return [_entry("rescale", {"offset": 0.0}, scale=scale[0], offset=offset[0])]
    if min(scale) <= 0:
        raise Unsayable("multiplies channels by different numbers that are not all above 0")
    longest = max(len(scale), len(offset))
    both = zip(scale * (longest // len(scale)), offset * (longest // len(offset)), strict=True)
    mean, std = zip(*[(-beyond / factor, 1 / factor) for factor, beyond in both], strict=True)
    return [{"block": "normalize", "mean": list(mean), "std": list(std)}]


def _numbers(value: Any) -> list[float]:
    return [float(each) for each in keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(value)).ravel()]


def _layer_scale(layer: Any, shapes: Shapes) -> list[Entry]:
    return [{"block": "layer_scale", "initial": float(layer.init_values)}]


def _dropout(layer: Any, shapes: Shapes) -> list[Entry]:
    noise = getattr(layer, "noise_shape", None)
    if noise is None:
        return [{"block": "dropout", "rate": float(layer.rate)}]
    if any(side != 1 for side in tuple(noise)[1:]):
        raise Unsayable(f"has noise_shape={noise!r}; the language drops single values or whole images")
    return [{"block": "stochastic_depth", "rate": float(layer.rate)}]


def _drop_path(layer: Any, shapes: Shapes) -> list[Entry]:
    return [{"block": "stochastic_depth", "rate": float(layer.drop_path_rate)}]


# Layers that change the sides of a map


def _pool(block: str) -> Said:
    def said(layer: Any, shapes: Shapes) -> list[Entry]:
        _only(layer, data_format="channels_last")
        sides = {"kernel": _sides(layer.pool_size), "stride": _sides(layer.strides)}
        return [_entry(block, {"padding": "same"}, **sides, padding=layer.padding)]

    return said


def _global_pool(block: str) -> Said:
    def said(layer: Any, shapes: Shapes) -> list[Entry]:
        _only(layer, data_format="channels_last")
        return [_entry(block, {"keep_sides": False}, keep_sides=bool(layer.keepdims))]

    return said


def _border(block: str, argument: str) -> Said:
    def said(layer: Any, shapes: Shapes) -> list[Entry]:
        _only(layer, data_format="channels_last")
        return [{"block": block, "padding": [[int(pixels) for pixels in side] for side in getattr(layer, argument)]}]

    return said


def _upsample(layer: Any, shapes: Shapes) -> list[Entry]:
    _only(layer, data_format="channels_last")
    return [{"block": "upsample", "factor": _sides(layer.size), "interpolation": _interpolation(layer)}]


def _resize(layer: Any, shapes: Shapes) -> list[Entry]:
    _only(layer, data_format="channels_last", crop_to_aspect_ratio=False, pad_to_aspect_ratio=False, antialias=False)
    sides = {"height": layer.height, "image_width": layer.width}
    return [{"block": "resize", **sides, "interpolation": _interpolation(layer)}]


def _interpolation(layer: Any) -> str:
    if layer.interpolation not in ("nearest", "bilinear"):
        raise Unsayable(f"has interpolation={layer.interpolation!r}; the language has 'nearest' and 'bilinear'")
    return str(layer.interpolation)


def _reshape(layer: Any, shapes: Shapes) -> list[Entry]:
    """A vector from a map, tokens from a map, or the same again."""
    before, after = shapes[0], shapes[-1]
    if before == after:
        return []
    if len(after) == 2 and None not in after[1:]:
        return [{"block": "flatten"}]
    if len(before) == 4 and len(after) == 3 and before[-1] == after[-1]:
        return [{"block": "to_tokens"}]
    raise Unsayable(f"reshapes {before[1:]} to {after[1:]}")


# Where several layers meet


def _merge(block: str) -> Said:
    def said(layer: Any, shapes: Shapes) -> list[Entry]:
        if len(set(shapes[:-1])) > 1:
            raise Unsayable(f"joins the shapes {', '.join(str(shape[1:]) for shape in shapes[:-1])}")
        return [{"block": block}]

    return said


def _average(layer: Any, shapes: Shapes) -> list[Entry]:
    return [*_merge("add")(layer, shapes), {"block": "rescale", "scale": 1 / (len(shapes) - 1)}]


def _multiply(layer: Any, shapes: Shapes) -> list[Entry]:
    if any(shape != shapes[0] and shape[1:-1] != (1,) * (len(shape) - 2) for shape in shapes[:-1]):
        raise Unsayable(f"joins the shapes {', '.join(str(shape[1:]) for shape in shapes[:-1])}")
    return [{"block": "multiply"}]


def _concat(layer: Any, shapes: Shapes) -> list[Entry]:
    _over_channels(layer, shapes[0])
    return [{"block": "concat"}]


def _same(layer: Any, shapes: Shapes) -> list[Entry]:
    return []


def _plain(block: str) -> Said:
    return lambda layer, shapes: [{"block": block}]


Said: TypeAlias = Callable[[Any, Shapes], list[Entry]]
_LAYERS: Mapping[str, Said] = {
    "Activation": lambda layer, shapes: _activated(layer),
    "ActivityRegularization": _same,
    "Add": _merge("add"),
    "Average": _average,
    "AveragePooling2D": _pool("avg_pool"),
    "BatchNormalization": _batch_norm,
    "Concatenate": _concat,
    "Conv2D": _conv,
    "Conv2DTranspose": _transposed,
    "Cropping2D": _border("crop", "cropping"),
    "Dense": _dense,
    "DepthwiseConv2D": _depthwise,
    "Dropout": _dropout,
    "ELU": _elu,
    "Flatten": _plain("flatten"),
    "GlobalAveragePooling2D": _global_pool("global_avg_pool"),
    "GlobalMaxPooling2D": _global_pool("global_max_pool"),
    "GroupNormalization": _group_norm,
    "Identity": _same,
    "LayerNormalization": _layer_norm,
    "LayerScale": _layer_scale,  # of Keras's ConvNeXt, as StochasticDepth is
    "LeakyReLU": lambda layer, shapes: [_leaky(float(layer.negative_slope))],
    "MaxPooling2D": _pool("max_pool"),
    "Multiply": _multiply,
    "Normalization": _normalization,
    "PReLU": _prelu,
    "ReLU": _relu,
    "Rescaling": _rescaling,
    "Reshape": _reshape,
    "Resizing": _resize,
    "SeparableConv2D": _separable,
    "Softmax": _softmax,
    "StochasticDepth": _drop_path,
    "Subtract": _merge("subtract"),
    "UnitNormalization": _unit_norm,
    "UpSampling2D": _upsample,
    "ZeroPadding2D": _border("pad", "padding"),
}
_OPERATIONS: Mapping[str, Said] = {
    "Add": _merge("add"),
    "Multiply": _multiply,
    "Subtract": _merge("subtract"),
}
