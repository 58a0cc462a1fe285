"""How well a network of digits.yaml tells scikit-learn's scans of digits apart, after four epochs. Seconds each.

    pip install '.[examples,optuna]'
    archdsl search examples/search/digits.yaml --trials 10 --objective examples/search/digits.py:accuracy -o found

`archdsl search` builds each network, and calls `accuracy` with it. What makes one better beside that, its MACs, stands
in digits.yaml, and so does what it may cost at most.
"""

from __future__ import annotations

import keras
import numpy
from sklearn.datasets import load_digits

EPOCHS = 4
HELD_OUT = 400


def accuracy(model: keras.Model, trial: object) -> float:
    """Of the network with a head, on scans that it was not trained on. `trial` is Optuna's."""
    keras.utils.set_random_seed(0)
    pixels, labels = digits()
    features = keras.layers.GlobalAveragePooling2D()(model.outputs[0])
    classifier = keras.Model(model.inputs[0], keras.layers.Dense(10)(features))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    classifier.compile(keras.optimizers.Adam(5e-3), loss, metrics=["accuracy"])
    classifier.fit(pixels[HELD_OUT:], labels[HELD_OUT:], batch_size=32, epochs=EPOCHS, verbose=0)
    found = classifier.evaluate(pixels[:HELD_OUT], labels[:HELD_OUT], batch_size=HELD_OUT, verbose=0, return_dict=True)
    return float(found["accuracy"])


def digits() -> tuple[numpy.ndarray, numpy.ndarray]:
    """Scans with pixels of 0 … 255, (images, 32, 32, 3), and which digit each is, (images,)."""
    found = load_digits()
    order = numpy.random.default_rng(0).permutation(len(found.target))
    scans = found.images[order].astype("float32") * (255 / 16)
    return numpy.repeat(scans.repeat(4, axis=1).repeat(4, axis=2)[..., None], 3, axis=-1), found.target[order]
