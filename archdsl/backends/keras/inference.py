"""A Keras model run for a batch, outside of training."""

from __future__ import annotations

from typing import Any

import keras


def inferred(model: Any, batch: Any) -> Any:
    """What the model gives, as `model(batch)` does, but where that is dear.

    Called plainly, a model on JAX has a program compiled for every operation, and one on PyTorch keeps every map for
    gradients.
    """
    is_cheap = keras.backend.backend() == "tensorflow"
    return model(batch, training=False) if is_cheap else model.predict_on_batch(batch)
