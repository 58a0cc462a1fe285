"""A functional Keras model → its structure. Models inside of it are walked into; nothing is called."""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy

from archdsl.weights.formats.contents import Shape
from archdsl.weights.keras_walk import Walk
from archdsl.weights.structure import Edge, Part, Structure

_KERNEL, _OTHER = "kernel", "other"
_KINDS = {  # classes that other classes do the work of have one kind; those not listed have `_OTHER`
    "Conv1D": _KERNEL,
    "Conv2D": _KERNEL,
    "DepthwiseConv2D": _KERNEL,
    "SeparableConv2D": _KERNEL,
    "Dense": _KERNEL,
    "Conv2DTranspose": "transposed",
    "BatchNormalization": "batch norm",
    "LayerNormalization": "layer norm",
    "GroupNormalization": "group norm",
    "Normalization": "normalization",
    "PReLU": "prelu",
    "Average": "add",
    "CustomScaleLayer": "add",  # of Keras's InceptionResNetV2: the sum of the first and a multiple of the second
}
_DETAILS = ("strides", "dilation_rate")
_UNORDERED = ("add", "multiply", "average", "maximum", "minimum")
_FLAT = ("add", "multiply", "concatenate")  # a sum of sums is a sum

_SCALES: Mapping[str, Callable[[Any], Any]] = {  # what layers without arrays multiply by
    "Rescaling": lambda layer: numpy.asarray(layer.scale),
    "Normalization": lambda layer: numpy.asarray(layer.input_variance) ** -0.5,
}


def structure_of(tensors: Iterable[Any], inputs: Iterable[Any]) -> Structure:
    """The structure that computes `tensors` from `inputs`. Raises ArchError for tensors that no Keras layer made."""
    walk = _Walk({(0, id(tensor)): f"input {index}" for index, tensor in enumerate(inputs)})
    for tensor in tensors:
        walk.reach(tensor)
    return Structure(_flattened(walk.parts))


@dataclass
class _Walk(Walk[Edge]):
    """Parts in the order that the walk finds them."""

    parts: list[Part] = field(default_factory=list)

    def entered(self, tensor: Any, name: str) -> Edge:
        return self._append(Part(tensor.name, name))

    def picked(self, result: Edge, index: int) -> Edge:
        return result._replace(detail=(*result.detail, str(index)))

    def called(self, operation: Any, node: Any, read: tuple[Edge, ...]) -> Edge:
        owned = _owned(operation)
        name = type(operation).__name__
        kind = _KINDS.get(name, _OTHER if owned else name.lower())
        if not owned and len(read) == 1:
            return self._transparent(operation, name, read[0])
        if not owned:
            return self._append(Part(operation.name, kind, read, kind not in _UNORDERED))
        detail = tuple(str(value) for each in _DETAILS if (value := getattr(operation, each, (1, 1))) != (1, 1))
        first = 0
        for arrays in owned:
            is_depthwise = "Depthwise" in name or len(owned) > first + 1
            shapes = tuple(_canonical(kind, *each, is_depthwise) for each in arrays)
            part = Part(operation.name, kind, read, True, shapes, detail, (id(operation), first), operation, first)
            read = (self._append(part),)
            first += len(arrays)
        return read[0]

    def _transparent(self, operation: Any, name: str, edge: Edge) -> Edge:
        part = self.parts[edge.source]
        if name in _SCALES and part.kind == "normalization":  # as in Keras's EfficientNet with trained weights
            self.parts[edge.source] = replace(part, scale=part.scale * _SCALES[name](operation))
        return edge._replace(detail=(*edge.detail, name)) if "Pooling" in name else edge

    def _append(self, part: Part) -> Edge:
        self.parts.append(part)
        return Edge(len(self.parts) - 1)


def _owned(operation: Any) -> list[list[tuple[str, Shape]]]:
    """Names and shapes of the arrays of a layer; separately for what does the work of two."""
    arrays = [(weight.name, tuple(weight.shape)) for weight in getattr(operation, "weights", ())]
    if type(operation).__name__ == "SeparableConv2D":
        return [arrays[:1], arrays[1:]]
    return [arrays] if arrays else []


def _canonical(kind: str, name: str, shape: Shape, is_depthwise: bool) -> Hashable:
    """A shape that is the same for all layers that do the same work; their arrays differ in nothing else.

    A kernel of one pixel is that of a dense layer, a depthwise one that of a convolution with a group for each channel.
    """
    if kind == _OTHER:
        return tuple(side for side in shape if side != 1)
    if kind != _KERNEL:
        return (name, *shape)
    if is_depthwise and len(shape) == 4:
        shape = (*shape[:2], 1, shape[2] * shape[3])
    return shape[2:] if len(shape) == 4 and shape[:2] == (1, 1) else shape


def _flattened(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Without merges that only another merge of the same kind reads."""
    readers: list[list[str]] = [[] for _ in parts]
    for part in parts:
        for edge in part.inputs:
            readers[edge.source].append(part.kind)
    merged = {place for place, part in enumerate(parts) if part.kind in _FLAT and readers[place] == [part.kind]}
    places = {place: index for index, place in enumerate(sorted(set(range(len(parts))) - merged))}
    return tuple(replace(parts[place], inputs=tuple(_read(parts, place, merged, places))) for place in places)


def _read(parts: Sequence[Part], place: int, merged: Container[int], places: Mapping[int, int]) -> Iterator[Edge]:
    """The inputs of a part, and of merges that it reads and that are left out."""
    pending = list(reversed(parts[place].inputs))
    while pending:
        edge = pending.pop()
        if edge.source in merged:
            pending += reversed(parts[edge.source].inputs)
        else:
            yield edge._replace(source=places[edge.source])
