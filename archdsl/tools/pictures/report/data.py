"""What a page shows of networks, as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from math import isfinite
from typing import Any, NamedTuple, cast

from archdsl.analysis.differences import differences, table
from archdsl.analysis.memory import in_inference
from archdsl.analysis.report import Report, receptive_fields, total_macs, whole_pixels
from archdsl.diagnostics.unicode import printable
from archdsl.frontend.compose.config import Config
from archdsl.ir.node import Node
from archdsl.ir.types import FeatureMap, Tokens

MOST_LAYERS = 1000
"""Of a network, in a page; the others are counted."""
MOST_OPERATIONS = 6000
MOST_CHANGES = 500
MOST_EXTRA_TOKENS = 16
"""Beside the pixels of a map, for tokens to be shown as one: classes and registers, but not the boxes of other maps."""


class Network(NamedTuple):
    """A config with its costs; `label` is what the page calls it."""

    label: str
    config: Config
    costs: Report


def data_of(networks: Sequence[Network]) -> dict[str, Any]:
    """All that a page shows but the diagrams, as JSON can have it. What differs is that from the first network."""
    first, *others = networks
    return {
        "networks": [network_data(each) for each in networks],
        "differences": [list(_differences(first, each)) for each in others],
    }


def network_data(network: Network) -> dict[str, Any]:
    """One network: totals, layers with their operations, sums by part, and maps."""
    costs = network.costs
    rows = _Rows(costs)
    layers = [*rows.layers()]
    taken = costs.memory()
    return {
        "label": printable(network.label),
        "description": printable(str(network.config.values.get("description") or "")),
        "input": costs.input_shape,
        "params": costs.params,
        "trainable_params": costs.trainable_params,
        "macs": costs.macs,
        "memory": taken and taken.inference,
        "training_memory": taken and taken.training,
        "layer_count": len(layers),
        "operation_count": len(costs.graph.nodes),
        "layers": layers[:MOST_LAYERS],
        "parts": [*_parts(layers)],
        "maps": [*_maps(costs, rows.fields)],
    }


class _Rows:
    """The layers of a network, each with its operations while the page has room for them."""

    def __init__(self, costs: Report):
        self.graph = costs.graph
        self.outputs = {node: name for name, node in costs.graph.outputs.items()}
        self.fields = receptive_fields(costs.graph)
        self.index = {node: index for index, node in enumerate(costs.graph.nodes)}
        occupied = in_inference(costs.graph)
        self.bytes = occupied.bytes if occupied else None

    def layers(self) -> Iterator[dict[str, Any]]:
        for path, group in groupby(self.graph.nodes, key=lambda node: node.origin.path):
            nodes = list(group)
            last = nodes[-1]
            positions = [self.index[node] for node in nodes]
            yield {
                "path": printable(path),
                "part": last.origin.part or path.partition(".")[0],
                "block": last.origin.block or last.op.kind,
                "shape": last.type.shape,
                "stride": _single(last.type.strides),
                "params": sum([node.params for node in nodes]),
                "macs": total_macs([node.macs for node in nodes]),
                "memory": self.bytes and max([self.bytes[position] for position in positions]),
                "field": whole_pixels(self.fields[last]),
                "count": len(nodes),
                "operations": [*map(self.operation, nodes)] if positions[-1] < MOST_OPERATIONS else None,
            }

    def operation(self, node: Node) -> list[Any]:
        """Its position, name, operation, the positions of its inputs, shape, parameters, MACs."""
        inputs = [self.index[source] for source in node.inputs]
        return [self.index[node], node.name, str(node.op), inputs, node.type.shape, node.params, node.macs]


def _parts(layers: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Sums of layers by the part of the network that they are in, without parts that cost nothing."""
    for name, group in groupby(layers, key=lambda layer: layer["part"]):
        rows = list(group)
        macs, memory = total_macs([row["macs"] for row in rows]), [row["memory"] for row in rows]
        params = sum([row["params"] for row in rows])
        if params or macs != 0:
            yield {"name": name, "params": params, "macs": macs, "memory": None if None in memory else max(memory)}


def _maps(costs: Report, fields: dict[Node, float]) -> Iterator[dict[str, Any]]:
    """The ends of stages and the outputs: once each, with all their names."""
    names: dict[Node, dict[str, None]] = {}
    for name, node in [*costs.graph.levels.items(), *costs.graph.outputs.items()]:
        names.setdefault(node, {})[printable(name)] = None
    outputs = set(costs.graph.outputs.values())
    for node, called in names.items():
        yield {
            "name": ", ".join(called),
            "layer": printable(node.origin.path),
            "is_output": node in outputs,
            "shape": node.type.shape,
            "grid": _grid(node),
            "stride": _single(node.type.strides),
            "channels": node.channels,
            "field": whole_pixels(fields[node]),
        }


def _grid(node: Node) -> Sequence[int | None] | None:
    """The height and width of a map, also of one whose pixels are tokens; None for other values."""
    if isinstance(node.type, FeatureMap):
        return node.type.shape[:2]
    is_map = isinstance(node.type, Tokens) and node.type.extra < MOST_EXTRA_TOKENS
    return cast(Tokens, node.type).grid if is_map else None


def _single(strides: tuple[float, float]) -> list[float]:
    return [int(stride) if isfinite(stride) and stride == int(stride) else stride for stride in strides]


def _differences(first: Network, second: Network) -> Iterator[dict[str, Any]]:
    """Tables of what differs, one for each kind."""
    found = differences([first.config, second.config], [first.costs, second.costs])
    for kind, rows in found.items():
        texts = table(kind, [first.label, second.label], rows[:MOST_CHANGES])
        yield {
            "kind": kind,
            "count": len(rows),
            "headers": [*map(printable, texts.headers)],
            "rows": [[*map(printable, row)] for row in texts.rows],
        }
