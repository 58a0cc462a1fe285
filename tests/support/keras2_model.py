"""Whole models in .h5, written by Keras 2 with what they compute.

`python tests/support/keras2_model.py tests/models/files` wrote keras2*.h5 and keras2*.npy there, with tf_keras 2.21. No
test runs it.
"""

# mypy: ignore-errors
from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tf_keras
from tf_keras import layers


def plain():
    image = tf_keras.Input((32, 32, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same", use_bias=False, name="first")(image)
    for number in range(2):
        y = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"unit{number}_conv")(x)
        y = layers.ReLU(6.0, name=f"unit{number}_relu")(layers.BatchNormalization(name=f"unit{number}_bn")(y))
        x = layers.Add(name=f"unit{number}_add")([x, y])
    x = layers.SeparableConv2D(8, 3, activation="relu", name="separable")(x)
    x = layers.Dropout(0.3, name="dropout")(layers.GlobalAveragePooling2D(name="pool")(x))
    x = layers.Dense(5, "softmax", kernel_regularizer=tf_keras.regularizers.L2(1e-4), name="classes")(x)
    return tf_keras.Model(image, x, name="small")


def late():
    """Layers in a row that were not told what they read, called twice."""
    conv = layers.Conv2D(4, 3, padding="same", use_bias=False)
    return tf_keras.Sequential([conv, layers.BatchNormalization(), layers.ReLU()], name="late")


def backbone():
    """Some of its layers are frozen, and a batch norm is before others that have weights."""
    image = tf_keras.Input((32, 32, 3))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, strides=2)(image))
    model = tf_keras.Model(image, layers.Conv2D(4, 1)(tf_keras.Sequential([layers.DepthwiseConv2D(3)])(x)), name="back")
    model.layers[1].trainable = False
    return model


def nested():
    image = tf_keras.Input((32, 32, 3))
    block = late()
    x = block(block(backbone()(tf_keras.Sequential([layers.Rescaling(0.5)])(image))))
    head = tf_keras.Sequential([layers.GlobalAveragePooling2D(), layers.Dropout(0.3), layers.Dense(5)], name="head")
    return tf_keras.Model(image, head(x), name="nested")


def sequential():
    first = layers.Conv2D(3, 3, padding="same", input_shape=(32, 32, 3))
    return tf_keras.Sequential([first, backbone(), late(), layers.Flatten(), layers.Dense(5)], name="row")


def main(folder: Path) -> None:
    for name, make in (("keras2", plain), ("keras2_nested", nested), ("keras2_sequential", sequential)):
        model, draw = make(), np.random.default_rng(1)
        model.compile("sgd", "mse")
        model.set_weights([draw.uniform(0.2, 0.6, array.shape) for array in model.get_weights()])
        model.save(folder / f"{name}.h5", include_optimizer=False)
        image = np.random.default_rng(0).normal(size=(1, 32, 32, 3)).astype("float32")
        np.save(folder / f"{name}.npy", model(image))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
