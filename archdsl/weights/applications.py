"""The files of keras.applications: lists of layers, to be read with the model that Keras builds for them.

The number of parameters tells which model that is. A preset has Keras's name: resnet50_backbone, or resnet50_classify
with the classifier, is ResNet50. Nothing in a file is built or run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy

from archdsl.diagnostics.problems import Mark, fail
from archdsl.frontend.presets import list_presets
from archdsl.weights.arrays import read_arrays
from archdsl.weights.formats.contents import Contents, Stored, short
from archdsl.weights.naming import Row, Scheme, snake_case

if TYPE_CHECKING:
    from archdsl.weights.formats.contents import Array

_SUFFIXES = r"_(backbone|classify)$"
_SIDE = 224
"""Of the image that a model without classifier is built for: NASNet fits its cells to each other by their sides."""
_IMAGENET_DEVIATION = numpy.array([0.229, 0.224, 0.225], "float32")
"""EfficientNet's files hold it as the variance, by whose root Keras then divides once more (tensorflow issue 49930)."""


class Listed(NamedTuple):
    """The model of keras.applications that a file belongs to, and the file's layer for each of its own by name."""

    model: Any
    layers: dict[str, Stored]
    mark: Mark

    def arrays_of(self, layer: Any) -> list[Array]:
        """The file's arrays for a layer of the model. Raises ArchError for values that are not numbers."""
        stored = self.layers[layer.name]
        arrays = read_arrays(stored.arrays.values(), stored.label, self.mark)
        if isinstance(layer, keras.layers.Normalization) and numpy.allclose(arrays[1], _IMAGENET_DEVIATION):
            arrays[1] = arrays[1] * _IMAGENET_DEVIATION
        return arrays


def listed(contents: Contents, known: int, most_params: int, mark: Mark) -> Listed | None:
    """The model of keras.applications that a file with the names of its layers belongs to; None if there is none.

    `known` is how many of the names match already, and must be fewer than match that model; a model of more than
    `most_params` is not built. Raises ArchError where names and places contradict each other.
    """
    if contents.layout == "nodes" or not all(stored.name for stored in contents.layers):
        return None
    params = sum(prod(shape) for stored in contents.layers for shape in stored.shapes)
    for name, has_top in _candidates(params) if params <= most_params else ():
        sides = {} if has_top else {"input_shape": (_SIDE, _SIDE, 3)}
        model = getattr(keras.applications, name)(weights=None, include_top=has_top, **sides)
        layers = _in_place(model, contents)
        if sum(_is_called(layer, stored) for layer, stored in layers) > known:
            _refuse_misplaced(layers, mark)
            return Listed(model, {layer.name: stored for layer, stored in layers}, mark)
    return None


def _candidates(params: int) -> dict[tuple[str, bool], None]:
    """Models of keras.applications with that many parameters, and whether they include the classifier."""
    names = {name.lower(): name for name in dir(keras.applications) if callable(getattr(keras.applications, name))}
    fitting = [info.name for info in list_presets() if info.params == params]
    theirs = [(re.sub(_SUFFIXES, "", name).replace("_", ""), name.endswith("_classify")) for name in fitting]
    return dict.fromkeys((names[name], has_top) for name, has_top in theirs if name in names)


def _in_place(model: Any, contents: Contents) -> list[tuple[Any, Stored]]:
    """The layers of the model, each with the file's in its place; none unless all have the same shapes."""
    layers = {layer.name: layer for _, _, layer in _layers(model)}
    kinds = {layer.name: snake_case(type(layer).__name__) for layer in (*model.layers, *layers.values())}
    rows = [
        Row(layer.name, owner, kinds[owner], f"layers/{kinds[layer.name]}" * (owner != layer.name), (index,))
        for index, owner, layer in _layers(model)
    ]
    by_place = {stored.place: stored for stored in contents.layers}
    slots = Scheme(model.name, tuple(rows)).slots(contents.layout)
    found = [(layers[slot.node], by_place[slot.place]) for slot in slots if slot.place in by_place]
    fits = all(stored.shapes == tuple(tuple(each.shape) for each in layer.weights) for layer, stored in found)
    return found if fits and len(found) == len(slots) == len(by_place) else []


def _layers(model: Any) -> Iterator[tuple[int, str, Any]]:
    """Its layers with arrays, also those inside a Sequential: place inside, name of the model's layer, the layer."""
    for owner in model.layers:
        for index, layer in enumerate(owner.layers if isinstance(owner, keras.Sequential) else [owner]):
            if layer.weights:
                yield index, owner.name, layer


def _is_called(layer: Any, stored: Stored) -> bool:
    """Whether the file's layer has the name of the model's; any number will do where Keras numbers them."""
    return _plain(stored.name) == layer.name or (_is_numbered(layer, layer.name) and _is_numbered(layer, stored.name))


def _refuse_misplaced(layers: Sequence[tuple[Any, Stored]], mark: Mark) -> None:
    """A name that Keras's code gives to one layer, in the place of another."""
    given = {layer.name for layer, _ in layers if not _is_numbered(layer, layer.name)}
    for layer, stored in layers:
        if _plain(stored.name) in given - {layer.name}:
            message = (
                f"names and places contradict each other: '{short(stored.name)}' is in the place of '{layer.name}'"
            )
            raise fail("weights", message, mark=mark)


def _is_numbered(layer: Any, name: str) -> bool:
    return re.fullmatch(rf"{snake_case(type(layer).__name__)}(_\d+)?", name) is not None


def _plain(name: str) -> str:
    """A name as Keras 3 writes it, where Keras 2 has Conv/BatchNorm."""
    return name.lower().replace("/", "_").replace("batchnorm", "bn")
