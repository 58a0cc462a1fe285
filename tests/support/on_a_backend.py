"""Runs networks on the backend of Keras that the environment names, for tests of another: python on_a_backend.py FOLDER

FOLDER has calls.json, a list of {config, overrides, weights, image}, and gets NUMBER.npz with what each gives.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main(folder: Path) -> None:
    import keras
    import numpy as np

    import archdsl

    assert keras.backend.backend() == os.environ["KERAS_BACKEND"]
    programs = compiled_programs() if keras.backend.backend() == "jax" else []
    for number, call in enumerate(json.loads((folder / "calls.json").read_text())):
        model = archdsl.build_from_config(call["config"], call["overrides"], weights=folder / call["weights"])
        image = np.load(folder / call["image"])
        result = model.predict(image, verbose=0)
        found = {f"model/{name}": each for name, each in named(result).items()}
        if "boxes" in model.graph.outputs:
            boxes = archdsl.detections(result, confidence=0.0, limit=5)
            found |= {f"detections/{name}": each for name, each in boxes.items()}
            found["refused"] = refuses_odd_sides(model)
        with kept_for_gradients() as kept:
            fused = archdsl.fuse(model).predict(image, verbose=0)
        take_a_step(model, image)
        trained = model.predict(image, verbose=0)
        found |= {f"fused/{name}": each for name, each in named(fused).items()}
        found |= {f"trained/{name}": each for name, each in named(trained).items()}
        found |= {"programs": len(programs), "kept": len(kept)}
        np.savez(folder / f"{number}.npz", **{name.replace("/", "."): each for name, each in found.items()})


def compiled_programs() -> list[str]:
    """A list that grows by one for every program that JAX compiles from now on."""
    import jax

    programs: list[str] = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: programs.append(event) if "backend_compile" in event else None
    )
    return programs


@contextmanager
def kept_for_gradients() -> Iterator[list[Any]]:
    """What PyTorch keeps of a forward pass meanwhile; nothing on another backend."""
    kept: list[Any] = []
    with ExitStack() as stack:
        if os.environ["KERAS_BACKEND"] == "torch":
            import torch

            hooks = torch.autograd.graph.saved_tensors_hooks(lambda each: kept.append(each) or each, lambda each: each)
            stack.enter_context(hooks)
        yield kept


def refuses_odd_sides(model: Any) -> bool:
    """Whether a detector says so of a photo with sides that it cannot halve; one with a size of its own takes any."""
    from PIL import Image

    import archdsl
    from archdsl.tools.detecting import detect

    try:
        detect(model, Image.new("RGB", (90, 70)), (70, 90))
    except archdsl.ArchError as error:
        return "fails on an image" in str(error)
    return model.inputs[0].shape[1] is not None


def named(result: Any) -> dict[str, Any]:
    return result if isinstance(result, dict) else {"": result}


FALL = 0.001
"""What a step of gradient descent takes off the loss, as its gradients foretell."""


def take_a_step(model: Any, image: Any) -> None:
    """One step of gradient descent by the logarithm of the mean square of all results.

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

        def compute_output_shape(self, shape: Any) -> Any:
            return (1, 1)

    step = Step()
    step.compile(Descent(1.0), loss=lambda wanted, given: keras.ops.mean(given))
    step.fit(image, image[:, 0, 0, :1], batch_size=len(image), epochs=1, verbose=0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
