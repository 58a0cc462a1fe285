"""A graph → one that computes the same, of operations that TensorFlow's files for deployment can hold."""

from __future__ import annotations

from importlib import import_module
from math import inf
from typing import Any

from archdsl.ir.emission import EmitContext
from archdsl.ir.graph import Graph
from archdsl.ir.node import Node, Op
from archdsl.ir.ops import DepthToSpace, MaxPool, Pad, Part, Slice, Upsample
from archdsl.ir.passes.rewrite import Change, readers, rewrite
from archdsl.ir.types import both


class Mirror(Pad):
    """The nearest pixels, mirrored at the edge. (H, W, C) -> (H + top + bottom, W + left + right, C).

    A maximum over a window that is at least twice as wide sees each of them already.
    """

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.ops.pad(*inputs, ((0, 0), *self.border, (0, 0)), mode="symmetric")


class Resized(Upsample):
    """The same pixels, of maps of any size. (H, W, C) -> (factor H, factor W, C).

    Keras's layer interpolates none of unknown sides in a graph, and where it repeats pixels TensorFlow loses the number
    of channels, without which there is no convolution.
    """

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        tensorflow = import_module("tensorflow")

        def resized(x: Any) -> Any:
            return tensorflow.image.resize(x, tensorflow.shape(x)[1:3] * both(self.factor), self.interpolation)

        return context.keras.layers.Lambda(resized, name=name)(*inputs)


class Shuffled(DepthToSpace):
    """The same, with the number of channels, which TensorFlow loses here too. (H, W, C) -> (f H, f W, C / f²)."""

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        ops, made = context.keras.ops, super().emit(context, name, *inputs)

        def counted(x: Any) -> Any:
            return ops.reshape(x, (*ops.shape(x)[:3], made.shape[-1]))

        return context.keras.layers.Lambda(counted, name=f"{name}_counted")(made)


_OF_ANY_SIZE: dict[type[Op], type[Op]] = {Upsample: Resized, DepthToSpace: Shuffled}


def sized_by_the_image(graph: Graph) -> Graph:
    """What enlarges a map takes one of any size, in a graph of TensorFlow."""
    changes = {
        node: Change(_OF_ANY_SIZE[type(node.op)](**vars(node.op)), node.inputs)
        for node in graph.nodes
        if type(node.op) in _OF_ANY_SIZE
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
