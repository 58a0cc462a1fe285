"""The arrays of a model under the names, and with the axes, that PyTorch's checkpoints of such networks have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy

from archdsl.diagnostics.problems import fail
from archdsl.ir.graph import Graph
from archdsl.ir.node import Node
from archdsl.ir.ops import BatchNorm, LayerScale
from archdsl.weights.formats.safetensors import save_arrays
from archdsl.weights.model import Model
from archdsl.weights.pytorch.names import ANCHORED, IDENTITY, SEVERAL, is_in_head, parts_of
from archdsl.weights.pytorch.units import ANCHORS, AXES, FIXED, NORM, SCALE, Layer, Unit, anchors_of, layers_of

if TYPE_CHECKING:
    from archdsl.weights.formats.contents import Array

Values = Mapping[str, "Sequence[Array]"]
_BOXES = "cv2.0.2"  # the unit whose channels are distances, which a fixed convolution there takes the means of
_OTHER_NAMES = "`names` may be a checkpoint of the network, whose names are taken"
_BEFORE = ("input", "input.rescale")  # entries of the config that are no module there


def write_torch(model: Model, path: Path, template: Path | None = None) -> None:
    """Write the weights of a model as .safetensors with PyTorch's names: YOLO's, or those of a checkpoint `template`.

    Raises ArchError where there are none, or the checkpoint is of another network.
    """
    if model.passes:
        message = "a model whose batch norms are folded away; expected one before that"
        raise fail("weights", message, hint="save it, then `archdsl.fuse` it")
    values = {name: layer.get_weights() for name, layer in model.layers_by_node.items()}
    if template is None:
        arrays = torch_arrays(model.graph, values)
    else:
        from archdsl.weights.pytorch.template import arrays_as_in

        arrays = arrays_as_in(template, model.graph, model.name, values)
    save_arrays(arrays, {"format": "pt"}, path)


def torch_arrays(graph: Graph, values: Values) -> dict[str, Array]:
    """The state dict of a graph whose nodes have these arrays, but for what training counts."""
    numbers, layers = numbers_of(graph), layers_of(graph)
    found = {
        f"model.{numbers[layer.path] + layer.row}.{name}": array
        for layer in layers
        for name, array in _of_layer(layer, values)
    }
    is_yolo_v7 = any(layer.rows > 1 for layer in layers)
    for head in (layer for layer in layers if layer.block == ANCHORED):
        for name, array in _anchors(graph, is_yolo_v7):
            found[f"model.{numbers[head.path]}.{name}"] = array
    return found


def _anchors(graph: Graph, also_in_pixels: bool) -> Iterator[tuple[str, Array]]:
    """Those of each level, in pixels of its map, for YOLOv7 of the image too. A head that has no formula has none."""
    levels = anchors_of(graph)
    if levels:
        in_pixels = numpy.array([sizes for sizes, _ in levels], "float32")
        strides = numpy.array([stride for _, stride in levels], "float32")
        yield ANCHORS[0], in_pixels / strides.reshape(-1, 1, 1)
        if also_in_pixels:
            yield ANCHORS[1], in_pixels.reshape(len(levels), 1, -1, 1, 1, 2)


def numbers_of(graph: Graph) -> dict[str, int]:
    """The number of the first module that each entry of the config is: all count, those without weights too.

    Where a block that ends in a concat is read by a concat, the two are one module.
    """
    entries = dict.fromkeys((node.origin.path, node.origin.block.partition(" ")[0]) for node in graph.nodes)
    rows = {layer.path: layer.rows for layer in layers_of(graph)}
    numbers: dict[str, int] = {}
    following, before, was_in_head = 0, "", False
    for path, block in entries:
        if path not in _BEFORE and not (was_in_head and is_in_head(path, block)):
            following -= SEVERAL.get(before, ("",))[-1] == block
            numbers[path] = following
            following, before = following + rows.get(path, 1), block
        was_in_head = was_in_head or is_in_head(path, block)
    return numbers


def _of_layer(layer: Layer, values: Values) -> Iterator[tuple[str, Array]]:
    for node in layer.unnamed:
        if layer.block in IDENTITY and isinstance(node.op, BatchNorm):
            yield from _of_norm(IDENTITY[layer.block], node, values)
            continue
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
    conv, bn = parts_of(unit.path)
    within = f"{conv}." if unit.norm else ""
    kernel, *bias = values[unit.node.name]
    yield f"{within}weight", kernel.transpose(numpy.argsort(AXES[type(unit.node.op)]))
    yield from ((f"{within}bias", array) for array in bias)
    if unit.norm:
        yield from _of_norm(bn, unit.norm, values)


def _of_norm(name: str, norm: Node, values: Values) -> Iterator[tuple[str, Array]]:
    for weight, array in zip(norm.weights, values[norm.name], strict=True):
        yield f"{name}.{NORM[weight.name]}", array
