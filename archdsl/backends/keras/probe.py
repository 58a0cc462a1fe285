"""What a built Keras layer gives, at the sides of the image and at some more, and the arrays it owns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from archdsl.ir.graph import ShapeError, TensorType, Weight

# Sides at which a layer is tried. The first two heights tell its stride: 1680 is divided by every stride up to 8.
_TRIED = ((1024, 1280), (2704, 1280), (1023, 1281))


class Trial(NamedTuple):
    """What a layer makes of an input."""

    given: TensorType
    found: TensorType


def applied(layer: Any, x: Any) -> Any:
    """The layer on a symbolic tensor. Raises ShapeError with what it raises, and for what is no feature map."""
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
    """What a built layer makes of the sides that are tried, without those that it does not take."""
    import keras

    trials = []
    for height, image_width in _TRIED:
        try:
            spec = layer.compute_output_spec(keras.KerasTensor((1, height, image_width, channels), dtype=dtype))
            found = TensorType(*spec.shape[1:])
        except Exception:  # a layer may be made for one size, and fail for others as it likes
            continue
        trials.append(Trial(TensorType(height, image_width, channels), found))
    return trials


def stride_of(trials: Sequence[Trial]) -> float | None:
    """The pixels between two of the result, from how much it grows with the input; None where it does not."""
    by_height = {trial.given.height: trial.found.height for trial in trials}
    (small, _), (large, _), _ = _TRIED
    before, after = by_height.get(small), by_height.get(large)
    return (large - small) / (after - before) if before and after and after > before else None


def nearest_ratio(before: int | None, after: int | None) -> float:
    """The nearest whole ratio of two heights, or one over a whole number."""
    if not before or not after or after == 1:
        return 1
    return round(before / after) if before >= after else 1 / round(after / before)


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
