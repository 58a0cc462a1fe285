"""Runs networks on the backend of Keras that the environment names, for tests of another: python on_a_backend.py FOLDER

FOLDER has calls.json, a list of {config, overrides, weights, image, whole}, and gets NUMBER.npz with what each gives.
Without `whole` the model only runs: fusing and training take minutes where every operation is compiled by itself.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main(folder: Path) -> None:
    import keras
    import numpy as np

    import archdsl

    assert keras.backend.backend() == os.environ["KERAS_BACKEND"]
    for number, call in enumerate(json.loads((folder / "calls.json").read_text())):
        model = archdsl.build_from_config(call["config"], call["overrides"], weights=folder / call["weights"])
        image = np.load(folder / call["image"])
        result = model.predict(image, verbose=0)
        found = {f"model/{name}": each for name, each in named(result).items()}
        if "boxes" in model.graph.outputs:
            boxes = archdsl.detections(result, confidence=0.0, limit=5)
            found |= {f"detections/{name}": each for name, each in boxes.items()}
        if call["whole"]:
            found |= {
                f"fused/{name}": each for name, each in named(archdsl.fuse(model).predict(image, verbose=0)).items()
            }
            found["loss"] = loss_after_a_step(model, image)
        arrays = {name.replace("/", "."): keras.ops.convert_to_numpy(each) for name, each in found.items()}
        np.savez(folder / f"{number}.npz", **arrays)


def named(result: Any) -> dict[str, Any]:
    return result if isinstance(result, dict) else {"": result}


FALL = 0.001
"""What a step of gradient descent takes off the loss, as its gradients foretell."""


def loss_after_a_step(model: Any, image: Any) -> Any:
    """The logarithm of the mean square of all results, after one step of gradient descent.

    Later channels count more: equal probabilities would be the least that a plain mean can be.
    """
    import keras

    class Descent(keras.optimizers.SGD):
        """Its steps are as long as FALL asks for: gradients of a logarithm have any size."""

        def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
            square = sum(keras.ops.sum(keras.ops.square(each)) for each in grads if each is not None)
            grads = [each if each is None else each * (FALL / square) for each in grads]
            return super().apply(grads, trainable_variables)

    class Step(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def call(self, images: Any, training: bool = False) -> Any:
            results = named(self.inner(images, training=False)).values()
            weighted = [each * keras.ops.arange(1, 1 + each.shape[-1], dtype="float32") for each in results]
            squares = [keras.ops.mean(keras.ops.square(each)) for each in weighted]
            return keras.ops.reshape(keras.ops.log(sum(squares)), (1, 1))

    step = Step()
    step.compile(Descent(1.0), loss=lambda wanted, given: keras.ops.mean(given))
    step.fit(image, image[:, 0, 0, :1], batch_size=len(image), epochs=1, verbose=0)
    return step.predict(image, verbose=0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
