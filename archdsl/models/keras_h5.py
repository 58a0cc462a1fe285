"""Whole models in HDF5, as Keras 2 and `model.save("model.h5")` write them: what they say of themselves, and weights.

Neither h5py nor Keras reads such a file here. Its description becomes that of a `.keras` file, and is checked as one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import keras

from archdsl.diagnostics.problems import Mark, fail
from archdsl.weights.arrays import read_arrays
from archdsl.weights.formats.contents import Contents, StoredArray, short

IN_HDF5 = "model_config"  # the text beside a whole model, as config.json in a `.keras` file
_MODELS = {"Functional": "functional", "Model": "functional", "Sequential": "sequential"}
_FUNCTIONAL = "Functional"
_OF_THE_KERNEL = ("groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint")
_WITHOUT_EFFECT = {  # what these layers inherited in Keras 2, and do not take in Keras 3
    "DepthwiseConv2D": _OF_THE_KERNEL,
    "SeparableConv2D": _OF_THE_KERNEL,
    "Conv2DTranspose": ("groups",),
}
_KINDS = ("layers", "initializers", "regularizers", "constraints")


def in_todays_form(config: Any) -> Any:
    """The description with the module of each part of Keras, which it left out; in place, and returned."""
    pending = [config]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            name = value.get("class_name")
            if isinstance(name, str) and isinstance(value.get("config"), dict):
                value.update({} if "module" in value else _place(name))
                _mend(name, value["config"])
            pending += value.values()
        elif isinstance(value, list):
            pending += value
    return config


def _mend(name: str, config: dict[str, Any]) -> None:
    """Say what a layer of Keras 2 says as Keras 3 does."""
    axis = config.get("axis")
    if name == "BatchNormalization" and isinstance(axis, list) and len(axis) == 1:
        config["axis"] = axis[0]
    for key in _WITHOUT_EFFECT.get(name, ()):
        config.pop(key, None)


def _place(name: str) -> dict[str, Any]:
    if name in _MODELS:
        own = _FUNCTIONAL if name == "Model" else name
        return {"module": f"keras.src.models.{_MODELS[name]}", "class_name": own, "registered_name": own}
    kind = next((kind for kind in _KINDS if isinstance(getattr(getattr(keras, kind), name, None), type)), None)
    return {"module": f"keras.{kind}", "registered_name": None} if kind else {}


def give(model: Any, contents: Contents, mark: Mark) -> None:
    """Give a model the arrays that are listed for its layers. Raises ArchError, and changes nothing, if they differ."""
    given: dict[str, list[StoredArray]] = defaultdict(list)
    for stored in contents.layers:  # those of a layer that is a model are several
        given[stored.name.removesuffix(stored.place.lstrip("0123456789"))] += stored.arrays.values()
    owners = {layer.name: [*layer.trainable_weights, *layer.non_trainable_weights] for layer in model.layers}
    owners = {name: own for name, own in owners.items() if own}
    shapes = {name: [tuple(variable.shape) for variable in own] for name, own in owners.items()}
    found = {name: [array.shape for array in arrays] for name, arrays in given.items()}
    if wrong := next(_different(shapes, found), None):
        raise fail("model", f"its weights for '{short(wrong)}' are not those that it says the layer has", mark=mark)
    values = {name: read_arrays(arrays, name, mark) for name, arrays in given.items()}
    for name, own in owners.items():
        for variable, array in zip(own, values[name], strict=True):
            variable.assign(array)


def _different(ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[str]:
    return (name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name))
