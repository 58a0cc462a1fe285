"""Darknet's .cfg, and its .weights → our config, or our .safetensors with both, or a model. Needs no Darknet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from archdsl.backends.atomic_write import written_whole
from archdsl.diagnostics.problems import Mark, fail
from archdsl.frontend.budget import DEFAULT, Budget
from archdsl.frontend.compose.config import load
from archdsl.frontend.importers.darknet import config_text, network_of, source_of
from archdsl.frontend.lower import compile_graph
from archdsl.frontend.yaml.embedded import metadata
from archdsl.ir.graph import Graph
from archdsl.ir.node import Node
from archdsl.ir.ops import BatchNorm, Conv2D, Dense, Flatten, WeightedSum
from archdsl.ir.types import FeatureMap
from archdsl.weights.formats.contents import Contents, DamagedFile, Shape, Stored, StoredArray

if TYPE_CHECKING:
    from archdsl.weights.formats.contents import Array

_ARRAYS = {  # of a layer and its norm, as they follow each other in the file; its "biases" are the beta of the norm
    Conv2D: ("beta", "gamma", "moving_mean", "moving_variance", "bias", "kernel"),
    Dense: ("beta", "bias", "kernel", "gamma", "moving_mean", "moving_variance"),
    WeightedSum: ("kernel",),
}
_OF_CFG = re.compile(r"^[a-z]+[\dx]*_(down|(conv|connected|norm|shortcut)_(?P<number>\d+))_[a-z]+$")
PRESETS = ("yolo_v3_detect", "yolo_v3_tiny_detect", "yolo_v4_detect", "yolo_v4_tiny_detect")
"""Whose layers are in the order of Darknet's cfg, but for two: see _place."""


class Entry(NamedTuple):
    """An array of a file: whose it is here, and its shape there. A kernel of four sides is (O, I, H, W)."""

    node: Node
    name: str
    shape: Shape


def import_cfg(cfg: Path, output: Path, budget: Budget = DEFAULT) -> Graph:
    """Write the config that a .cfg describes, and return its graph. Raises ArchError, and writes nothing."""
    network = network_of(cfg)
    graph = compile_graph(load(source_of(network, cfg), (), budget), budget)
    with written_whole(output) as unfinished:
        unfinished.write_text(config_text(network, cfg.name), encoding="utf-8")
    return graph


def import_weights(cfg: Path, weights: Path, output: Path, budget: Budget = DEFAULT) -> Graph:
    """Write the weights of a .cfg with its config, and return its graph. Raises ArchError, and writes nothing.

    A batch norm's epsilon is the 1e-5 of Darknet on a GPU.
    """
    from archdsl.weights.arrays import refuse_strange_numbers
    from archdsl.weights.formats import opened

    config = load(source_of(network_of(cfg), cfg), (), budget)
    graph = compile_graph(config, budget)
    with opened(weights, 0, unnamed=partial(contents_of, graph)) as contents:
        found = {stored.name: stored.arrays for stored in contents.layers}
        nodes = [node for node in graph.nodes if node.weights]
        values = {node: [found[node.name][weight.name].read() for weight in node.weights] for node in nodes}
    refuse_strange_numbers({node.name: arrays for node, arrays in values.items()}, Mark(str(weights)))
    with written_whole(output) as unfinished:
        from archdsl.weights.formats.safetensors import write_arrays

        write_arrays(values, metadata(config.resolved, ()), unfinished)
    return graph


def contents_of(graph: Graph, stream: BinaryIO) -> Contents:
    """The layers of a .weights file by the names of the nodes that have them.

    Raises ArchError where the order of the graph is not known to be that of the file, DamagedFile for another length.
    """
    from archdsl.weights.formats.darknet import read

    entries = list(_entries(_in_order(graph)))
    arrays: dict[str, dict[str, StoredArray]] = {}
    for entry, stored in zip(entries, read(stream, [entry.shape for entry in entries]), strict=True):
        array = _as_here(entry, stored)
        arrays.setdefault(entry.node.name, {})[entry.name] = StoredArray(array.shape, "float32", array.view)
    return Contents("nodes", tuple(Stored(name, name, of_node) for name, of_node in arrays.items()))


def _in_order(graph: Graph) -> list[Node]:
    """Nodes with weights in the order of the file: that of the .cfg."""
    nodes = [node for node in graph.nodes if node.weights]
    matches = [_OF_CFG.match(node.name) for node in nodes]
    numbers = [int(found["number"]) for found in matches if found and found["number"]]
    if nodes and all(matches) and numbers == sorted(numbers):
        return nodes
    names = [node.name for node in nodes]
    if not any(names == _names(preset) for preset in PRESETS):
        hint = f"import its .cfg, or load it into {', '.join(PRESETS)}"
        raise fail("weights", f"a .weights file has no names, and its order is not that of {graph.name}", hint=hint)
    numbers_of = {node.name: number for number, node in enumerate(graph.nodes)}
    return sorted(nodes, key=lambda node: _place(node, numbers_of))


def _place(node: Node, numbers: Mapping[str, int]) -> float:
    """In Darknet the last convolution of a level follows what it reads, and the short branch is before the deep one."""
    if node.origin.part == "head":
        return numbers[node.inputs[0].name] + 0.5
    deep = node.name.replace("_body_short_", "_body_deep_")
    return numbers[deep] - (0.5 if deep != node.name else 0)


def _names(preset: str) -> list[str]:
    return [node.name for node in compile_graph(load(preset)).nodes if node.weights]


def _entries(nodes: Sequence[Node]) -> Iterator[Entry]:
    norms = {node.inputs[0]: node for node in nodes if isinstance(node.op, BatchNorm)}
    for node in nodes:
        if node.op.__class__ is BatchNorm:
            continue
        owners = [node, norms[node]] if node in norms else [node]
        owned = {weight.name: (owner, weight.shape) for owner in owners for weight in owner.weights}
        for name in _ARRAYS[type(node.op)]:
            if name in owned:
                owner, shape = owned[name]
                yield Entry(owner, name, _shape_there(node, shape) if name == "kernel" else shape)


def _shape_there(node: Node, shape: Shape) -> Shape:
    """Of a kernel in the file. What a fully connected layer reads is a map, channel by channel."""
    if isinstance(node.op, Conv2D):
        height, image_width, channels, filters = shape
        return filters, channels, height, image_width
    if isinstance(node.op, Dense):
        before = node.inputs[0]
        read = before.inputs[0].type if isinstance(before.op, Flatten) else None
        sides = (read.height or 1, read.image_width or 1) if isinstance(read, FeatureMap) else (1, 1)
        return shape[1], shape[0] // prod(sides), *sides
    return shape


def _as_here(entry: Entry, array: Array) -> Array:
    if entry.name == "moving_variance" and (array < 0).any():
        raise DamagedFile(f"the variance of {entry.node.name} is negative; these are the weights of another network")
    shape = next(weight.shape for weight in entry.node.weights if weight.name == entry.name)
    return (array.transpose(2, 3, 1, 0) if array.ndim == 4 else array).reshape(shape)
