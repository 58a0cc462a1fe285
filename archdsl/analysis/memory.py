"""How much memory the values between operations take at least, by when each is made and when it is read last.

Operations run in the order of the graph, in float32. A value takes memory from the operation that makes it to its last
reader; results of the network, and what training keeps for the backward pass, stay. What deployed runtimes do without
memory costs none here: a view is its input, what works on each number alone writes over an input that nothing else
reads, a convolution pads as it reads, and adds to a value what would only be added to it. So batch norms cost nothing,
folded or not.

Not counted are weights, the image once it is read, gradients of values, and what a kernel needs while it runs, such as
the matrix of an attention.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any, NamedTuple, cast

from archdsl.ir.graph import Graph
from archdsl.ir.node import Node
from archdsl.ir.ops import Add, Pad

FLOAT_BYTES = 4
_COPIES = 3  # of a weight in training: its gradient, and two averages of an optimizer such as Adam


class Occupied(NamedTuple):
    """Bytes that values take while each node of the graph runs, for one image, and those of each value at the peak."""

    bytes: tuple[int, ...]
    held: dict[Node, int]

    @property
    def peak(self) -> int:
        return max(self.bytes)


def in_inference(graph: Graph) -> Occupied | None:
    """None while the size of a value is unknown."""
    return _occupied(graph, ())


def in_training(graph: Graph) -> Occupied | None:
    """The same with what the backward pass needs, which stays to the end."""
    return _occupied(graph, kept(graph))


def kept(graph: Graph) -> set[Node]:
    """The values that the backward pass reads, of operations that training reaches."""
    reached = graph.following([node for node in graph.nodes if node.trained and not graph.is_frozen(node)])
    values: set[Node] = set()
    for node in reached:
        values.update({"inputs": node.inputs, "result": (node,), "nothing": ()}[node.op.keeps])
    return values


def bytes_of(node: Node) -> int:
    """Of the result, for one image."""
    return FLOAT_BYTES * node.type.elements


class Memory(NamedTuple):
    """Bytes that a network takes at least for a batch of images: values between operations, in inference and training.

    The peak in inference is while `layer` runs, an entry of the config; `held` has what each entry has of it, the most
    first. `to_train`, the weights with their gradients and the two copies of Adam, comes on top of `training`.
    """

    batch: int
    inference: int
    layer: str
    held: Mapping[str, int]
    training: int
    to_train: int

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {**self._asdict(), "held": dict(self.held)}


def memory(graph: Graph, inference: Occupied, batch: int) -> Memory:
    """For a batch, of what `in_inference` has found."""
    held: Counter[str] = Counter()
    for node, size in inference.held.items():
        held[node.origin.path] += batch * size
    moment = inference.bytes.index(inference.peak)
    training = cast(Occupied, in_training(graph))
    trained = sum([node.trained for node in graph.nodes if not graph.is_frozen(node)])
    return Memory(
        batch,
        batch * inference.peak,
        graph.nodes[moment].origin.path,
        dict(held.most_common()),
        batch * training.peak,
        FLOAT_BYTES * (graph.cost.params + _COPIES * trained),
    )


class Moment(NamedTuple):
    """Bytes while a layer runs: what it makes, at its most, and what it only keeps for others, by their layers."""

    own: int
    held: Mapping[str, int]


def by_layer(graph: Graph) -> dict[str, Moment]:
    """The memory of each entry of the config in inference, for one image of a known size.

    A layer's `own` and `held` together are what is taken while it runs; the most of any is the peak.
    """
    occupied = Places(graph, ())
    ends: dict[str, tuple[int, int]] = {}
    for position, node in enumerate(graph.nodes):
        begin, _ = ends.get(node.origin.path, (position, 0))
        ends[node.origin.path] = begin, position
    return {layer: _moment(occupied, begin, end) for layer, (begin, end) in ends.items()}


def _moment(places: Places, begin: int, end: int) -> Moment:
    """What is there from before the first node of a layer to after its last is held; the rest is its own."""
    held: Counter[str] = Counter()
    changes = [0] * (end - begin + 2)
    for place, (first, last) in places.spans.items():
        if first < begin and last > end:
            held[place.origin.path] += bytes_of(place)
        elif first <= end and last >= begin:
            changes[max(first, begin) - begin] += bytes_of(place)
            changes[min(last, end) - begin + 1] -= bytes_of(place)
    return Moment(max(accumulate(changes)), held)


def _occupied(graph: Graph, stay: Collection[Node]) -> Occupied | None:
    if any(None in node.type.shape for node in graph.nodes):
        return None
    places = Places(graph, stay)
    changes = [0] * (len(graph.nodes) + 1)
    for place, (begin, end) in places.spans.items():
        changes[begin] += bytes_of(place)
        changes[end + 1] -= bytes_of(place)
    taken = tuple(accumulate(changes[:-1]))
    moment = taken.index(max(taken))
    return Occupied(taken, {node: bytes_of(node) for node in places.holders(moment)})


class Places:
    """Which values share memory, and when it is taken. A place is named by the first node whose result is in it.

    `spans` has the positions in the graph of the first and the last node that need each place.
    """

    def __init__(self, graph: Graph, stay: Iterable[Node]) -> None:
        self.graph = graph
        self.readers: dict[Node, list[Node]] = {node: [] for node in graph.nodes}
        for node in graph.nodes:
            for source in node.inputs:
                self.readers[source].append(node)
        self.position = {node: position for position, node in enumerate(graph.nodes)}
        self.value = self._values()
        self.stays = {self.value[node] for node in (*stay, *graph.results, *graph.outputs.values())}
        self.last = self._last_readers()
        self.place = self._shared()
        self.spans = self._spans()

    def holders(self, moment: int) -> list[Node]:
        """The node whose result is in each place that is taken while the node at the position `moment` runs."""
        latest = {self.place[node]: self.value[node] for node in self.graph.nodes[: moment + 1]}
        return [node for place, node in latest.items() if self.spans[place][1] >= moment]

    def _values(self) -> dict[Node, Node]:
        """The node that made what each node gives: itself, but for a view."""
        found: dict[Node, Node] = {}
        for node in self.graph.nodes:
            found[node] = found[node.inputs[0]] if self._is_view(node) else node
        return found

    def _is_view(self, node: Node) -> bool:
        is_border = isinstance(node.op, Pad) and node.op.value == 0
        return node.op.is_view or (is_border and all(reader.op.pads for reader in self.readers[node]))

    def _last_readers(self) -> dict[Node, int]:
        """The position of the last node that reads each value, the end of the graph for those that stay."""
        last: dict[Node, int] = {}
        for node, value in self.value.items():
            for source in (value, *[self.value[source] for source in node.inputs]):
                last[source] = self.position[node]
        return {**last, **dict.fromkeys(self.stays, len(self.graph.nodes) - 1)}

    def _shared(self) -> dict[Node, Node]:
        sums, place = dict(self._sums()), dict[Node, Node]()
        for node, value in self.value.items():
            source = value if value is not node else sums.get(node) or self._overwritten(node)
            place[node] = node if source is None else place[source]
        return place

    def _overwritten(self, node: Node) -> Node | None:
        sources = [self.value[source] for source in node.inputs if node.op.in_place]
        return next((value for value in sources if self._is_free(value, node)), None)

    def _is_free(self, value: Node, reader: Node) -> bool:
        """Whether `reader` may write its result over a value: nothing reads that later. The image is the caller's."""
        is_own = value is not self.graph.input and value not in self.stays
        return is_own and self.last[value] == self.position[reader] and bytes_of(value) == bytes_of(reader)

    def _sums(self) -> Iterator[tuple[Node, Node]]:
        """The value that each node's result is added to as it is computed."""
        for node in self.graph.nodes:
            row = self._row_before(node) if isinstance(node.op, Add) else []
            others = [self.value[source] for source in node.inputs if row and source is not row[0]]
            for target in others:
                if self._is_free(target, node) and target not in [self.value[source] for source in row[-1].inputs]:
                    yield from [(each, target) for each in row]
                    break

    def _row_before(self, end: Node) -> list[Node]:
        """The nodes right before an Add that only it reads, backwards to one that adds to what is there; or none."""
        row, reader = [], end
        for position in range(self.position[end] - 1, -1, -1):
            node = self.graph.nodes[position]
            if self.readers[node] != [reader] or node in self.stays:
                break
            row.append(node)
            if node.op.adds_to:
                return row
            if not node.op.in_place or len(node.inputs) != 1:
                break
            reader = node
        return []

    def _spans(self) -> dict[Node, tuple[int, int]]:
        spans: dict[Node, tuple[int, int]] = {}
        for node, place in self.place.items():
            begin, end = spans.get(place, (self.position[node], 0))
            spans[place] = begin, max(end, self.last[self.value[node]])
        return spans
