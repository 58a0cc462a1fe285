"""The types of values in a graph: feature maps, vectors and sequences of tokens, all without the batch.

None is a side that is not known yet. `stride` is how many pixels of the image lie between two of a map, along one side;
it is known even where the sides are not, so that maps which cannot fit are told apart at any image size.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

Side = int | None


class FeatureMap(NamedTuple):
    """An image or a feature map: (height, width, channels)."""

    height: Side
    image_width: Side
    channels: int
    stride: float = 1

    @property
    def shape(self) -> tuple[Side, Side, int]:
        return self[:3]

    @property
    def elements(self) -> int:
        """Height × width × channels; 0 while height or width is unknown."""
        height, image_width, channels, _ = self
        return 0 if height is None or image_width is None else height * image_width * channels

    def with_channels(self, channels: int) -> FeatureMap:
        """(H, W, C) -> (H, W, channels)."""
        return self._replace(channels=channels)

    def strided(self, stride: int) -> FeatureMap:
        """(H, W, C) -> (H / stride, W / stride, C), rounded up, as padding "same" leaves it."""
        height, image_width = [None if side is None else -(-side // stride) for side in self[:2]]
        return FeatureMap(height, image_width, self.channels, self.stride * stride)

    def __str__(self) -> str:
        return _text(self.shape)


class Vector(NamedTuple):
    """One value a channel: (channels)."""

    channels: int

    @property
    def stride(self) -> float:
        """It has no sides; 1 leaves what is computed from strides as it is."""
        return 1

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
    """A sequence: (length, channels). `grid` is the height and width of the map whose pixels they are, row by row."""

    length: Side
    channels: int
    grid: tuple[Side, Side] | None = None
    stride: float = 1

    @property
    def shape(self) -> tuple[Side, int]:
        return self[:2]

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
}


def misfit(got: TensorType, wanted: tuple[type, ...]) -> tuple[str, str]:
    """Why a value is of no use where another type is wanted, and what makes one of the other."""
    bridges = [_BRIDGES[type(got), each] for each in wanted if (type(got), each) in _BRIDGES]
    return f"got {_NOUNS[type(got)]}; expected {' or '.join(_NOUNS[each] for each in wanted)}", "; or ".join(bridges)


def area(sides: tuple[Side, Side]) -> Side:
    """Height × width; None while either is unknown."""
    return None if None in sides else prod(side or 0 for side in sides)


def _text(shape: tuple[Side, ...]) -> str:
    return "x".join("?" if side is None else str(side) for side in shape)
