"""What a diagram shows: a box for each layer of the config, the connections between them; of large networks a summary.

A layer that runs several times in a row is one box, one that runs `each` on several maps is a box a map.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import groupby, takewhile
from typing import Any

from archdsl.frontend.sections import OPEN_ENDED, STAGES
from archdsl.ir.cost import total
from archdsl.ir.graph import Graph
from archdsl.ir.layout import Call, Fragment
from archdsl.ir.node import Node
from archdsl.ir.types import FeatureMap, TensorType, Vector

MOST = 90  # boxes; of networks with more, stages are boxes; if these are too many, the first and the last
ENDS = 10  # of each section
Edge = tuple[int, int]
"""The numbers of the boxes that a connection leads from and to."""


@dataclass(frozen=True, eq=False)
class Box:
    """Nodes that are drawn as one, in the order they run. `name` is what `from:` calls them; `levels` and `outputs` are
    the names that the result has.
    """

    name: str
    nodes: tuple[Node, ...]
    levels: tuple[str, ...]
    outputs: tuple[str, ...]
    results: tuple[Node, ...]
    """Those that others read, or that are results of the network."""
    hidden: int = 0
    """How many layers it stands for, where that is not one."""

    @property
    def last(self) -> Node:
        return self.nodes[-1]

    @property
    def type(self) -> TensorType:
        return self.last.type

    @cached_property
    def path(self) -> str:
        """The layer's place in the config; of several layers that of their stage, or of their section."""
        if not self.hidden:
            return self.last.origin.path
        ends = [node.origin.path.split(".")[:2] for node in (self.nodes[0], self.last)]
        return ".".join(ends[0] if ends[0] == ends[1] and self.last.origin.part == ends[0][-1] else ends[1][:1])

    @cached_property
    def section(self) -> str:
        """The lane it is in: `neck`, `head`; `stages` for all that belongs to a backbone."""
        first = self.path.split(".")[0]
        return first if first in OPEN_ENDED else STAGES.name

    @cached_property
    def stage(self) -> str:
        return self.last.origin.part if self.path.startswith(f"{STAGES.name}.") else ""

    @property
    def label(self) -> str:
        """Its name in its lane."""
        part = self.last.origin.part
        if self.hidden:
            return ""
        return self.name.removeprefix(f"{part}_") if part else self.name

    @property
    def block(self) -> str:
        """Its block, with how often it runs."""
        return f"{self.hidden:,} layers" if self.hidden else self.last.origin.block or self.last.op.kind

    @cached_property
    def params(self) -> int:
        return total([node.cost for node in self.nodes]).params

    @cached_property
    def macs(self) -> int | None:
        return total([node.cost for node in self.nodes]).macs

    @property
    def is_plain(self) -> bool:
        """Whether it neither has weights nor computes anything worth counting."""
        return not self.params and self.macs == 0 and not self.hidden and self.last.owner is None

    @property
    def is_slim(self) -> bool:
        """Whether it is drawn on one line."""
        return self.is_plain and not self.outputs and not self.levels

    @cached_property
    def sources(self) -> list[Node]:
        """The nodes outside of it that it reads, once each."""
        own = set(self.nodes)
        return [
            source
            for source in dict.fromkeys(each for node in self.nodes for each in read_by(node))
            if source not in own
        ]

    @cached_property
    def kind(self) -> str:
        """What it does to its input, as colours tell: input, down, up, attention, join, plain, block."""
        return next(kind for kind, applies in _KINDS.items() if applies(self))


def _strides(box: Box) -> list[float]:
    """Of what it reads, vectors left out."""
    return [source.type.stride for source in box.sources if not isinstance(source.type, Vector)]


def _is_down(box: Box) -> bool:
    """Bodies of stages are not: what they do besides is more."""
    if box.stage and box.path.endswith(".body"):
        return False
    return isinstance(box.type, FeatureMap) and box.type.stride > max(_strides(box), default=box.type.stride)


def _is_up(box: Box) -> bool:
    return isinstance(box.type, FeatureMap) and box.type.stride < next(iter(_strides(box)), 0)


def _attends(nodes: Iterable[Node]) -> bool:
    return any(
        _attends(node.op.body.nodes) if isinstance(node.op, Call) else node.op.kind == "attention" for node in nodes
    )


_KINDS: dict[str, Callable[[Box], bool]] = {
    "input": lambda box: not box.sources,
    "many": lambda box: box.hidden > 0,
    "down": _is_down,
    "up": _is_up,
    "attention": lambda box: _attends(box.nodes),
    "join": lambda box: box.is_plain and len(box.sources) > 1,
    "plain": lambda box: box.is_plain,
    "block": lambda box: True,
}


@dataclass(frozen=True)
class Contents:
    """The boxes, each after those it reads, and the connections between them."""

    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]


def contents_of(graph: Graph) -> Contents:
    """The boxes of a graph, which may be an outline; stages as boxes, and less, where there would be too many."""
    layers = list(_layers(graph.nodes))
    for shortened in (_stages, _ends) if len(layers) > MOST else ():
        layers = shortened(layers) if len(layers) > MOST else layers
    home = {node: layer for layer in layers for node in layer}
    read = {source for node in graph.nodes for source in read_by(node) if home[source] is not home[node]}
    read.update(graph.ends)
    count = Counter([layer[-1].origin.path for layer in layers])
    boxes = tuple([_box(layer, graph, read, count[layer[-1].origin.path] == 1) for layer in layers])
    number = {node: index for index, box in enumerate(boxes) for node in box.nodes}
    edges = {(number[source], index) for index, box in enumerate(boxes) for source in box.sources}
    return Contents(boxes, tuple(sorted(edges, key=lambda edge: edge[::-1])))


class _Layer(list[Node]):
    """The nodes of a layer, or of several `layers`. One is not another that holds the same."""

    layers = 1
    __hash__ = object.__hash__  # type: ignore[assignment]
    __eq__ = object.__eq__


def _joined(layers: Iterable[_Layer]) -> _Layer:
    every = list(layers)
    joined = _Layer(node for layer in every for node in layer)
    joined.layers = sum(layer.layers for layer in every)
    return joined


def _layers(nodes: Sequence[Node]) -> Iterable[_Layer]:
    """What is connected among the nodes of each place in the config."""
    for _, own in groupby(nodes, key=lambda node: node.origin.path):
        homes: dict[Node, _Layer] = {}
        for node in own:
            first, *others = dict.fromkeys([homes[source] for source in read_by(node) if source in homes]) or [_Layer()]
            for other in others:
                first += other
                homes.update(dict.fromkeys(other, first))
            first.append(node)
            homes[node] = first
        yield from dict.fromkeys(homes.values())


def _stages(layers: Sequence[_Layer]) -> list[_Layer]:
    """The layers of each stage together."""
    parts = [list(own) for _, own in groupby(layers, key=lambda layer: layer[-1].origin.part)]
    return [each for own in parts for each in ([_joined(own)] if _section(own[0]) == STAGES.name else own)]


def _ends(layers: Sequence[_Layer]) -> list[_Layer]:
    """The first and the last layers of each section, and those between together."""
    found = []
    for _, own in groupby(layers, key=_section):
        every = list(own)
        is_long = len(every) > 3 * ENDS
        found += [*every[:ENDS], _joined(every[ENDS:-ENDS]), *every[-ENDS:]] if is_long else every
    return found


def _section(layer: _Layer) -> str:
    return layer[-1].origin.path.split(".")[0]


def _box(layer: _Layer, graph: Graph, read: Container[Node], is_only: bool) -> Box:
    ends = set(layer)
    results = tuple([node for node in layer if node in read])
    outputs = tuple([name for name, node in graph.outputs.items() if node in ends])
    levels = tuple([name for name, node in graph.levels.items() if node in ends and name not in outputs])
    hidden = layer.layers if layer.layers > 1 else 0
    return Box(_name(layer, is_only), tuple(layer), levels, outputs, results, hidden)


def _name(layer: _Layer, is_only: bool) -> str:
    """What all its nodes' names begin with: `p4_body`, `head_box_n3`. The only box of a layer has the layer's name."""
    words = zip(*[node.name.split("_") for node in layer], strict=False)
    common = "_".join([each[0] for each in takewhile(lambda each: len(set(each)) == 1, words)]) or layer[-1].name
    origin = layer[-1].origin
    full = f"{origin.part}_{origin.path.split('.')[-1]}"
    return full if is_only and layer.layers == 1 and f"{common}_".startswith(f"{full}_") else common


def read_by(node: Node) -> list[Node]:
    """The inputs that its result depends on; a block may take one for the number of its channels alone."""
    if not isinstance(node.op, Call):
        return list(node.inputs)
    return [source for source, is_used in zip(node.inputs, _used(node.op.body), strict=True) if is_used]


@lru_cache(1_000)
def _used(body: Fragment) -> list[bool]:
    read: set[Any] = {body.result, *body.results.values()}
    read.update(source for node in body.nodes for source in read_by(node))
    return [each in read for each in body.inputs]
