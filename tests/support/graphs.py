"""Graphs made by hand, and what is counted in those of presets."""

from __future__ import annotations

from collections import Counter

import archdsl
from archdsl.ir.graph import Graph, verify
from archdsl.ir.layout import Layout
from archdsl.ir.node import Node
from archdsl.ir.ops import Input
from archdsl.ir.types import FeatureMap


def kinds(graph: Graph) -> Counter[str]:
    return Counter(type(node.op).__name__ for node in graph.nodes)


def graph_of(output: Node, **levels: Node) -> Graph:
    layout = Layout()
    end = layout.place(output)
    placed = {level: layout.place(node) for level, node in levels.items()}
    graph = Graph("net", tuple(layout.nodes), end, placed, dict(placed))
    verify(graph)
    return graph


def image_of(channels: int = 4, height: int | None = 9, image_width: int | None = 12) -> Node:
    return Input(FeatureMap(height, image_width, channels))(name="input")


def trained_by_section(name: str) -> dict[str, int]:
    """Trainable parameters of backbone, neck and head."""
    found = {"backbone": 0, "neck": 0, "head": 0}
    for node in archdsl.analyze(name).nodes:
        section = node.layer.split(".")[0]
        found[section if section in found else "backbone"] += node.trainable_params
    return found
