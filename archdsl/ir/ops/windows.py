"""What a sliding window does to the sides of a map, for convolutions and pooling alike."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar, Literal

from archdsl.ir.node import Op, ShapeError
from archdsl.ir.types import FeatureMap, Side, Sides, both, shortest

Padding = Literal["same", "valid"]


class Windowed(Op):
    """An operation with a window. Its sides are ints where both are the same, so that equal operations are equal."""

    sided: ClassVar[tuple[str, ...]] = ()
    """Its fields that have a value for each side."""

    def __post_init__(self) -> None:
        for name in self.sided:
            if type(value := getattr(self, name)) is not int:
                object.__setattr__(self, name, shortest(value))


def slide(x: FeatureMap, channels: int, kernel: Sides, stride: Sides, dilation: Sides, padding: Padding) -> FeatureMap:
    """What a window over both sides of `x` gives, with so many channels."""
    if x.stride_across is None and type(stride) is type(kernel) is type(dilation) is int:  # nearly all
        height, image_width, _, before, _ = x
        side = _side(height, kernel, stride, dilation, padding)
        other = side if image_width == height else _side(image_width, kernel, stride, dilation, padding)
        return FeatureMap(side, other, channels, before * stride)
    (down, across), (high, wide), (rows, columns) = both(stride), both(kernel), both(dilation)
    height = _side(x.height, high, down, rows, padding)
    return x.resized(height, _side(x.image_width, wide, across, columns, padding), channels, stride)


def window_reach(kernel: Sides, dilation: Sides = 1) -> Sides:
    """Pixels from the first of a window to its last, along each side."""
    (high, wide), (rows, columns) = both(kernel), both(dilation)
    return shortest((rows * (high - 1) + 1, columns * (wide - 1) + 1))  # type: ignore[no-any-return]


def same_border(side: Side, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Pixels that padding "same" puts before and after a side; an unknown one counts as a multiple of `stride`."""
    reach = dilation * (kernel - 1) + 1
    total = max(reach - stride if side is None or side % stride == 0 else reach - side % stride, 0)
    return total // 2, total - total // 2


@lru_cache(maxsize=1024)  # the same few sides in every network
def _side(size: Side, kernel: int, stride: int, dilation: int, padding: Padding) -> Side:
    """Output length of a sliding window along one side of length `size`."""
    if size is None:
        return None
    if padding == "same":
        return -(-size // stride)
    reach = dilation * (kernel - 1) + 1
    if size < reach:
        raise ShapeError(
            f"a side of {size} is shorter than a window of {reach}; expected at least {reach}",
            hint="take a larger input or fewer strides",
        )
    return (size - reach) // stride + 1
