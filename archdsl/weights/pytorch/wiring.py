"""Whether the modules of a checkpoint read each other as the layers of a graph do, where the checkpoint tells.

Two networks can have equal shapes everywhere and be wired in another way; then every number is wrong, without an error.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import TypeVar

from archdsl.ir.graph import Graph
from archdsl.weights.pytorch.units import Layer, Module

_Place = TypeVar("_Place", int, str)
Reads = Mapping[int, tuple[int, ...]]


def misreadings(graph: Graph, pairs: Sequence[tuple[Layer, Module]], reads: Reads) -> Iterator[str]:
    """Facts about layers whose modules read others, or in another order; what owns no weights is looked through."""
    ours = _behind(_places(graph, pairs), {place for layer, _ in pairs for place in layer.places})
    theirs = _behind(reads, {module.number for _, module in pairs})
    number_of = {place: module.number for layer, module in pairs for place in layer.places}
    for layer, module in pairs:
        own = list(dict.fromkeys(number_of[read] for place in layer.places for read in ours.get(place, ())))
        other = list(theirs.get(module.number, ()))
        if own != other:
            yield f"{layer.path} reads what is {_told(own)} there, and {module.name} reads {_told(other)}"


def _places(graph: Graph, pairs: Sequence[tuple[Layer, Module]]) -> dict[str, tuple[str, ...]]:
    """The entries of the config that each of them reads; of one that is several modules, its rows and other nodes."""
    several = [layer for layer, _ in pairs if layer.rows > 1]
    rows = {node: place for layer in several for place in layer.places for node in layer.nodes}
    split = {layer.path for layer in several}
    place = {node: rows.get(node, node.name if node.origin.path in split else node.origin.path) for node in graph.nodes}
    found: dict[str, dict[str, None]] = {}
    for node in graph.nodes:
        own = found.setdefault(place[node], {})
        own.update({place[source]: None for source in node.inputs if place[source] != place[node]})
    return {path: tuple(read) for path, read in found.items()}


def _behind(reads: Mapping[_Place, tuple[_Place, ...]], owners: Container[_Place]) -> dict[_Place, tuple[_Place, ...]]:
    """The owners of weights that each place reads, through others; each once, in order. Places come in order."""
    found: dict[_Place, tuple[_Place, ...]] = {}
    for place, read in reads.items():
        through = [(each,) if each in owners else found.get(each, ()) for each in read]
        found[place] = tuple(dict.fromkeys(each for several in through for each in several))
    return found


def _told(numbers: Sequence[int]) -> str:
    return " and ".join(f"model.{number}" for number in numbers) or "the image"
