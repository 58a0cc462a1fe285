"""Convolutions and dense layers of Keras as blocks."""

from __future__ import annotations

from typing import Any

from archdsl.models.keras_blocks.activations import activated
from archdsl.models.keras_blocks.entries import Entry, Shapes, Unsayable, entry, only, scalar_or_pair

_CONV = {"stride": 1, "dilation": 1, "groups": 1, "bias": True, "padding": "same"}


def _window(layer: Any) -> dict[str, Any]:
    only(layer, data_format="channels_last")
    kernel = scalar_or_pair(layer.kernel_size)
    return {
        "kernel": kernel,
        "stride": scalar_or_pair(layer.strides),
        "dilation": scalar_or_pair(layer.dilation_rate),
        "bias": layer.use_bias,
        "padding": "same" if kernel == 1 else layer.padding,  # one pixel reaches beyond no side
    }


def conv(layer: Any, shapes: Shapes) -> list[Entry]:
    return activated(layer, entry("conv", _CONV, width=layer.filters, **_window(layer), groups=layer.groups))


def depthwise(layer: Any, shapes: Shapes) -> list[Entry]:
    only(layer, depth_multiplier=1)
    return activated(layer, entry("depthwise_conv", _CONV, **_window(layer)))


def separable(layer: Any, shapes: Shapes) -> list[Entry]:
    only(layer, depth_multiplier=1)
    return activated(layer, entry("separable_conv", _CONV, width=layer.filters, **_window(layer)))


def transposed(layer: Any, shapes: Shapes) -> list[Entry]:
    only(layer, output_padding=None)
    window = _window(layer)
    if window.pop("dilation") != 1:
        raise Unsayable(f"has dilation_rate={layer.dilation_rate!r}; the language has 1 only")
    return activated(layer, entry("transposed_conv", _CONV, width=layer.filters, factor=window.pop("stride"), **window))


def dense(layer: Any, shapes: Shapes) -> list[Entry]:
    return activated(layer, entry("dense", {"bias": True}, units=layer.units, bias=layer.use_bias))
