"""Convolutions that read the image, for images of another number of channels than the weights were trained with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy

from archdsl.ir.graph import Graph
from archdsl.ir.ops import Conv2D
from archdsl.weights.formats.contents import Shape

if TYPE_CHECKING:
    from archdsl.weights.formats.contents import Array


def convolutions_of_the_image(graph: Graph) -> dict[str, int]:
    """The convolutions that read the image, by name, and how many of their channels there are to one of the image.

    There are four after a space to depth, whose quarters follow each other.
    """
    of_image = {graph.input: 1}
    found = {}
    for node in graph.nodes:
        if len(node.inputs) != 1 or node.inputs[0] not in of_image:
            continue
        if not isinstance(node.op, Conv2D):
            times, rest = divmod(node.type.channels, graph.input.type.channels)
            if not rest and not node.weights:
                of_image[node] = times
        elif node.op.groups == 1:
            found[node.name] = of_image[node.inputs[0]]
    return found


def is_adaptable(wanted: Sequence[Shape], stored: Sequence[Shape], times: int) -> bool:
    """Whether the arrays of a convolution differ in the number of input channels only."""
    if not stored or len(stored[0]) != 4 or [*wanted[1:]] != [*stored[1:]]:
        return False
    own, other = [(*each[:2], *each[3:]) for each in (wanted[0], stored[0])]
    return own == other and wanted[0] != stored[0] and not stored[0][2] % times


def adapted(arrays: Sequence[Array], shape: Shape, times: int) -> list[Array]:
    """The arrays with the kernel for another number of channels.

    One channel gets the sum of all, which gives grey pictures what they gave in colour. Several get those that there
    are, in turn, times the quotient of the numbers: the mean of what the network sees next stays about the same.
    """
    kernel = arrays[0]
    sides, filters = kernel.shape[:2], kernel.shape[3]
    channels = shape[2] // times
    kernel = kernel.reshape(*sides, times, -1, filters)
    if channels == 1:
        changed = kernel.sum(axis=3, keepdims=True)
    else:
        changed = numpy.take(kernel, numpy.arange(channels) % kernel.shape[3], axis=3)
        changed = changed * numpy.float32(kernel.shape[3] / channels)
    return [changed.reshape(shape), *arrays[1:]]


def account(shape: Shape, stored: Shape, times: int) -> str:
    """How a kernel was made for another number of channels."""
    channels, had = shape[2] // times, stored[2] // times
    if channels == 1:
        return f"the sum over {had} channels for 1"
    return f"the kernels of {had} channels in turn for {channels}, times {had / channels:.3g}"
