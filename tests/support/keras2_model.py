"""A whole model in .h5, written by Keras 2 with what it computes.

`python tests/support/keras2_model.py tests/models/files` wrote keras2.h5 and keras2.npy there, with tf_keras 2.21. No
test runs it.
"""

# mypy: ignore-errors
from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tf_keras
from tf_keras import layers


def main(folder: Path) -> None:
    image = tf_keras.Input((32, 32, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same", use_bias=False, name="first")(image)
    for number in range(2):
        y = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"unit{number}_conv")(x)
        y = layers.ReLU(6.0, name=f"unit{number}_relu")(layers.BatchNormalization(name=f"unit{number}_bn")(y))
        x = layers.Add(name=f"unit{number}_add")([x, y])
    x = layers.SeparableConv2D(8, 3, activation="relu", name="separable")(x)
    x = layers.Dropout(0.3, name="dropout")(layers.GlobalAveragePooling2D(name="pool")(x))
    x = layers.Dense(5, "softmax", kernel_regularizer=tf_keras.regularizers.L2(1e-4), name="classes")(x)
    model = tf_keras.Model(image, x, name="small")
    model.compile("sgd", "mse")
    draw = np.random.default_rng(1)
    model.set_weights([draw.uniform(0.2, 0.6, array.shape) for array in model.get_weights()])
    model.save(folder / "keras2.h5", include_optimizer=False)
    np.save(folder / "keras2.npy", model(np.random.default_rng(0).normal(size=(1, 32, 32, 3)).astype("float32")))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
