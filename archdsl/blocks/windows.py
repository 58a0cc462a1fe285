"""Padding: pixels around a map that a window slides over, as a layer or the conventions set it."""

from __future__ import annotations

from functools import lru_cache
from math import inf
from typing import Any, Literal, NamedTuple

from archdsl.blocks.conventions import Conventions
from archdsl.blocks.registry import Border2D, GroupsOrAll
from archdsl.ir.node import Node
from archdsl.ir.ops import AvgPool, Conv2D, Crop, DepthwiseConv2D, MaxPool, Pad, Padding, TransposedConv2D
from archdsl.ir.ops.resizing import Border
from archdsl.ir.ops.windows import same_border
from archdsl.ir.types import Sides, both, shortest

PaddingName = Literal["same", "symmetric", "valid"]
PaddingArgument = PaddingName | Border2D
"""How a window is padded: by a rule, or by a number of pixels; None for the conventions."""


class Window(NamedTuple):
    """A sliding window: its sides, its steps, and its padding."""

    kernel: Sides
    stride: Sides = 1
    dilation: Sides = 1
    padding: PaddingArgument | None = None


def pad(
    x: Node, window: Window, style: Conventions, *, outside: float = 0.0, is_counted: bool = False
) -> tuple[Node, Padding]:
    """`x` with its explicit padding, `outside` in every pixel; and the padding that is left to the operation.

    Nothing is around a window that moves pixel by pixel and has a middle: `symmetric` is then what `same` is, unless
    the pixels outside count too, as in a mean.
    """
    kernel, stride, dilation, padding = window
    padding = style.padding if padding is None else padding
    if padding == "same" or padding == "valid":
        return x, padding
    if padding != "symmetric":
        frame = Pad(_border(padding, 1, 1), outside)
    elif not is_counted and _keeps_the_middle(kernel, stride):
        return x, "same"
    else:
        frame = _centred(shortest(kernel), shortest(dilation), outside)
    if frame.size:
        return frame(x, name="pad"), "valid"
    return x, "same" if shortest(kernel) == 1 else "valid"


def _keeps_the_middle(kernel: Sides, stride: Sides) -> bool:
    """Whether the window moves pixel by pixel, and each of its sides is odd."""
    if type(kernel) is int:
        return kernel % 2 == 1 and shortest(stride) == 1
    return shortest(stride) == 1 and all(side % 2 for side in both(kernel))


def conv2d(
    x: Node,
    width: int,
    window: Window,
    *,
    groups: GroupsOrAll = 1,
    bias: bool = False,
    style: Conventions,
    name: str = "conv",
) -> Node:
    """A convolution with its padding. (H, W, C) -> (H/stride, W/stride, width)."""
    kernel, stride, dilation, _ = window
    groups = x.channels if groups == "all" else groups
    x, left = pad(x, window, style)
    return Conv2D(width, kernel, stride, left, dilation, groups, bias)(x, name=name)


def depthwise2d(x: Node, window: Window, *, bias: bool = False, style: Conventions, name: str = "depthwise") -> Node:
    """A depthwise convolution with its padding. (H, W, C) -> (H/stride, W/stride, C)."""
    kernel, stride, dilation, _ = window
    x, left = pad(x, window, style)
    return DepthwiseConv2D(kernel, stride, left, dilation, bias)(x, name=name)


def pool2d(op: type[MaxPool] | type[AvgPool], x: Node, window: Window, *, style: Conventions) -> Node:
    """A pooling with its padding: a maximum sees nothing there, a mean counts zeros, as in PyTorch.

    (H, W, C) -> (H/stride, W/stride, C).
    """
    kernel, stride, _, _ = window
    x, left = pad(x, window, style, outside=-inf if op is MaxPool else 0.0, is_counted=op is AvgPool)
    return op(kernel, stride, left)(x, name="pool")


def transposed2d(x: Node, width: int, window: Window, *, bias: bool, style: Conventions) -> Node:
    """A transposed convolution, cropped by its padding. (H, W, C) -> (stride H, stride W, width)."""
    kernel, stride, _, padding = window
    padding = style.padding if padding is None else padding
    left: Padding = "same" if padding == "same" else "valid"
    x = TransposedConv2D(width, kernel, stride, left, bias)(x, name="conv")
    beyond = [max(own - step, 0) for own, step in zip(both(kernel), both(stride), strict=True)]
    halves = tuple([(pixels - pixels // 2, pixels // 2) for pixels in beyond])
    crop = Crop(halves if padding == "symmetric" else 0 if isinstance(padding, str) else padding)  # type: ignore[arg-type]
    return crop(x, name="crop") if crop.size else x


def explicit_border(x: Node, window: Window) -> Border:
    """Pixels around `x` that a window is padded with; a side that is not known counts as a multiple of the stride."""
    kernel, stride, dilation, padding = window
    if padding == "same":
        sides: Any = zip(x.type.shape[:2], both(kernel), both(stride), both(dilation), strict=True)
        return tuple([same_border(*each) for each in sides])  # type: ignore[return-value]
    return _border(padding, kernel, dilation)


@lru_cache(maxsize=1024)
def _centred(kernel: Sides, dilation: Sides, outside: float) -> Pad:
    return Pad(_border("symmetric", kernel, dilation), outside)


def _border(padding: PaddingArgument | None, kernel: Sides, dilation: Sides) -> Border:
    """Pixels that do not depend on the size of the map; `symmetric` has the middle of an odd window at the border."""
    if isinstance(padding, str) or padding is None:
        (high, wide), (rows, columns) = both(kernel), both(dilation)
        return (rows * (high - 1) // 2, columns * (wide - 1) // 2) if padding == "symmetric" else 0
    return padding
