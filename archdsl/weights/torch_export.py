"""The arrays of a model under the names, and with the axes, that PyTorch's checkpoints of such networks have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy

from archdsl.diagnostics.problems import fail
from archdsl.ir.graph import Graph, Node
from archdsl.ir.ops import LayerScale
from archdsl.weights.formats.safetensors import save_arrays
from archdsl.weights.model import Model
from archdsl.weights.torch_names import is_in_head
from archdsl.weights.torch_units import AXES, FIXED, NORM, SCALE, Layer, Unit, layers_of

if TYPE_CHECKING:
    from archdsl.weights.formats.contents import Array

Values = Mapping[str, "Sequence[Array]"]
_BOXES = "cv2.0.2"  # the unit whose channels are distances, which a fixed convolution there takes the means of
_BEFORE = ("input", "input.rescale")  # entries of the config that are no module there


def write_torch(model: Model, path: Path) -> None:
    """Write the weights of a model as .safetensors with PyTorch's names. Raises ArchError where there are none."""
    if model.passes:
        message = "a model whose batch norms are folded away; expected one before that"
        raise fail("weights", message, hint="save it, then `archdsl.fuse` it")
    values = {name: layer.get_weights() for name, layer in model.layers_by_node.items()}
    save_arrays(torch_arrays(model.graph, values), {"format": "pt"}, path)


def torch_arrays(graph: Graph, values: Values) -> dict[str, Array]:
    """The state dict of a graph whose nodes have these arrays, but for what training counts."""
    numbers = numbers_of(graph)
    return {
        f"model.{numbers[layer.path]}.{name}": array
        for layer in layers_of(graph)
        for name, array in _of_layer(layer, values)
    }


def numbers_of(graph: Graph) -> dict[str, int]:
    """The number of the module that each entry of the config is: all count, those without weights too."""
    entries = dict.fromkeys((node.origin.path, node.origin.block.partition(" ")[0]) for node in graph.nodes)
    numbers: dict[str, int] = {}
    was_in_head = False
    for path, block in entries:
        if path not in _BEFORE and not (was_in_head and is_in_head(path, block)):
            numbers[path] = len(numbers)
        was_in_head = was_in_head or is_in_head(path, block)
    return numbers


def _of_layer(layer: Layer, values: Values) -> Iterator[tuple[str, Array]]:
    for node in layer.unnamed:
        if not isinstance(node.op, LayerScale):
            message = f"{node.name} has no name in PyTorch's checkpoints: block '{layer.block}' is not known there"
            raise fail("weights", message)
        yield SCALE, values[node.name][0]
    for unit in layer.units.values():
        for name, array in _of_unit(unit, values):
            yield f"{unit.path}.{name}".lstrip("."), array
    if _BOXES in layer.units:
        bins = layer.units[_BOXES].shape[0] // 4
        yield f"{FIXED}.conv.weight", numpy.arange(bins, dtype="float32").reshape(1, bins, 1, 1)


def _of_unit(unit: Unit, values: Values) -> Iterator[tuple[str, Array]]:
    within = "conv." if unit.norm else ""
    kernel, *bias = values[unit.node.name]
    yield f"{within}weight", kernel.transpose(numpy.argsort(AXES[type(unit.node.op)]))
    yield from ((f"{within}bias", array) for array in bias)
    if unit.norm:
        yield from _of_norm(unit.norm, values)


def _of_norm(norm: Node, values: Values) -> Iterator[tuple[str, Array]]:
    for weight, array in zip(norm.weights, values[norm.name], strict=True):
        yield f"bn.{NORM[weight.name]}", array
