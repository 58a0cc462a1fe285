"""Blocks applied to nodes → a row of operations with full names.

What a block makes is kept as a `Fragment`, without the nodes that it was made from, and laid out wherever the block is
applied to inputs of the same types. What a graph costs is known before it is laid out: a fragment knows its own cost.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any, NamedTuple

from archdsl.ir.cost import Cost, total
from archdsl.ir.graph import Graph
from archdsl.ir.node import NOWHERE, Meter, Node, Op, Origin, ShapeError
from archdsl.ir.types import ANY, TensorType


@dataclass(eq=False, repr=False)
class Placeholder(Op):
    """An input of a fragment. () -> its type."""

    takes = ANY

    type: TensorType

    def infer(self) -> TensorType:
        return self.type


_cost_of = attrgetter("cost")


@dataclass(slots=True, eq=False, repr=False)  # never written to, like Node
class Fragment:
    """The nodes that a block makes of `inputs`, in the order they run and named inside of the block; calls among them.

    `count` is how many operations were made for it. `results` has the results by name if there are several; `result` is
    the last of them.
    """

    inputs: tuple[Node, ...]
    nodes: tuple[Node, ...]
    result: Node
    count: int
    cost: Cost
    results: Mapping[str, Node]

    def is_plain(self, name: str) -> bool:
        """Whether it is a single operation without weights that is called `name` already, such as `concat`."""
        node = self.result
        is_single = self.nodes == (node,) and node.inputs == self.inputs and not isinstance(node.op, Call)
        return is_single and node.name == name and not node.weights


class Several(dict[str, Node]):
    """The results of a block by name, and `layers` in the order that they run, with those that no result needs."""

    def __init__(self, results: Mapping[str, Node], layers: Iterable[Node]):
        super().__init__(results)
        self.layers = tuple(layers)


@dataclass(eq=False, repr=False)
class Call(Op):
    """A block applied to its inputs. Stands for `body` until the graph is laid out."""

    takes = ANY

    body: Fragment

    def __repr__(self) -> str:
        return f"<Call of {self.body.result.name}>"

    def infer(self, *inputs: Any) -> TensorType:
        return self.body.result.type

    def cost(self, result: Any, *inputs: Any) -> Cost:
        return self.body.cost


def fragment(make: Callable[..., Node | dict[str, Node]], types: Sequence[TensorType], meter: Meter) -> Fragment:
    """The fragment that `make`, a function of nodes, gives for inputs of these types; `meter` is left as it was.

    Raises ShapeError where they do not fit, and TooManyOperations for more than `meter` has left.
    """
    before = meter.count
    inputs = tuple([Node(Placeholder(each), (), each, "", NOWHERE, meter) for each in types])
    try:
        made = make(*inputs)
        count = meter.count - before
    finally:
        meter.count = before
    if isinstance(made, Node):  # nearly all
        inside = in_order(made, inputs)
        return Fragment(inputs, tuple(inside), made, count, total(map(_cost_of, inside)), {})
    inside = _ordered(made.values(), inputs)
    if isinstance(made, Several):
        needed = set(inside)
        inside = [node for node in _ordered(made.layers, inputs) if node in needed]
    return Fragment(inputs, tuple(inside), [*made.values()][-1], count, total(map(_cost_of, inside)), made)


def _ordered(ends: Iterable[Node], inputs: Sequence[Node]) -> list[Node]:
    """What each of these in turn is computed from, each node once."""
    found = dict.fromkeys(inputs)
    for end in ends:
        found.update(dict.fromkeys(in_order(end, found)))
    return list(found)[len(inputs) :]


def call(made: Fragment, inputs: tuple[Node, ...], name: str) -> Node:
    """The fragment applied to `inputs`, as one node; a plain one as itself."""
    meter = inputs[0].meter if inputs else None
    if meter is not None:
        meter.add(max(1, made.count))  # what does nothing would otherwise be done without end
    if len(made.nodes) == 1 and made.is_plain(name):
        return Node(made.result.op, inputs, made.result.type, name, NOWHERE, meter, made.cost)
    return Node(Call(made), inputs, made.result.type, name, NOWHERE, meter, made.cost)


def to_callers(error: ShapeError, made: Sequence[Node], inputs: Sequence[Node]) -> None:
    """Name the caller's nodes in an error, where it names the placeholders that stood for them."""
    own = dict(zip(made, inputs, strict=True))
    error.nodes = tuple([own.get(node, node) for node in error.nodes])


def in_order(end: Node, known: Container[Node]) -> list[Node]:
    """What `end` is computed from and is not `known` yet, `end` included, each node after its inputs.

    A loop, since a chain can be thousands long.
    """
    chain: list[Node] = []
    while len(end.inputs) == 1 and end not in known:  # nearly all of most networks
        chain.append(end)
        (end,) = end.inputs
    if end in known:
        return chain[::-1]
    order: dict[Node, None] = {}
    pending = [end]
    while pending:
        current, is_ready = pending[-1], True
        for source in current.inputs[::-1]:
            if source not in order and source not in known:
                pending.append(source)
                is_ready = False
        if is_ready:
            order[pending.pop()] = None
    return [*order, *chain[::-1]]


class Unfolded(NamedTuple):
    """The nodes that a block made, with full names, and the results by name."""

    named: list[tuple[str, Node]]
    result: Node
    results: dict[str, Node]


def unfolded(called: Node, is_wanted: Callable[[str], bool] = lambda name: False) -> Unfolded:
    """Blocks inside of it stay calls, but for those whose name `is_wanted`: they are unfolded too."""
    if not isinstance(called.op, Call) or not called.op.body.nodes:
        return Unfolded([(called.name, called)], called, {})
    placed = dict(zip(called.op.body.inputs, called.inputs, strict=True))
    named: list[tuple[str, Node]] = []
    for node in called.op.body.nodes:
        inputs = tuple([placed[source] for source in node.inputs])
        own = node.again(inputs, f"{called.name}_{node.name}", called.origin)
        inside = unfolded(own, is_wanted) if is_wanted(own.name) else Unfolded([], own, {})
        placed[node] = inside.result
        named += [*inside.named, (own.name, inside.result)]
    results = {name: placed[node] for name, node in called.op.body.results.items()}
    return Unfolded(named, placed[called.op.body.result], results)


def results_of(made: Node) -> dict[str, Node]:
    """The results of a block by name, empty for a block with one."""
    has_several = isinstance(made.op, Call) and made.op.body.results
    return unfolded(made).results if has_several else {}


def weight_shapes(node: Node) -> list[tuple[int, ...]]:
    """Shapes of all arrays of a node, or of what a block made, in the order of its operations."""
    inside = node.op.body.nodes if isinstance(node.op, Call) else ()
    return [shape for each in inside for shape in weight_shapes(each)] or [weight.shape for weight in node.weights]


def laid_out(graph: Graph) -> Graph:
    """The same graph with every operation as a node of its own."""
    layout = Layout()
    placed = {node: layout.place(node, node.origin) for node in graph.nodes}
    return moved(graph, layout.nodes, placed)


def moved(graph: Graph, nodes: Sequence[Node], places: Mapping[Node, Node]) -> Graph:
    """The graph with other `nodes`; `places` has the new node for every old one."""
    return replace(
        graph,
        nodes=tuple(nodes),
        output=places[graph.output],
        levels={level: places[end] for level, end in graph.levels.items()},
        outputs={name: places[end] for name, end in graph.outputs.items()},
    )


@dataclass
class Layout:
    """Nodes in the order they run, each with its full and only name, calls replaced by what their blocks made."""

    nodes: list[Node] = field(default_factory=list)
    _placed: dict[Node, Node] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)
    _made: dict[Node, list[Node]] = field(default_factory=dict)

    def place(self, node: Node, origin: Origin = NOWHERE) -> Node:
        """Append what `node` needs and is not there yet; returns the node as it stands in the graph."""
        before = len(self.nodes)
        self._settle(in_order(node, self._placed), self._placed, "", origin)
        self._made[node] = self.nodes[before:]
        if node.owner is not None:
            for made, owner in zip(self._made[node], self._made[node.owner], strict=True):
                made.share(owner)
        result = self._placed[node]
        self._placed[result] = result  # so that what follows can be applied to it
        return result

    def expand(self, made: Fragment, inputs: Sequence[Node], scope: str = "", origin: Origin = NOWHERE) -> Node:
        """Append the nodes of a fragment, applied to nodes of the graph; returns its result."""
        inside = dict(zip(made.inputs, inputs, strict=True))
        self._settle(made.nodes, inside, scope, origin)
        return inside[made.result]

    def _settle(self, nodes: Sequence[Node], placed: dict[Node, Node], scope: str, origin: Origin) -> None:
        """Append `nodes`, whose inputs are `placed`. Recursion only into calls, which nest a few deep."""
        for node in nodes:
            inputs = tuple([placed[source] for source in node.inputs])
            name = scope + node.name
            if isinstance(node.op, Call):
                placed[node] = self.expand(node.op.body, inputs, f"{name}_", origin)
            else:
                placed[node] = node.again(inputs, self._own(name), origin)
                self.nodes.append(placed[node])

    def _own(self, name: str) -> str:
        """`name`, or that with the first number that makes it one of a kind."""
        if name in self._names:
            name = next(each for count in itertools.count(2) if (each := f"{name}_{count}") not in self._names)
        self._names.add(name)
        return name
