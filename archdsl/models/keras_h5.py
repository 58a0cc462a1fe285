"""Whole models in HDF5, as Keras 2 and `model.save("model.h5")` write them: what they say of themselves, and weights.

Neither h5py nor Keras reads such a file here. Its description becomes that of a `.keras` file, and is checked as one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain
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
            if name == "Sequential" and isinstance(value.get("config"), list):  # before Keras 2.2.3
                value["config"] = {"name": value.get("name", "sequential"), "layers": value["config"]}
            if isinstance(name, str) and isinstance(value.get("config"), dict):
                value.update(_place(name) if _is_unplaced(name, value) else {})
                _mend(name, value["config"])
            pending += value.values()
        elif isinstance(value, list):
            pending += value
    return config


def _is_unplaced(name: str, value: dict[str, Any]) -> bool:
    """Whether it does not say where it is from, or is a model where Keras 2 had it."""
    return "module" not in value or (name in _MODELS and value.get("registered_name") in (None, name))


def _mend(name: str, config: dict[str, Any]) -> None:
    """Say what a layer of Keras 2 says as Keras 3 does."""
    axis = config.get("axis")
    if name == "BatchNormalization" and isinstance(axis, list) and len(axis) == 1:
        config["axis"] = axis[0]
    for key in _WITHOUT_EFFECT.get(name, ()):
        config.pop(key, None)
    if name != "InputLayer":
        config.pop("batch_input_shape", None)  # it is that of the InputLayer before
    layers = config.get("layers")
    if name in _MODELS and isinstance(layers, list):
        _mend_model(config, [layer for layer in layers if isinstance(layer, dict)])


def _mend_model(config: dict[str, Any], layers: list[dict[str, Any]]) -> None:
    first = layers[0].get("config") if layers else None
    if isinstance(first, dict) and "inbound_nodes" not in layers[0] and "batch_input_shape" in first:
        config.setdefault("build_input_shape", first["batch_input_shape"])
    _count_from_zero(layers, config.get("output_layers"))
    for key in ("input_layers", "output_layers"):
        ends = config.get(key)
        if isinstance(ends, list) and len(ends) == 1:  # it meant one tensor, and today a list of one
            config[key] = ends[0]


def _count_from_zero(layers: list[dict[str, Any]], outputs: Any) -> None:
    """Calls of a model inside of a model by the numbers of today: for Keras 2 the first was to make it.

    All calls are used, so that their numbers tell who wrote them. Outputs name those of a functional one as before.
    """
    nodes = [layer.get("inbound_nodes") for layer in layers]
    inside = {
        str(layer.get("name")): (layer["class_name"], len(own))
        for layer, own in zip(layers, nodes, strict=True)
        if str(layer.get("class_name")) in _MODELS and isinstance(own, list)
    }
    used: dict[str, list[list[Any]]] = {name: [] for name in inside}
    ends: dict[str, list[list[Any]]] = {name: [] for name in inside}
    for found, value in ((used, nodes), (ends, outputs)):
        for reference in _references(value):
            found.get(reference[0], []).append(reference)
    for name, (kind, calls) in inside.items():
        if {reference[1] for reference in (*used[name], *ends[name])} == set(range(1, calls + 1)):
            for reference in (*used[name], *(ends[name] if kind == "Sequential" else ())):
                reference[1] -= 1


def _references(value: Any) -> Iterator[list[Any]]:
    """Results of layers, however deep in lists and mappings: a layer's name, which call of it, and which result."""
    pending = [value]
    while pending:
        value = pending.pop()
        if isinstance(value, list) and [type(each) for each in value[:3]] == [str, int, int]:
            yield value
        pending += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


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
    owners = {layer.name: _by_layer([*layer.trainable_weights, *layer.non_trainable_weights]) for layer in model.layers}
    owners = {name: own for name, own in owners.items() if own}
    shapes = {name: [tuple(variable.shape) for variable in own] for name, own in owners.items()}
    found = {name: [array.shape for array in arrays] for name, arrays in given.items()}
    if wrong := next(_different(shapes, found), None):
        raise fail("model", f"its weights for '{short(wrong)}' are not those that it says the layer has", mark=mark)
    values = {name: read_arrays(arrays, name, mark) for name, arrays in given.items()}
    for name, own in owners.items():
        for variable, array in zip(own, values[name], strict=True):
            variable.assign(array)


def _by_layer(variables: Iterable[Any]) -> list[Any]:
    """Those of a layer inside of a model together, as they are read from the file."""
    found: dict[str, list[Any]] = defaultdict(list)
    for variable in variables:
        found[variable.path.rpartition("/")[0]].append(variable)
    return list(chain.from_iterable(found.values()))


def _different(ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[str]:
    return (name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name))
