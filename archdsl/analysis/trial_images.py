"""Images that a network is tried with: small ones of random pixels, of which every weight meets some."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import TYPE_CHECKING

from archdsl.diagnostics.problems import fail
from archdsl.ir.graph import Graph
from archdsl.ir.node import Node, ShapeError
from archdsl.ir.ops import Pad, Rescale
from archdsl.ir.ops.convolution import Convolution
from archdsl.ir.types import FeatureMap, TensorType, both

if TYPE_CHECKING:
    from archdsl.ir.passes.rewrite import Array

SMALLEST_SIDE, LARGEST_SIDE = 64, 4096  # of the images that are tried, in pixels
SMALL_SIZES = 16  # before the size that the network is made for


def random_images(graph: Graph, batch: int, sides: tuple[int, int]) -> Array:
    """(batch, H, W, channels) of random pixels, of 0 … 255 where the graph rescales them, in double precision."""
    import numpy

    return numpy.random.default_rng(0).uniform(0, brightest(graph), (batch, *sides, graph.input.channels))


def brightest(graph: Graph) -> int:
    """The largest value of a pixel that the graph takes."""
    return 255 if any(isinstance(node.op, Rescale) for node in graph.nodes) else 1


def trial_sides(graph: Graph) -> tuple[int, int]:
    """Height and width: small ones that the graph takes as it does its own, else its own. Raises ArchError for none."""
    height, image_width, _ = graph.image.shape
    step = ceil(max(stride for node in graph.nodes for stride in node.type.strides))
    sizes = range(step * max(2, ceil(SMALLEST_SIDE / step)), LARGEST_SIDE + 1, step)
    small = [(size, size + step) for size in sizes[:SMALL_SIZES]]
    own = [(height or size, image_width or size + step) for size in sizes]
    found = next((sides for sides in small if _uses_every_weight(graph, _types(graph, sides))), None)
    found = found or next((sides for sides in own if _types(graph, sides)), None)
    if found is None:
        raise fail("fuse", f"'{graph.name}' takes no image of up to {LARGEST_SIDE} pixels a side to be checked with")
    return found


def _types(graph: Graph, sides: tuple[int, int]) -> dict[Node, TensorType]:
    """Types of all nodes for an image of (height, width); none if an operation does not fit, or needs other weights."""
    types: dict[Node, TensorType] = {graph.input: FeatureMap(*sides, graph.input.channels)}
    try:
        for node in graph.nodes[1:]:
            inputs = [types[source] for source in node.inputs]
            types[node] = node.op.infer(*inputs)
            if node.owner is None and node.op.weights(*inputs) != node.weights:
                return {}
    except ShapeError:
        return {}
    return types


def _uses_every_weight(graph: Graph, types: Mapping[Node, TensorType]) -> bool:
    """Whether every weight of a convolution meets a pixel: on a map smaller than half of it, some meet padding only."""
    convolutions = [node for node in graph.nodes if isinstance(node.op, Convolution)]
    return bool(types) and all(
        2 * (side or 0) > reach
        for node in convolutions
        for side, reach in zip(types[_unpadded(node.inputs[0])].shape, both(node.op.reach), strict=False)
    )


def _unpadded(node: Node) -> Node:
    return node.inputs[0] if isinstance(node.op, Pad) else node
