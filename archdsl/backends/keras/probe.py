"""Probes a built Keras layer: its output shapes at several input sizes, and its weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from archdsl.ir.cost import Weight
from archdsl.ir.node import ShapeError
from archdsl.ir.types import FeatureMap

_PROBES = (1024, 1280), (1023, 1281)  # large, so that a border does not hide the stride; odd, to show the rounding
_TOLERANCE = 1.25  # of a stride: what padding "valid" or cropping takes away is less


class Trial(NamedTuple):
    """The output type of a layer for an input type."""

    given: FeatureMap
    found: FeatureMap


def applied(layer: Any, x: Any) -> Any:
    """The layer applied to a symbolic tensor. Raises ShapeError if it fails, or does not give a feature map."""
    try:
        result = layer(x)
    except Exception as error:  # whatever the user's code raises
        raise ShapeError(f"the layer fails: {reason_of(error)}") from error
    shape = getattr(result, "shape", None)
    if shape is None or len(shape) != 4 or shape[-1] is None:
        received = f"a tensor of shape {tuple(shape)}" if shape is not None else f"a {type(result).__name__}"
        raise ShapeError(f"the layer gives {received}; expected one feature map, (batch, height, width, channels)")
    return result


def trials_of(layer: Any, channels: int, dtype: str) -> list[Trial]:
    """The output type at each probe size that the built layer accepts."""
    import keras

    trials = []
    for height, image_width in _PROBES:
        try:
            spec = layer.compute_output_spec(keras.KerasTensor((1, height, image_width, channels), dtype=dtype))
            found = FeatureMap(*spec.shape[1:])
        except Exception:  # a layer may be made for one size, and fail for others as it likes
            continue
        trials.append(Trial(FeatureMap(height, image_width, channels), found))
    return trials


def stride_contradiction(trials: Sequence[Trial], stride: float) -> str:
    """A result that a layer of this stride cannot give; nothing if there is none, or a map of one row."""
    for given, found in trials:
        rows, left = given.height or 1, found.height or 1
        if left > 1 and not 1 / _TOLERANCE < rows / left / stride < _TOLERANCE:
            return f"for {given} the layer gives {found}, which is not a stride of {stride:g}"
    return ""


def weights_of(layer: Any) -> tuple[Weight, ...]:
    return tuple(
        Weight(each.path.removeprefix(f"{layer.name}/"), tuple(map(int, each.shape)), bool(each.trainable))
        for each in layer.weights
    )


def listed(weights: Sequence[Weight]) -> str:
    """`(3, 3, 8, 1) and (8,), not trained`."""
    texts = [f"{weight.shape}{'' if weight.trainable else ', not trained'}" for weight in weights]
    return " and ".join(texts) or "none"


def reason_of(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
