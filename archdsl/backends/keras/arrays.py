"""Arrays into the weights of a Keras layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def fill(layer: Any, arrays: Sequence[Any]) -> None:
    """Set the weights of a layer, and what it derives from them: a Normalization computes with copies."""
    layer.set_weights(arrays)
    derive = getattr(layer, "finalize_state", None)
    if derive is not None:
        derive()
