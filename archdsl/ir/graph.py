"""The graph: typed nodes, each an operation applied to other nodes. Knows no operation and no framework.

Applying an operation is pure: ``Conv2D(64, 3)(x, name="pre")`` returns a new node and changes nothing. A block
applied to nodes is a node too (a `Call`); laying out a graph replaces each call by its body and gives every
node its full name.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, NamedTuple

from archdsl.ir.emission import EmitContext


class TensorType(NamedTuple):
    """The shape of one image or feature map, without the batch: (height, width, channels). None is unknown.

    `stride` is how many pixels of the image lie between two of the map, along one side. It is known even where
    the sides are not, so that maps which cannot fit are told apart at any image size.
    """

    height: int | None
    image_width: int | None
    channels: int
    stride: float = 1

    @property
    def shape(self) -> tuple[int | None, int | None, int]:
        return self[:3]

    def with_channels(self, channels: int) -> TensorType:
        """(H, W, C) -> (H, W, channels)."""
        return self._replace(channels=channels)

    def strided(self, stride: int) -> TensorType:
        """(H, W, C) -> (H / stride, W / stride, C), rounded up, as padding "same" leaves it."""
        height, image_width = [None if side is None else -(-side // stride) for side in self[:2]]
        return TensorType(height, image_width, self.channels, self.stride * stride)

    def __str__(self) -> str:
        return "x".join("?" if side is None else str(side) for side in self.shape)


class Weight(NamedTuple):
    """One array that a node owns; its size is the product of `shape`."""

    name: str
    shape: tuple[int, ...]
    trainable: bool = True

    @property
    def size(self) -> int:
        return math.prod(self.shape)


class ShapeError(ValueError):
    """Nodes that do not fit an operation: why, which nodes, and the names of the scopes it happened in.

    `{0}` in the hint stands for the name of the first node, `{1}` for that of the second. `path` is the config entry
    that is wrong, where that is not the layer itself but one inside of its block.
    """

    def __init__(self, reason: str, hint: str = ""):
        super().__init__(reason)
        self.reason, self._hint = reason, hint
        self.operation = ""
        self.nodes: tuple[Node, ...] = ()
        self.scopes: list[str] = []
        self.names: Mapping[Node, str] = {}
        self.path: tuple[str | int, ...] = ()

    @property
    def fact(self) -> str:
        """The reason with the operation, and its nodes with their shapes; `names` has better names for some."""
        received = " and ".join(f"{name} ({node.type})" for name, node in zip(self._named, self.nodes, strict=True))
        return f"{self.operation} of {received}: {self.reason}" if self.nodes else self.reason

    @property
    def hint(self) -> str:
        return self._hint.format(*self._named)

    @property
    def _named(self) -> list[str]:
        return [self.names.get(node, node.name) for node in self.nodes]


class TooManyOperations(Exception):
    """A meter has reached its limit."""


@dataclass(slots=True)
class Meter:
    """Counts the operations made from one input, so that a block is stopped before it fills the memory."""

    limit: float
    count: int = 0

    def add(self) -> None:
        self.count += 1
        if self.count > self.limit:
            raise TooManyOperations


@dataclass(frozen=True)
class Op:
    """A primitive operation. Everything true of it stands in its class: shapes, weights, cost, Keras layer."""

    kind: ClassVar[str] = "op"

    def __init_subclass__(cls) -> None:
        cls.kind = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()

    def infer(self, *inputs: TensorType) -> TensorType:
        """The type of the result. Raises ShapeError when the inputs do not fit."""
        raise NotImplementedError

    def weights(self, *inputs: TensorType) -> tuple[Weight, ...]:
        """The arrays this operation owns when applied to `inputs`."""
        return ()

    def macs(self, *inputs: TensorType) -> int | None:
        """Multiply-accumulates for one image; None while height or width is unknown."""
        return 0

    @property
    def reach(self) -> float:
        """Pixels along one side of its input that one pixel of its output is made of; infinite for all of them."""
        return 1

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        """The same operation on Keras tensors, (batch, height, width, channels)."""
        raise NotImplementedError

    def __call__(self, *inputs: Node, name: str = "") -> Node:
        try:
            result = self.infer(*[node.type for node in inputs])
        except ShapeError as error:
            if not error.scopes:  # the innermost place knows the nodes; blocks around it add their names
                error.operation, error.nodes = name or self.kind, inputs
            raise
        meter = inputs[0].meter if inputs else None
        if meter is not None:
            meter.add()
        return Node(self, inputs, result, name or self.kind, meter=meter)

    def __str__(self) -> str:
        """The operation as it would be written, defaults left out."""
        arguments = [
            f"{item.name}={value}" for item in fields(self) if (value := getattr(self, item.name)) != item.default
        ]
        return f"{type(self).__name__}({', '.join(arguments)})"


class Origin(NamedTuple):
    """The config entry that a node was made from: its key path, and its block with how often it repeats."""

    path: str = ""
    block: str = ""


NOWHERE = Origin()


@dataclass(slots=True, eq=False, repr=False)  # never written to; `frozen` would make creating it four times slower
class Node:
    """An operation applied to nodes. `meter`, where there is one, counts what is made from it."""

    op: Op
    inputs: tuple[Node, ...]
    type: TensorType
    name: str
    origin: Origin = NOWHERE
    meter: Meter | None = None

    @property
    def channels(self) -> int:
        return self.type.channels

    @property
    def weights(self) -> tuple[Weight, ...]:
        return self.op.weights(*[node.type for node in self.inputs])

    @property
    def macs(self) -> int | None:
        return self.op.macs(*[node.type for node in self.inputs])

    def __str__(self) -> str:
        return f"{self.name} = {self.op}({', '.join(node.name for node in self.inputs)})  {self.type}"

    def __repr__(self) -> str:
        return f"<Node {self}>"  # not what it was computed from, which would be printed again along every path


@dataclass(frozen=True, repr=False)
class Call(Op):
    """A block applied to its inputs. Stands for `body` until the graph is laid out."""

    body: Node

    def __repr__(self) -> str:
        return f"<Call of {self.body.name}>"

    def infer(self, *inputs: TensorType) -> TensorType:
        return self.body.type


@dataclass
class Layout:
    """Nodes in the order they run, each with its full and only name, calls replaced by their bodies."""

    nodes: list[Node] = field(default_factory=list)
    _placed: dict[Node, Node] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)

    def place(self, node: Node, scope: str = "", origin: Origin = NOWHERE) -> Node:
        """Append what `node` needs and is not there yet; returns the node as it stands in the graph.

        A loop along chains, which can be thousands long; recursion only into calls, which nest a few deep.
        """
        placed, names = self._placed, self._names
        pending = [node]
        while pending:
            current = pending[-1]
            if current in placed:
                pending.pop()
                continue
            sources = [placed.get(source) for source in current.inputs]
            if None in sources:
                pending += [source for source in reversed(current.inputs) if source not in placed]
                continue
            pending.pop()
            name = f"{scope}_{current.name}" if scope else current.name
            if isinstance(current.op, Call):
                placed[current] = self.place(current.op.body, name, origin)
            else:
                if name in names:
                    name = self._unique(name)
                names.add(name)
                settled = Node(current.op, tuple(sources), current.type, name, origin, current.meter)  # type: ignore[arg-type]
                placed[current] = settled
                self.nodes.append(settled)
        result = placed[node]
        placed[result] = result  # so that what follows can be applied to it
        return result

    def _unique(self, name: str) -> str:
        """The name with the first number that makes it one of a kind."""
        return next(candidate for count in itertools.count(2) if (candidate := f"{name}_{count}") not in self._names)


@dataclass(frozen=True, repr=False)
class Graph:
    """A backbone as operations, in the order they run.

    `levels` holds the last node of every stage under its public name ("P3" for stage p3); `outputs` names the
    levels a detector takes; `output` is the last feature map, after the tail. What the parts named in `freeze` (stages,
    stem, tail) are made of is not trained.
    """

    name: str
    nodes: tuple[Node, ...]
    output: Node
    levels: Mapping[str, Node]
    outputs: tuple[str, ...]
    freeze: tuple[str, ...] = ()

    @property
    def input(self) -> Node:
        return self.nodes[0]

    def needed_by(self, ends: Iterable[Node]) -> set[str]:
        """Names of the nodes that `ends` are computed from, themselves included."""
        needed = {end.name for end in ends}
        for node in reversed(self.nodes):
            if node.name in needed:
                needed.update([source.name for source in node.inputs])
        return needed

    def following(self, beginnings: Iterable[Node]) -> set[Node]:
        """The nodes that are computed from `beginnings`, themselves included."""
        found = set(beginnings)
        for node in self.nodes if found else ():
            if not found.isdisjoint(node.inputs):
                found.add(node)
        return found

    def is_frozen(self, node: Node) -> bool:
        """Whether `node` keeps its weights in training."""
        return node.origin.path.removeprefix("stages.").partition(".")[0] in self.freeze

    def __repr__(self) -> str:
        return f"<Graph {self.name}, {len(self.nodes)} nodes>"

    def __str__(self) -> str:
        lines = [f"graph {self.name}", *(f"  {node}" for node in self.nodes)]
        levels = ", ".join(f"{level}={node.name}" for level, node in self.levels.items())
        return "\n".join([*lines, f"  levels: {levels}", f"  output: {self.output.name}"])


def verify(graph: Graph) -> None:
    """Check that names are unique, sources come first, types follow from the operations, ends are inside.

    Raises ValueError: a graph that fails was built or rewritten wrongly, which is a bug, not a user's mistake.
    """
    seen: dict[str, Node] = {}
    for node in graph.nodes:
        _require(node.name not in seen, f"two nodes are named {node.name}")
        for source in node.inputs:
            _require(seen.get(source.name) is source, f"{node.name} reads {source.name}, which has not run yet")
        inferred = node.op.infer(*[source.type for source in node.inputs])
        _require(inferred == node.type, f"{node.name} has type {node.type}, its operation gives {inferred}")
        seen[node.name] = node
    for end in [graph.output, *graph.levels.values()]:
        _require(seen.get(end.name) is end, f"{end.name} is an output, but not in the graph")


def _require(condition: bool, fact: str) -> None:
    if not condition:
        raise ValueError(fact)
