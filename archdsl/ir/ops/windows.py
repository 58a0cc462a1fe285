"""What a sliding window does to the sides of a map, for convolutions and pooling alike."""

from __future__ import annotations

from typing import Literal

from archdsl.ir.graph import ShapeError
from archdsl.ir.types import FeatureMap

Padding = Literal["same", "valid"]


def slide(x: FeatureMap, channels: int, kernel: int, stride: int, dilation: int, padding: Padding) -> FeatureMap:
    """What a window over both sides of `x` gives, with so many channels."""
    window = kernel, stride, dilation, padding
    return FeatureMap(_side(x.height, *window), _side(x.image_width, *window), channels, x.stride * stride)


def window_reach(kernel: int, dilation: int = 1) -> int:
    """Pixels from the first of a window to its last, along one side."""
    return dilation * (kernel - 1) + 1


def _side(size: int | None, kernel: int, stride: int, dilation: int, padding: Padding) -> int | None:
    """Output length of a sliding window along one side of length `size`."""
    if size is None:
        return None
    if padding == "same":
        return -(-size // stride)
    reach = window_reach(kernel, dilation)
    if size < reach:
        raise ShapeError(
            f"a side of {size} is shorter than a window of {reach}; expected at least {reach}",
            hint="take a larger input or fewer strides",
        )
    return (size - reach) // stride + 1
