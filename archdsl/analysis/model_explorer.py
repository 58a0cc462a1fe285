"""A network as Model Explorer's JSON: a node for each operation, folded by stage and layer.

The schema is that of its adapters: https://github.com/google-ai-edge/model-explorer/wiki
"""

from __future__ import annotations

from typing import Any

from archdsl.analysis.report import Report
from archdsl.analysis.text import count_text, shape_text
from archdsl.ir.node import Node


def explorer_data(costs: Report) -> dict[str, Any]:
    """Plain data, ready for a .json file that Model Explorer opens."""
    levels = {info.name: ", ".join(info.levels) for info in costs.nodes}
    nodes = [_node(node, levels[node.name]) for node in costs.graph.nodes]
    graph = {"id": costs.name, "nodes": nodes, "groupNodeAttributes": _groups(costs)}
    return {"label": costs.name, "graphs": [graph]}


def namespace(path: str) -> str:
    """Where the operations of a layer are folded away: `p2/body` for stages.p2.body."""
    return path.removeprefix("stages.").replace(".", "/")


def _node(node: Node, levels: str) -> dict[str, Any]:
    facts = {"operation": str(node.op), "layer": node.origin.path, "outputs": levels, **_costs(node.params, node.macs)}
    return {
        "id": node.name,
        "label": node.op.kind,
        "namespace": namespace(node.origin.path),
        "attrs": _pairs(facts),
        "incomingEdges": [
            {"sourceNodeId": source.name, "sourceNodeOutputId": "0", "targetNodeInputId": str(place)}
            for place, source in enumerate(node.inputs)
        ],
        "outputsMetadata": [{"id": "0", "attrs": _pairs({"tensor_shape": shape_text(node.type.shape)})}],
    }


def _groups(costs: Report) -> dict[str, dict[str, str]]:
    """The block of each layer, and what layers cost, and the stages around them."""
    sums: dict[str, tuple[int, int | None]] = {}
    found: dict[str, dict[str, str]] = {}
    for layer in costs.layers:
        steps = namespace(layer.path).split("/")
        for depth in range(1, len(steps) + 1):
            group = "/".join(steps[:depth])
            params, macs = sums.get(group, (0, 0))
            sums[group] = params + layer.params, None if None in (macs, layer.macs) else (macs or 0) + (layer.macs or 0)
        found[namespace(layer.path)] = {"block": layer.block, "output": shape_text(layer.shape)}
    facts = {group: {**found.get(group, {}), **_costs(*cost)} for group, cost in sums.items()}
    return {group: {key: text for key, text in each.items() if text} for group, each in facts.items()}


def _costs(params: int, macs: int | None) -> dict[str, str]:
    return {"params": f"{params:,}" if params else "", "macs": count_text(macs) if macs != 0 else ""}


def _pairs(facts: dict[str, str]) -> list[dict[str, str]]:
    """Those of the facts that say something."""
    return [{"key": key, "value": value} for key, value in facts.items() if value]
