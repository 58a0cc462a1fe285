"""A checkpoint of PyTorch that is only shapes, and what is wrong with it for a graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from archdsl.diagnostics.problems import Mark
from archdsl.ir.graph import Graph
from archdsl.weights.fitting import misfits
from archdsl.weights.formats.contents import Contents, Stored, StoredArray
from archdsl.weights.pytorch.matching import match_torch
from support.torch_layout import Shapes


def contents_of(shapes: Shapes, arrays: dict[str, Any] | None = None) -> Contents:
    layers: dict[str, dict[str, StoredArray]] = {}
    for name, shape in shapes.items():
        place, _, leaf = name.rpartition(".")
        array = (arrays or {}).get(name, np.broadcast_to(np.float32(0), shape))
        layers.setdefault(place, {})[leaf] = StoredArray(shape, "float32", lambda array=array: array)
    return Contents("torch", tuple([Stored(place, place, own) for place, own in layers.items()]))


def problems(graph: Graph, shapes: Shapes, arrays: dict[str, Any] | None = None) -> list[str]:
    found = match_torch(graph, contents_of(shapes, arrays), partial=False, mark=Mark("a.pt"))
    nodes = {node.name: node for node in graph.nodes if node.weights}
    return [each.message for each in misfits("it", nodes, found, Mark("a.pt"))]
