"""A Keras layer → the blocks of the language that compute the same, or why there are none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras

from archdsl.models.keras_blocks.activations import activated, elu, leaky, prelu, relu, softmax
from archdsl.models.keras_blocks.convolutions import conv, dense, depthwise, separable, transposed
from archdsl.models.keras_blocks.entries import Entry, Said, Unsayable, entry
from archdsl.models.keras_blocks.merging import average, concat, merge, multiply, same
from archdsl.models.keras_blocks.normalization import (
    batch_norm,
    drop_path,
    dropout,
    group_norm,
    layer_norm,
    layer_scale,
    normalization,
    rescaling,
    unit_norm,
)
from archdsl.models.keras_blocks.sides import border, global_pool, pool, reshape, resize, upsample

__all__ = ["Entry", "Unsayable", "blocks_of", "has_weights"]


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
    return entry("rescale", {"scale": 1.0, "offset": 0.0}, scale=scale, offset=offset)


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


def _plain(block: str) -> Said:
    return lambda layer, shapes: [{"block": block}]


_LAYERS: Mapping[str, Said] = {
    "Activation": lambda layer, shapes: activated(layer),
    "ActivityRegularization": same,
    "Add": merge("add"),
    "Average": average,
    "AveragePooling2D": pool("avg_pool"),
    "BatchNormalization": batch_norm,
    "Concatenate": concat,
    "Conv2D": conv,
    "Conv2DTranspose": transposed,
    "Cropping2D": border("crop", "cropping"),
    "Dense": dense,
    "DepthwiseConv2D": depthwise,
    "Dropout": dropout,
    "ELU": elu,
    "Flatten": _plain("flatten"),
    "GlobalAveragePooling2D": global_pool("global_avg_pool"),
    "GlobalMaxPooling2D": global_pool("global_max_pool"),
    "GroupNormalization": group_norm,
    "Identity": same,
    "LayerNormalization": layer_norm,
    "LayerScale": layer_scale,  # of Keras's ConvNeXt, as StochasticDepth is
    "LeakyReLU": lambda layer, shapes: [leaky(float(layer.negative_slope))],
    "MaxPooling2D": pool("max_pool"),
    "Multiply": multiply,
    "Normalization": normalization,
    "PReLU": prelu,
    "ReLU": relu,
    "Rescaling": rescaling,
    "Reshape": reshape,
    "Resizing": resize,
    "SeparableConv2D": separable,
    "Softmax": softmax,
    "StochasticDepth": drop_path,
    "Subtract": merge("subtract"),
    "UnitNormalization": unit_norm,
    "UpSampling2D": upsample,
    "ZeroPadding2D": border("pad", "padding"),
}
_OPERATIONS: Mapping[str, Said] = {
    "Add": merge("add"),
    "Multiply": multiply,
    "Subtract": merge("subtract"),
}
