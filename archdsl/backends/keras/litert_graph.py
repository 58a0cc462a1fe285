"""A graph → one that computes the same, of operations that LiteRT can hold."""

from __future__ import annotations

from math import inf
from typing import Any

from archdsl.ir.emission import EmitContext
from archdsl.ir.graph import Graph
from archdsl.ir.node import Node
from archdsl.ir.ops import MaxPool, Pad, Part, Slice, Upsample
from archdsl.ir.passes.rewrite import Change, readers, rewrite
from archdsl.ir.types import both


class Mirror(Pad):
    """The nearest pixels, mirrored at the edge. (H, W, C) -> (H + top + bottom, W + left + right, C).

    A maximum over a window that is at least twice as wide sees each of them already.
    """

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.ops.pad(*inputs, ((0, 0), *self.border, (0, 0)), mode="symmetric")


class Repeat(Upsample):
    """The nearest pixel, for maps of any size. (H, W, C) -> (factor H, factor W, C).

    Rows and columns are repeated as parts of what is laid side by side: of a map of unknown sides TensorFlow's own way
    loses the number of channels, without which there is no convolution.
    """

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        ops, (down, across) = context.keras.ops, both(self.factor)

        def repeated(x: Any) -> Any:
            batch, height, image_width, channels = ops.shape(x)
            wide = ops.reshape(ops.concatenate([x] * across, 3), (batch, height, across * image_width, channels))
            shape = batch, down * height, across * image_width, channels
            return ops.reshape(ops.concatenate([wide] * down, 2), shape)

        return context.keras.layers.Lambda(repeated, name=name)(*inputs)


def sized_by_the_image(graph: Graph) -> Graph:
    """Pixels are repeated in a way that keeps the number of channels, whatever the size of the image."""
    changes = {
        node: Change(Repeat(node.op.factor), node.inputs)
        for node in graph.nodes
        if isinstance(node.op, Upsample) and node.op.interpolation == "nearest"
    }
    return rewrite(graph, None, changes, {})[0]


def int8_graph(graph: Graph) -> Graph:
    """Each part of a split is cut out alone: all operators of several results are in int8, whatever is to be kept.

    And before a maximum there are mirrored pixels in place of minus infinity, which the 256 steps would have to reach.
    """
    reads = readers(graph)
    parts = {node: _cut_out(node) for node in graph.nodes if isinstance(node.op, Part)}
    borders = {
        node: Change(Mirror(node.op.size), node.inputs)
        for node in graph.nodes
        if isinstance(node.op, Pad) and node.op.value == -inf and all(_sees(each, node.op) for each in reads[node])
    }
    return rewrite(graph, None, {**parts, **borders}, {})[0]


def _cut_out(part: Node) -> Change:
    (split,), index, size = part.inputs, part.op.index, part.channels  # type: ignore[attr-defined]
    return Change(Slice(index * size, (index + 1) * size), split.inputs)


def _sees(reader: Node | None, pad: Pad) -> bool:
    """Whether each window of a maximum that reaches beyond the edge has what is mirrored there."""
    if reader is None or not isinstance(reader.op, MaxPool):
        return False
    sides = zip(both(reader.op.size), pad.border, strict=True)
    return all(2 * max(border) <= side for side, border in sides)
