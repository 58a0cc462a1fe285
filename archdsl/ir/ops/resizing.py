"""Operations that change the sides of a map: padding, cropping, up-sampling, moving pixels into channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from archdsl.ir.emission import DATA_FORMAT, EmitContext
from archdsl.ir.node import Op, ShapeError
from archdsl.ir.ops.channels import group_size
from archdsl.ir.ops.windows import Windowed
from archdsl.ir.types import FeatureMap, Sides, both, shortest

Border = Sides | tuple[Sides, Sides]
"""Pixels around a map: a number, (height, width), or each of these as (before, after)."""


@dataclass(eq=False, repr=False)
class Framed(Op):
    """An operation with a border of pixels, kept in its shortest form, so that equal operations are equal."""

    keeps = "nothing"

    size: Border = 1

    def __post_init__(self) -> None:
        if type(self.size) is not int:
            pairs = tuple([shortest(each) for each in both(self.size)])
            is_even = all(isinstance(each, int) for each in pairs)  # (0, 1) would be height and width
            object.__setattr__(self, "size", shortest(pairs) if is_even else pairs)

    @property
    def border(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """(top, bottom), (left, right)."""
        height, image_width = both(self.size)
        return both(height), both(image_width)

    @cached_property
    def added(self) -> tuple[int, int]:
        """Pixels in all, along the height and the width."""
        rows, columns = self.border
        return sum(rows), sum(columns)


@dataclass(eq=False, repr=False)
class Pad(Framed):
    """Zeros, or another value, on the four sides. (H, W, C) -> (H + top + bottom, W + left + right, C).

    `value` is what a maximum needs to see nothing there: minus infinity.
    """

    value: float = 0.0

    def infer(self, x: FeatureMap) -> FeatureMap:
        rows, columns = self.added
        height, image_width, channels, stride, across = x
        return FeatureMap(_plus(height, rows), _plus(image_width, columns), channels, stride, across)

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        if self.value:
            return context.keras.ops.pad(*inputs, ((0, 0), *self.border, (0, 0)), constant_values=self.value)
        return context.keras.layers.ZeroPadding2D(self.border, data_format=DATA_FORMAT, name=name)(*inputs)


class Crop(Framed):
    """Cuts pixels off the four sides. (H, W, C) -> (H - top - bottom, W - left - right, C)."""

    def infer(self, x: FeatureMap) -> FeatureMap:
        found = []
        for side, cut in zip(x[:2], self.added, strict=True):
            if side is not None and side <= cut:
                raise ShapeError(f"a side of {side} has nothing left without {cut} pixels")
            found.append(_plus(side, -cut))
        return x._replace(height=found[0], image_width=found[1])

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.layers.Cropping2D(self.border, data_format=DATA_FORMAT, name=name)(*inputs)


@dataclass(eq=False, repr=False)
class Upsample(Windowed):
    """Repeat or interpolate pixels. (H, W, C) -> (factor H, factor W, C)."""

    sided = ("factor",)
    keeps = "nothing"

    factor: Sides = 2
    interpolation: Literal["nearest", "bilinear"] = "nearest"

    def infer(self, x: FeatureMap) -> FeatureMap:
        down, across = both(self.factor)
        height = None if x.height is None else x.height * down
        image_width = None if x.image_width is None else x.image_width * across
        return x.resized(height, image_width, x.channels, factor=self.factor)

    @property
    def reach(self) -> int:
        return 1 if self.interpolation == "nearest" else 2

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        layer = context.keras.layers.UpSampling2D(
            self.factor, interpolation=self.interpolation, data_format=DATA_FORMAT, name=name
        )
        return layer(*inputs)


@dataclass(eq=False, repr=False)
class Resize(Op):
    """Resizes a map to a given size. (H, W, C) -> (height, image_width, C)."""

    keeps = "nothing"

    height: int
    image_width: int
    interpolation: Literal["nearest", "bilinear"] = "bilinear"

    def infer(self, x: FeatureMap) -> FeatureMap:
        if x.height is None or x.image_width is None:
            raise ShapeError("its size is not known", hint="set `input.shape`, or put upsample in its place")
        sides = self.height, self.image_width
        return x.resized(*sides, x.channels, stride=x[:2], factor=sides)  # type: ignore[arg-type]

    @property
    def reach(self) -> int:
        return 1 if self.interpolation == "nearest" else 2

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        layer = context.keras.layers.Resizing(
            self.height, self.image_width, interpolation=self.interpolation, data_format=DATA_FORMAT, name=name
        )
        return layer(*inputs, training=False)  # by default it makes `training` true for all layers after it


@dataclass(eq=False, repr=False)
class ResizeLike(Op):
    """Resizes a map to the sides of another. (H, W, C), (H', W', D) -> (H', W', C).

    A new pixel lies at (place + 1/2) H / H' - 1/2 of the map, inside of it: where Resize has it. A map of one pixel is
    repeated.
    """

    keeps = "nothing"

    interpolation: Literal["nearest", "bilinear"] = "bilinear"

    def infer(self, x: FeatureMap, like: FeatureMap) -> FeatureMap:
        return like.with_channels(x.channels)

    @property
    def reach(self) -> int:
        return 1 if self.interpolation == "nearest" else 2

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        x, like = inputs
        height, image_width = like.shape[1:3]
        if None not in (*x.shape[1:3], height, image_width):
            x = x * context.keras.ops.ones_like(like[:, :1, :1, :1])  # Keras keeps only layers that are read
            return Resize(height, image_width, self.interpolation).emit(context, name, x)
        rows, columns = [self._shares(context.keras.ops, x, like, axis) for axis in (1, 2)]
        tall = context.keras.ops.einsum("bij,bjkc->bikc", rows, x)
        return context.keras.ops.einsum("bij,bkjc->bkic", columns, tall)

    def _shares(self, ops: Any, x: Any, like: Any, axis: int) -> Any:
        """How much of each place along a side of `x` there is in each of `like`. (batch, places there, places here)."""
        here, there = [self._places(ops, each, axis) for each in (x, like)]
        scale = ops.sum(ops.ones_like(here), 1, keepdims=True) / ops.sum(ops.ones_like(there), 1, keepdims=True)
        if self.interpolation == "nearest":
            found = ops.floor((there + 0.5) * scale)
        else:
            found = ops.minimum(ops.relu((there + 0.5) * scale - 0.5), ops.max(here, 1, keepdims=True))
        far = ops.abs(ops.expand_dims(found, 2) - ops.expand_dims(here, 1))
        return ops.cast(ops.relu(1 - far), x.dtype)

    @staticmethod
    def _places(ops: Any, x: Any, axis: int) -> Any:
        """0, 1, 2, … along a side: (batch, places), exact whatever the precision."""
        line = x[:, :, 0, 0] if axis == 1 else x[:, 0, :, 0]
        return ops.cumsum(ops.ones_like(ops.cast(line, "float32")), axis=1) - 1


class SpaceToDepth(Op):
    """Move every 2 × 2 square of pixels into channels. (H, W, C) -> (H/2, W/2, 4 C).

    Order of the four: top left, bottom left, top right, bottom right, as in YOLOv5's Focus.
    """

    keeps = "nothing"

    def infer(self, x: FeatureMap) -> FeatureMap:
        height, image_width = x[:2]
        for side in (height, image_width):
            if side is not None and side % 2:
                raise ShapeError(f"a side of {side} is odd; expected even sides")
        return x.resized(height and height // 2, image_width and image_width // 2, 4 * x.channels, 2)

    @property
    def reach(self) -> int:
        return 2

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        (x,) = inputs
        quarters = [x[:, row::2, column::2, :] for column in (0, 1) for row in (0, 1)]
        return context.keras.layers.Concatenate(name=name)(quarters)


@dataclass(eq=False, repr=False)
class DepthToSpace(Op):
    """Move channels into a square of pixels. (H, W, C) -> (factor H, factor W, C / factor²).

    Each channel is a square of those that follow each other, row by row, as in PyTorch's PixelShuffle.
    """

    keeps = "nothing"

    factor: int = 2

    def infer(self, x: FeatureMap) -> FeatureMap:
        height, image_width = [side and side * self.factor for side in x[:2]]
        return x.resized(height, image_width, group_size(x, self.factor**2, "parts"), factor=self.factor)

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        (x,), layers, factor = inputs, context.keras.layers, self.factor
        known = [-1 if side is None else side for side in x.shape[1:3]]
        if known.count(-1) > 1:
            return self._of_any_size(context, name, x)
        channels = x.shape[-1] // factor**2
        parts = layers.Reshape((*known, channels, factor, factor), name=f"{name}_parts")(x)
        squares = layers.Permute((1, 4, 2, 5, 3), name=f"{name}_squares")(parts)
        sides = [-1 if side < 0 else side * factor for side in known]
        return layers.Reshape((*sides, channels), name=name)(squares)

    def _of_any_size(self, context: EmitContext, name: str, x: Any) -> Any:
        """The same for maps of which no side is known: Keras cannot bring them into shape again."""
        steps, of = range(self.factor), self.factor**2
        squares = [[x[..., row * self.factor + column :: of] for column in steps] for row in steps]
        rows = [self._woven(context, f"{name}_row{row}", parts, 2) for row, parts in enumerate(squares)]
        return self._woven(context, name, rows, 1)

    def _woven(self, context: EmitContext, name: str, parts: Sequence[Any], axis: int) -> Any:
        """Maps line by line in turn, along an axis."""
        ops, factor = context.keras.ops, (self.factor, 1) if axis == 1 else (1, self.factor)
        wide = [
            context.keras.layers.UpSampling2D(factor, data_format=DATA_FORMAT, name=f"{name}_part{at}")(part)
            for at, part in enumerate(parts)
        ]
        places = ops.cumsum(ops.ones_like(ops.cast(wide[0][..., :1], "float32")), axis=axis) - 1
        turn, woven = ops.mod(places, self.factor), wide[0]
        for at, part in enumerate(wide[1:], 1):
            woven = ops.where(ops.equal(turn, at), part, woven)
        return woven


def _plus(side: int | None, pixels: int) -> int | None:
    return None if side is None else side + pixels
