"""A functional Keras model → its structure. Models inside of it are walked into; nothing is called."""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeAlias

import keras
import numpy

from archdsl.diagnostics.problems import fail
from archdsl.weights.formats.contents import Shape
from archdsl.weights.structure import Edge, Part, Structure

MAX_TENSORS = 200_000
Key: TypeAlias = tuple[int, int]
"""A tensor: the number of the model call that it is in, and its id."""

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
    "CustomScaleLayer": "add",  # of Keras's InceptionResNetV2: the sum of the first and a multiple of the second
}
_DETAILS = ("strides", "dilation_rate")
_UNORDERED = ("add", "multiply", "average", "maximum", "minimum")
_FLAT = ("add", "multiply", "concatenate")  # a sum of sums is a sum


def structure_of(tensors: Iterable[Any], inputs: Iterable[Any]) -> Structure:
    """The structure that computes `tensors` from `inputs`. Raises ArchError for tensors that no Keras layer made."""
    walk = _Walk({(0, id(tensor)): f"input {index}" for index, tensor in enumerate(inputs)})
    for tensor in tensors:
        walk.reach(tensor)
    return Structure(_flattened(walk.parts))


class _Call(NamedTuple):
    """A model inside of a model where it is called: its inputs by their ids, and where they come from."""

    number: int
    inputs: Mapping[int, tuple[Any, _Call]]


_OUTSIDE = _Call(0, {})


@dataclass
class _Walk:
    """Parts in the order that a walk from the results down, input by input, finds them."""

    inputs: Mapping[Key, str]
    parts: list[Part] = field(default_factory=list)
    _edges: dict[Key, Edge] = field(default_factory=dict)
    _calls: dict[Hashable, _Call] = field(default_factory=dict)
    _made: dict[Hashable, Edge] = field(default_factory=dict)
    _kept: list[Any] = field(default_factory=list)  # tensors whose ids are in use

    def reach(self, tensor: Any) -> None:
        """A loop, since a network can be thousands of layers deep."""
        pending = [(tensor, _OUTSIDE)]
        while pending:
            tensor, call = pending[-1]
            missing = self._missing(tensor, call)
            pending += reversed(missing)
            if not missing:
                pending.pop()
            if len(self._edges) > MAX_TENSORS:
                raise fail("model", f"a Keras model with more than {MAX_TENSORS} tensors")

    def _missing(self, tensor: Any, call: _Call) -> list[tuple[Any, _Call]]:
        """The tensors to be reached before this one; none if it has been reached now."""
        key = (call.number, id(tensor))
        if key in self._edges:
            return []
        if key in self.inputs:
            self._edges[key] = self._append(Part(tensor.name, self.inputs[key]))
            return []
        sources = self._sources(tensor, call)
        missing = [each for each in sources if (each[1].number, id(each[0])) not in self._edges]
        if not missing:
            read = tuple(self._edges[source[1].number, id(source[0])] for source in sources)
            self._edges[key] = self._passed(tensor, call, read)
        return missing

    def _sources(self, tensor: Any, call: _Call) -> list[tuple[Any, _Call]]:
        """Where a tensor comes from: the inputs of its layer, or what is the same tensor in another model."""
        if id(tensor) in call.inputs:
            return [call.inputs[id(tensor)]]
        operation, node, index = _history(tensor)
        read = operation._inbound_nodes[node].input_tensors
        if not _is_functional(operation):
            return [(each, call) for each in read]
        made = (call.number, id(operation), node)
        if made not in self._calls:
            inside = {id(own): (outer, call) for own, outer in zip(operation.inputs, read, strict=True)}
            self._calls[made] = _Call(len(self._calls) + 1, inside)
        return [(operation.outputs[index], self._calls[made])]

    def _passed(self, tensor: Any, call: _Call, read: tuple[Edge, ...]) -> Edge:
        """The edge that a tensor is; a part for its layer where that is one."""
        if id(tensor) in call.inputs:
            return read[0]
        operation, node, index = _history(tensor)
        if _is_functional(operation):
            return read[0]
        made = (call.number, id(operation), node)
        if made not in self._made:
            self._made[made] = self._operation(operation, read)
        passed = self._made[made]
        several = len(operation._inbound_nodes[node].output_tensors) > 1
        return passed._replace(detail=(*passed.detail, str(index))) if several else passed

    def _operation(self, operation: Any, read: tuple[Edge, ...]) -> Edge:
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
        if name == "Rescaling" and part.kind == "normalization":  # as in Keras's EfficientNet with trained weights
            self.parts[edge.source] = replace(part, scale=part.scale * numpy.asarray(operation.scale))
        return edge._replace(detail=(*edge.detail, name)) if "Pooling" in name else edge

    def _append(self, part: Part) -> Edge:
        self.parts.append(part)
        return Edge(len(self.parts) - 1)


def _history(tensor: Any) -> tuple[Any, int, int]:
    found = getattr(tensor, "_keras_history", None)
    if found is None:
        raise fail("model", f"'{getattr(tensor, 'name', tensor)}' is not the result of a Keras layer")
    return tuple(found)


def _is_functional(operation: Any) -> bool:
    if isinstance(operation, keras.Sequential):
        return bool(operation.built)
    return isinstance(operation, keras.Model) and isinstance(operation, keras.Function)


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
