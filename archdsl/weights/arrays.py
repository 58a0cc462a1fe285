"""Arrays on their way from a file or a model into a layer: what they may be, and how a layer takes them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy

from archdsl.diagnostics.problems import Mark, fail
from archdsl.weights.formats.contents import StoredArray, short

if TYPE_CHECKING:
    from archdsl.weights.formats.contents import Array

FLOATS = ("float32", "float64", "float16", "bfloat16")


def read_arrays(arrays: Collection[StoredArray], label: str, mark: Mark) -> list[Array]:
    """The arrays of a layer of a file. Raises ArchError for other than floating point."""
    check_types(arrays, label, mark)
    return [float32(array) for array in arrays]


def check_types(arrays: Iterable[StoredArray], label: str, mark: Mark) -> None:
    """Raise ArchError for other than floating point; a lone number may be a count."""
    strange = [array.dtype for array in arrays if array.dtype not in FLOATS and array.shape]
    if strange:
        message = f"{short(label)} is of {short(strange[0])}; expected {FLOATS[0]}"
        raise fail("weights", message, mark=mark)


def float32(array: StoredArray) -> Array:
    """The values of an array. Those of bfloat16 are the upper halves of float32."""
    values = array.read()
    if array.dtype == "bfloat16":
        return (values.view("<u2").astype("uint32") << 16).view("float32")
    return numpy.asarray(values, "float32")


def refuse_strange_numbers(values: Mapping[str, Sequence[Array]], mark: Mark) -> None:
    broken = [name for name, arrays in values.items() if not all(numpy.isfinite(array).all() for array in arrays)]
    if broken:
        message = f"{some(broken)} {'has' if len(broken) == 1 else 'have'} values that are not finite numbers"
        raise fail("weights", message, mark=mark, hint="the training that wrote it diverged, or the file is damaged")


def some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(map(short, names[:3])) + more
