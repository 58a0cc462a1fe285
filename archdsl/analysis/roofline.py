"""How long a network takes on a machine, before it is built: what it was measured to take, or at least must take.

Times are those of the fused graph, for one image in float32. An operation whose time was measured takes that; another
takes as long as its multiply-accumulates at the machine's peak or its bytes at its bandwidth, whichever is longer
(Williams et al. 2009, Roofline), and what starting an operation takes. What works in place on the result of one
operation is part of it: an activation that runtimes compute as they write costs nothing, another its way through
memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

from archdsl.analysis.memory import FLOAT_BYTES
from archdsl.analysis.text import counted
from archdsl.ir.graph import Graph
from archdsl.ir.node import Node
from archdsl.ir.ops import Activation, Pad

_WHILE_WRITING = ("linear", "relu", "relu6", "leaky_relu")
"""Activations that runtimes compute in the operation before them."""
_SEVERAL = {"silu": 5, "mish": 7, "gelu": 9, "gelu_tanh": 13}
"""How often others read or write a map: of SiLU, sigmoid(x) is an operation, and its product with x another."""
_NAMED = 3  # layers that take the most time


@dataclass(frozen=True)
class Machine:
    """Multiply-accumulates and bytes a second, seconds to start an operation; measured seconds by `Operation.key`.

    All of them with so many threads, None where that is not known.
    """

    macs: float
    bandwidth: float
    overhead: float = 0.0
    times: Mapping[str, float] = field(default_factory=dict)
    threads: int | None = None

    def seconds(self, operation: Operation) -> float:
        """What was measured, else what it takes at least."""
        measured = self.times.get(operation.key)
        return self.estimate(operation) if measured is None else measured

    @property
    def threads_text(self) -> str:
        """`1 thread`, `2 threads`; nothing where that is not known."""
        return counted(self.threads, "thread") if self.threads else ""

    def estimate(self, operation: Operation) -> float:
        work = max(operation.macs / self.macs, operation.bytes / self.bandwidth)
        return work + self.overhead + operation.bytes_after / self.bandwidth


@dataclass(frozen=True, eq=False)
class Operation:
    """A node with those that work in place on its result, and that nothing but the next of them reads."""

    nodes: tuple[Node, ...]

    @property
    def layer(self) -> str:
        """The entry of the config that it is from."""
        return self.nodes[0].origin.path

    @property
    def key(self) -> str:
        """Its name in a table of times: `Conv2D(filters=64, kernel=3) + Activation(function=silu) on 80x80x32`."""
        inputs = ", ".join(["x".join(map(str, source.type.shape)) for source in self.nodes[0].inputs])
        return f"{' + '.join([repr(node.op) for node in self.nodes])} on {inputs}"

    @property
    def macs(self) -> int:
        return sum([node.cost.known_macs for node in self.nodes])

    @property
    def bytes(self) -> int:
        """What the first node reads and writes: its inputs, its weights and its result."""
        return FLOAT_BYTES * (self.map_values + self.weight_values)

    @property
    def map_values(self) -> int:
        """Of the inputs and the result of the first node."""
        first = self.nodes[0]
        return sum([source.type.elements for source in first.inputs]) + first.type.elements

    @property
    def weight_values(self) -> int:
        """Of the first node."""
        first = self.nodes[0]
        return sum([prod(shape) for _, shape, _ in first.op.weights(*[source.type for source in first.inputs])])

    @property
    def bytes_after(self) -> int:
        """What the others read and write."""
        return FLOAT_BYTES * sum([_passes(node) * node.type.elements for node in self.nodes[1:]])


def _passes(node: Node) -> int:
    function = node.op.function if isinstance(node.op, Activation) else ""
    return 0 if function in _WHILE_WRITING else _SEVERAL.get(function, 2)


def operations(graph: Graph) -> list[Operation]:
    """What takes time in a fused graph, in order: every node but views."""
    readers: dict[Node, list[Node]] = {node: [] for node in graph.nodes}
    for node in graph.nodes:
        for source in node.inputs:
            readers[source].append(node)
    rows: dict[Node, list[Node]] = {}
    for node in graph.nodes[1:]:
        row = rows.get(node.inputs[0]) if node.inputs else None
        if _is_view(node, readers[node]):
            continue
        if row and node.op.in_place and len(node.inputs) == 1 and readers[row[-1]] == [node]:
            row.append(node)
            rows[node] = row
        else:
            rows[node] = [node]
    return [Operation(tuple(row)) for node, row in rows.items() if row[0] is node]


def _is_view(node: Node, readers: list[Node]) -> bool:
    """Zeros around a map are one where all that read it can do without."""
    is_border = isinstance(node.op, Pad) and node.op.value == 0
    return node.op.is_view or (is_border and bool(readers) and all(reader.op.pads for reader in readers))


def least_seconds(graph: Graph, machine: Machine, batch: int, value_bytes: int) -> float:
    """Seconds that a fused graph takes at least for a batch, with numbers of so many bytes.

    One operation after the other, each as long as its arithmetic or its memory (Williams et al. 2009, Roofline); those
    in place cost nothing more, and the weights are read once for the batch.
    """
    return sum(
        max(
            batch * each.macs / machine.macs,
            value_bytes * (batch * each.map_values + each.weight_values) / machine.bandwidth,
        )
        for each in operations(graph)
    )


def seconds_by_layer(graph: Graph, machine: Machine) -> dict[str, float]:
    """The time of each entry of the config. `graph` is fused, as `Report.fused` is, for images of a known size."""
    found: dict[str, float] = {}
    for operation in operations(graph):
        found[operation.layer] = found.get(operation.layer, 0.0) + machine.seconds(operation)
    return found


def measured_share(graph: Graph, machine: Machine) -> tuple[int, int]:
    """How many operations have a measured time, and how many there are."""
    found = [operation.key in machine.times for operation in operations(graph)]
    return sum(found), len(found)


def latency_text(graph: Graph, machine: Machine) -> str:
    """The whole time, where it is from, and the layers that take most of it, two lines."""
    seconds = seconds_by_layer(graph, machine)
    measured, count = measured_share(graph, machine)
    slowest = sorted(seconds, key=lambda layer: -seconds[layer])[:_NAMED]
    texts = [f"{layer.removeprefix('stages.')} ({_milliseconds(seconds[layer])})" for layer in slowest]
    whole = f"about {_milliseconds(sum(seconds.values()))}, {measured} of {count} operations measured"
    given = ", ".join(filter(None, ["batch 1", machine.threads_text]))
    return f"time, {given}: {whole}\nmost of it in {', '.join(texts)}"


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms"
