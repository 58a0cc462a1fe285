"""Arrays into the weights of a Keras layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy


def fill(layer: Any, arrays: Sequence[Any]) -> None:
    """Set the weights of a layer, and what it derives from them: a Normalization computes with copies.

    Of the type that they have there: JAX has a program compiled to convert an array of every new shape.
    """
    layer.set_weights([numpy.asarray(array, each.dtype) for array, each in zip(arrays, layer.weights, strict=True)])
    derive = getattr(layer, "finalize_state", None)
    if derive is not None:
        derive()
