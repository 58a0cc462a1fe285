"""The arrays of a model as a PyTorch checkpoint has its own: under its names, with its axes and its types.

The checkpoint is matched as if it was loaded, but its arrays give the places of their numbers in place of the numbers.
So what would be loaded tells where each number of ours is from, which is where it goes back to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy

from archdsl.diagnostics.problems import ArchError, Mark, fail
from archdsl.ir.graph import Graph
from archdsl.ir.node import Node
from archdsl.weights.arrays import check_types, refuse_strange_numbers
from archdsl.weights.fitting import matched_torch, misfits
from archdsl.weights.formats import opened
from archdsl.weights.formats.contents import Contents, Stored, StoredArray, short
from archdsl.weights.matching import arrays_of
from archdsl.weights.pytorch.modules import FOR_TRAINING
from archdsl.weights.pytorch.units import ANCHORS, owners_of

if TYPE_CHECKING:
    from archdsl.ir.passes.rewrite import Weights
    from archdsl.weights.formats.contents import Array

_SETTINGS = re.compile(rf"(.*\.)?(num_batches_tracked|{'|'.join(ANCHORS)}|dfl(\.conv)?\.weight)")
_SAME_NETWORK = "give a checkpoint of this very network: of as many classes, and with a head only if the model has one"
_UNFOLDED = "give one of before norms were folded or branches merged; YOLO's names are written by names='torch' too"


def arrays_as_in(template: Path, graph: Graph, name: str, values: Weights) -> dict[str, Array]:
    """The arrays of a checkpoint by their names, with the numbers of the nodes of a graph; settings and counts stay.

    Raises ArchError for a checkpoint of another network, or one that has an array of ours only in a computed form.
    """
    mark = Mark(str(template))
    with opened(template, 0) as contents:
        if contents.layout != "torch":
            raise fail("weights", "not a PyTorch file, which alone has names to take", mark=mark)
        theirs = _Arrays.of(contents)
        found = _matched(graph, name, theirs.with_places(contents), mark)
        if theirs.total > template.stat().st_size:
            raise fail("weights", "several of its arrays are the same bytes of the file", mark=mark)
        numbers, is_given = numpy.zeros(theirs.total, "float32"), numpy.zeros(theirs.total, bool)
        for node, stored in found.items():
            for places, own in zip(_places(node, stored, mark), values[node.name], strict=True):
                numbers[places], is_given[places] = own, True
        written = {full: _written(full, part, numbers, is_given, mark) for full, part in theirs.parts.items()}
    refuse_strange_numbers({full: [array] for full, array in written.items()}, mark)
    return written


class _Part(NamedTuple):
    """An array of a checkpoint, and the place of its numbers among those of all arrays in a row."""

    array: StoredArray
    place: slice

    def placed(self) -> StoredArray:
        """The same, with the places of its numbers in place of the numbers."""

        def read() -> Array:
            return numpy.arange(self.place.start, self.place.stop).reshape(self.array.shape)

        return StoredArray(self.array.shape, self.array.dtype, read)


class _Arrays(NamedTuple):
    """The arrays of a checkpoint by their names, and how many numbers they have."""

    parts: dict[str, _Part]
    total: int

    @classmethod
    def of(cls, contents: Contents) -> _Arrays:
        parts, count = dict[str, _Part](), 0
        for stored in contents.layers:
            for role, array in stored.arrays.items():
                begin, count = count, count + prod(array.shape)
                parts[_full(stored, role)] = _Part(array, slice(begin, count))
        return cls(parts, count)

    def with_places(self, contents: Contents) -> Contents:
        """The checkpoint with places in place of numbers; but for settings, which are compared with the network's."""
        layers = []
        for stored in contents.layers:
            names = {role: _full(stored, role) for role in stored.arrays}
            placed = {role: self.parts[full].placed() for role, full in names.items() if not _SETTINGS.fullmatch(full)}
            layers.append(Stored(stored.place, stored.name, {**stored.arrays, **placed}))
        return contents._replace(layers=tuple(layers))


def _full(stored: Stored, role: str) -> str:
    return f"{stored.name}.{role}".lstrip(".")


def _matched(graph: Graph, name: str, contents: Contents, mark: Mark) -> dict[Node, Stored]:
    """What each node would be loaded from. Raises ArchError where the checkpoint has more, or less."""
    nodes = {node.name: node for node in owners_of(graph)}
    try:
        found = matched_torch(graph, contents, partial=False, mark=mark)
        problems = misfits(name, nodes, found, mark)
    except ArchError as error:
        problems = list(error.problems)
    if problems:
        raise ArchError([each._replace(hint=_SAME_NETWORK) for each in problems]) from None
    return {node: found.pairs[name] for name, node in nodes.items()}


def _places(node: Node, stored: Stored, mark: Mark) -> Iterator[Array]:
    """Where the numbers of each array of a node are from. Raises ArchError for one that they are not taken from."""
    check_types(stored.arrays.values(), stored.label, mark)
    for weight, array in zip(node.weights, arrays_of(node, stored), strict=True):
        places = array.read() if array else numpy.empty(0)
        if places.dtype != "int64":
            message = f"{short(stored.label)} has {node.name}/{weight.name} worked into other numbers"
            raise fail("weights", message, mark=mark, hint=_UNFOLDED)
        yield places


def _written(full: str, part: _Part, numbers: Array, is_given: Array, mark: Mark) -> Array:
    """An array of the checkpoint with our numbers, in its own type; with its own where it is a setting."""
    array = part.array
    if is_given[part.place].all():
        return _in_type(numbers[part.place].reshape(array.shape), array.dtype)
    if not _SETTINGS.fullmatch(full) and not full.startswith(FOR_TRAINING):
        raise fail("weights", f"the model has nothing for {short(full)}", mark=mark, hint=_SAME_NETWORK)
    values = array.read()
    return values.view(_bfloat16()) if array.dtype == "bfloat16" else values


def _in_type(values: Array, dtype: str) -> Array:
    with numpy.errstate(over="ignore"):  # what half precision does not have is refused then
        return values.astype(_bfloat16() if dtype == "bfloat16" else dtype)


def _bfloat16() -> Any:
    """NumPy has none; this is Keras's."""
    import ml_dtypes

    return ml_dtypes.bfloat16
