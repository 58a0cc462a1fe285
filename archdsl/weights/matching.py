"""Which layer of a file belongs to which node of a model: name and place must not contradict each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from archdsl.ir.graph import Graph
from archdsl.ir.node import Node
from archdsl.weights.formats.contents import Contents, Layout, Shape, Stored, StoredArray
from archdsl.weights.formats.hdf5 import ascending
from archdsl.weights.keras_cv_names import KERAS_CV, keras_cv_scheme
from archdsl.weights.naming import Row, Scheme, Slot, snake_case

if TYPE_CHECKING:
    from archdsl.weights.model import Model

_SHAPES_SHOWN = 8


@dataclass(frozen=True)
class Match:
    """Layers of a file by the node they belong to, and those that belong to none.

    `matched_by` is "order" for a file whose layers have no names, or names that the model does not know: there only
    places and shapes speak. Layers that are `skipped` are of a head that only training uses.
    """

    scheme: str
    matched_by: Literal["name", "order"]
    pairs: Mapping[str, Stored]
    surplus: tuple[Stored, ...]
    contradictions: tuple[str, ...]
    skipped: tuple[Stored, ...] = ()


def match(model: Model, contents: Contents) -> Match:
    """The match under the scheme that knows most layers by name; without names, the one that fits most by place."""
    nodes = {node.name: node for node in model.graph.nodes if node.weights}
    found = [(scheme, scheme.slots(contents.layout)) for scheme in schemes(model)]
    by_name = [_by_name(scheme.title, slots, contents.layers) for scheme, slots in found]
    best = max(by_name, key=lambda each: len(each.pairs))
    if best.pairs or contents.layout == "nodes":
        return best
    by_place = [_by_place(scheme.title, slots, contents.layers) for scheme, slots in found]
    return max(by_place, key=lambda each: sum(fits(nodes[name], stored) for name, stored in each.pairs.items()))


def match_inside(model: Model, contents: Contents) -> Match | None:
    """The part of a larger model's file whose names fit best, as a detector's holds a backbone; None for none."""
    found = {place: match(model, inner) for place, inner in contents.nested().items()}
    named = [place for place, each in found.items() if _is_known(each, contents.layout)]
    if not named:
        return None
    best = max(named, key=lambda place: len(found[place].pairs))
    outside = [stored for stored in contents.layers if not stored.place.startswith(f"{best}/")]
    return replace(found[best], surplus=(*found[best].surplus, *outside))


def _is_known(found: Match, layout: Layout) -> bool:
    """Whether its names tell. In a list, layers inside a layer lack its name, and a few may be ours by chance."""
    return found.matched_by == "name" and len(found.pairs) > (len(found.surplus) if layout == "listed" else 0)


def schemes(model: Model) -> list[Scheme]:
    """Our own way to write the model's weights, and those of keras_cv's classes that have names for its nodes."""
    layers = [layer for layer in model.layers if layer.weights]
    own = [Row(layer.name, layer.name, snake_case(type(layer).__name__)) for layer in layers]
    side = [
        Row(layer.name, layer.name, snake_case(type(layer).__name__), container="_side_layers")
        for layer in model.side_layers
    ]
    in_order = [row.node for row in own + side]
    theirs = [keras_cv_scheme(title, model.graph, in_order) for title in KERAS_CV]
    return [Scheme("archdsl", (*own, *side)), *[scheme for scheme in theirs if scheme.rows]]


def _by_name(title: str, slots: Sequence[Slot], layers: Sequence[Stored]) -> Match:
    by_name = {slot.name: slot for slot in slots}
    pairs = {by_name[stored.name].node: stored for stored in layers if stored.name in by_name}
    taken = {id(stored) for stored in pairs.values()}
    surplus = tuple(stored for stored in layers if id(stored) not in taken)
    return Match(title, "name", pairs, surplus, tuple(_contradictions(slots, layers, pairs)))


def _by_place(title: str, slots: Sequence[Slot], layers: Sequence[Stored]) -> Match:
    by_place = {slot.place: slot for slot in slots}
    pairs = {by_place[stored.place].node: stored for stored in layers if stored.place in by_place}
    surplus = tuple(stored for stored in layers if stored.place not in by_place)
    return Match(title, "order", pairs, surplus, tuple(_out_of_order(slots, pairs)))


def _contradictions(slots: Sequence[Slot], layers: Sequence[Stored], pairs: Mapping[str, Stored]) -> Iterator[str]:
    """Names that occur twice, or in the place of another layer. A file of other layers has other places."""
    for name, count in Counter(stored.name for stored in layers).items():
        if name and count > 1:
            yield f"the name '{name}' occurs {count} times"
    if {slot.place for slot in slots} == {stored.place for stored in layers}:
        for slot in slots:
            stored = pairs.get(slot.node)
            if stored and stored.place != slot.place:
                yield f"'{slot.name}' is at {stored.place}; expected at {slot.place}"
    yield from _out_of_order(slots, pairs)


def _out_of_order(slots: Sequence[Slot], pairs: Mapping[str, Stored]) -> Iterator[str]:
    """Sublayers, which Keras numbers as they are made, in another order than they are made in."""
    for owner, members in groupby(slots, key=lambda slot: slot.name.partition("/")[0]):
        names = [pairs[slot.node].sublayer for slot in members if slot.node in pairs]
        if not ascending(names):
            yield f"the layers inside '{owner}' are not in the order of their numbers"


def arrays_of(node: Node, stored: Stored) -> list[StoredArray | None]:
    """The arrays of a layer in the order the node wants them; None for one that is not there."""
    found = stored.arrays
    return [found.get(weight.name) or found.get(str(index)) for index, weight in enumerate(node.weights)]


def fits(node: Node, stored: Stored) -> bool:
    """Whether the layer has the node's arrays, with their shapes, and no other."""
    shapes = [array.shape if array else None for array in arrays_of(node, stored)]
    return shapes == [weight.shape for weight in node.weights] and len(stored.arrays) == len(shapes)


def shapes_text(shapes: Iterable[Shape]) -> str:
    """3×3×64×128 and 128; equal ones once."""
    texts = ["×".join(map(str, shape)) or "a single number" for shape in shapes]
    different = list(dict.fromkeys(texts))
    more = [f"{len(different) - _SHAPES_SHOWN} more"] if len(different) > _SHAPES_SHOWN else []
    return " and ".join([*different[:_SHAPES_SHOWN], *more]) or "nothing"


def shape_counts(graph: Graph) -> Counter[Shape]:
    """How many arrays of each shape a graph has, which tells architectures apart."""
    return Counter(weight.shape for node in graph.nodes for weight in node.weights)
