"""The types of values in a graph: feature maps, vectors and sequences of tokens, all without the batch.

None is a side that is not known yet. `stride` is how many pixels of the image lie between two of a map, along one side;
it is known even where the sides are not, so that maps which cannot fit are told apart at any image size.

A value with two sides, such as a kernel or a stride, is one number if both are equal.
"""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

Side = int | None
Sides = int | tuple[int, int]
"""Of a window, along the height and the width; one number for both."""


def both(value: Any) -> tuple[Any, Any]:
    """A value of one or two numbers, as one for the height and one for the width."""
    if type(value) is int:  # nearly all
        return value, value
    return tuple(value) if isinstance(value, (tuple, list)) else (value, value)


def shortest(value: Any) -> Any:
    """The same as one number, where both sides have the same."""
    if type(value) is int:
        return value
    height, image_width = both(value)
    return height if height == image_width else (height, image_width)


class FeatureMap(NamedTuple):
    """An image or a feature map: (height, width, channels).

    `stride` is that along the height, and along the width too unless `stride_across` is set.
    """

    height: Side
    image_width: Side
    channels: int
    stride: float = 1
    stride_across: float | None = None

    @property
    def shape(self) -> tuple[Side, Side, int]:
        return self[:3]

    @property
    def elements(self) -> int:
        """Height × width × channels; 0 while height or width is unknown."""
        height, image_width, channels, _, _ = self
        return 0 if height is None or image_width is None else height * image_width * channels

    @property
    def strides(self) -> tuple[float, float]:
        """Along the height and along the width."""
        stride, across = self[3:]
        return stride, stride if across is None else across

    def with_channels(self, channels: int) -> FeatureMap:
        """(H, W, C) -> (H, W, channels)."""
        height, image_width, _, stride, across = self
        return FeatureMap(height, image_width, channels, stride, across)  # three times as fast as _replace

    def strided(self, stride: Sides) -> FeatureMap:
        """(H, W, C) -> (H / stride, W / stride, C), rounded up, as padding "same" leaves it."""
        sides = [None if side is None else -(-side // step) for side, step in zip(self[:2], both(stride), strict=True)]
        return self.resized(sides[0], sides[1], self.channels, stride)

    def resized(
        self, height: Side, image_width: Side, channels: int, stride: float | Sides = 1, factor: Sides = 1
    ) -> FeatureMap:
        """(H, W, C) -> (height, image_width, channels), `stride` times fewer pixels, or `factor` times more."""
        (down, across), (rows, columns), (up, along) = self.strides, both(stride), both(factor)
        down, across = _whole(down * rows / up), _whole(across * columns / along)
        return FeatureMap(height, image_width, channels, down, None if down == across else across)

    def __str__(self) -> str:
        return _text(self.shape)


class Vector(NamedTuple):
    """One value a channel: (channels)."""

    channels: int

    @property
    def stride(self) -> float:
        """A vector has no sides; 1 is neutral wherever strides are multiplied."""
        return 1

    @property
    def strides(self) -> tuple[float, float]:
        return 1, 1

    @property
    def shape(self) -> tuple[int]:
        return (self.channels,)

    @property
    def elements(self) -> int:
        return self.channels

    def with_channels(self, channels: int) -> Vector:
        """(C) -> (channels)."""
        return Vector(channels)

    def __str__(self) -> str:
        return _text(self.shape)


class Tokens(NamedTuple):
    """A sequence: (length, channels).

    `grid` is the height and width of the map whose pixels they are, row by row, after `extra` others; the strides are
    those of that map.
    """

    length: Side
    channels: int
    grid: tuple[Side, Side] | None = None
    stride: float = 1
    stride_across: float | None = None
    extra: int = 0

    @property
    def shape(self) -> tuple[Side, int]:
        return self[:2]

    @property
    def strides(self) -> tuple[float, float]:
        return self.stride, self.stride if self.stride_across is None else self.stride_across

    @property
    def elements(self) -> int:
        """Length × channels; 0 while the length is unknown."""
        return 0 if self.length is None else self.length * self.channels

    def with_channels(self, channels: int) -> Tokens:
        """(N, C) -> (N, channels)."""
        return self._replace(channels=channels)

    def __str__(self) -> str:
        return _text(self.shape)


TensorType = FeatureMap | Vector | Tokens
ANY = (FeatureMap, Vector, Tokens)

_NOUNS: dict[type, str] = {
    FeatureMap: "a feature map (H, W, C)",
    Vector: "a vector (C)",
    Tokens: "a sequence of tokens (N, C)",
}
_BRIDGES: dict[tuple[type, type], str] = {
    (FeatureMap, Vector): "put global_avg_pool or flatten before it",
    (FeatureMap, Tokens): "put to_tokens before it",
    (Tokens, Vector): "put token_mean or first_token before it",
    (Tokens, FeatureMap): "put to_map before it",
    **dict.fromkeys([(Vector, FeatureMap), (Vector, Tokens)], "put it before the layer that makes the vector"),
}


def misfit(got: TensorType, wanted: tuple[type, ...]) -> tuple[str, str]:
    """Why a value does not fit where another type is wanted, and the blocks that convert it."""
    bridges = dict.fromkeys([_BRIDGES[type(got), each] for each in wanted if (type(got), each) in _BRIDGES])
    return f"got {_NOUNS[type(got)]}; expected {' or '.join(_NOUNS[each] for each in wanted)}", "; or ".join(bridges)


def stride_text(x: TensorType) -> str:
    """`8`, or `8 × 4` along the height and the width."""
    return " × ".join([f"{each:g}" for each in dict.fromkeys(x.strides)])


def undivided(whole: int, what: str, parts: int, noun: str) -> tuple[str, str]:
    """Why a number has no equal parts, and the numbers of parts near by that it has."""
    known = [each for each in range(1, min(whole, 2 * parts) + 1) if whole % each == 0]
    *others, last = map(str, known[-3:])
    hint = f"take {' or '.join(filter(None, [', '.join(others), last]))} {noun}, or another number of {what}"
    return f"{whole} {what} do not divide into {parts} {noun}", hint


def area(sides: tuple[Side, Side]) -> Side:
    """Height × width; None while either is unknown."""
    return None if None in sides else prod(side or 0 for side in sides)


def _whole(number: float) -> float:
    """8 for 8.0: equal types are printed alike, whichever of them a block was first applied to."""
    return int(number) if number == int(number) else number


def _text(shape: tuple[Side, ...]) -> str:
    return "x".join("?" if side is None else str(side) for side in shape)
