"""Implicit knowledge of YOLOv7's heads: a 1 × 1 convolution adds numbers to its input, and multiplies its result.

im × (W (x + ia) + b) is a convolution itself, of the kernel im W and the bias im (W ia + b) (YOLOR, Wang et al. 2021).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archdsl.weights.arrays import FLOATS, float32
from archdsl.weights.formats.contents import Stored, StoredArray

if TYPE_CHECKING:
    from archdsl.weights.formats.contents import Array

IMPLICIT = "implicit"  # the one array of such a module
_CONVOLUTIONS, _ADDED, _FACTORS = "m.", "ia.", "im."


def with_implicit(conv: Stored, path: str, implicit: dict[str, Stored]) -> Stored:
    """A convolution with what is implicit for it worked in, and taken out of `implicit`; as it is where nothing is."""
    weight, bias = conv.arrays["weight"], conv.arrays.get("bias")
    level = path.removeprefix(_CONVOLUTIONS)
    names = f"{_ADDED}{level}", f"{_FACTORS}{level}"
    if level == path or bias is None or not {*names} <= implicit.keys():
        return conv
    wide, deep = weight.shape[:2]
    added, factors = (implicit[name].arrays[IMPLICIT] for name in names)
    fits = (added.shape, factors.shape) == ((1, deep, 1, 1), (1, wide, 1, 1)) and weight.shape == (wide, deep, 1, 1)
    if not fits or not {array.dtype for array in (weight, bias, added, factors)} <= {*FLOATS}:
        return conv
    for name in names:
        del implicit[name]

    def kernel() -> Array:
        return float32(factors).reshape(wide, 1, 1, 1) * float32(weight)

    def addend() -> Array:
        summed = float32(weight).reshape(wide, deep) @ float32(added).ravel() + float32(bias)
        result: Array = float32(factors).ravel() * summed
        return result

    arrays = {"weight": (weight.shape, kernel), "bias": (bias.shape, addend)}
    folded = {name: StoredArray(shape, "float32", read) for name, (shape, read) in arrays.items()}
    return Stored(conv.place, conv.name, {**conv.arrays, **folded})
