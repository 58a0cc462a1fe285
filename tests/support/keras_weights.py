"""Weights of Keras models that no training has begun with, so that a factor of one or a zero hides nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from archdsl.backends.keras.arrays import fill


def perturbed(model: Any) -> dict[str, tuple[Any, ...]]:
    """Changes every array of a Backbone by up to a fifth, statistics among them; the arrays by node."""
    random = np.random.default_rng(0)
    found = {}
    for name, layer in model.layers_by_node.items():
        arrays = [array * random.uniform(0.8, 1.2, array.shape) for array in layer.get_weights()]
        fill(layer, [array.astype("float32") for array in arrays])
        found[name] = tuple(layer.get_weights())
    return found
