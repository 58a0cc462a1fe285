"""What changes the sides of a map: padding, up-sampling, moving pixels into channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from archdsl.ir.emission import DATA_FORMAT, EmitContext
from archdsl.ir.graph import Op, ShapeError
from archdsl.ir.types import FeatureMap


@dataclass(frozen=True)
class Pad(Op):
    """Zeros on all four sides. (H, W, C) -> (H + 2 size, W + 2 size, C)."""

    size: int = 1

    def infer(self, x: FeatureMap) -> FeatureMap:
        height, image_width, channels, stride = x
        return FeatureMap(
            None if height is None else height + 2 * self.size,
            None if image_width is None else image_width + 2 * self.size,
            channels,
            stride,
        )

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        return context.keras.layers.ZeroPadding2D(self.size, data_format=DATA_FORMAT, name=name)(*inputs)


@dataclass(frozen=True)
class Upsample(Op):
    """Repeat or interpolate pixels. (H, W, C) -> (factor H, factor W, C)."""

    factor: int = 2
    interpolation: Literal["nearest", "bilinear"] = "nearest"

    def infer(self, x: FeatureMap) -> FeatureMap:
        height, image_width, channels, stride = x
        return FeatureMap(
            None if height is None else height * self.factor,
            None if image_width is None else image_width * self.factor,
            channels,
            stride / self.factor,
        )

    @property
    def reach(self) -> int:
        return 1 if self.interpolation == "nearest" else 2

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        layer = context.keras.layers.UpSampling2D(
            self.factor, interpolation=self.interpolation, data_format=DATA_FORMAT, name=name
        )
        return layer(*inputs)


@dataclass(frozen=True)
class SpaceToDepth(Op):
    """Move every 2 × 2 square of pixels into channels. (H, W, C) -> (H/2, W/2, 4 C).

    Order of the four: top left, bottom left, top right, bottom right, as in YOLOv5's Focus.
    """

    def infer(self, x: FeatureMap) -> FeatureMap:
        height, image_width, channels, stride = x
        for side in (height, image_width):
            if side is not None and side % 2:
                raise ShapeError(f"a side of {side} is odd; expected even sides")
        return FeatureMap(height and height // 2, image_width and image_width // 2, 4 * channels, 2 * stride)

    @property
    def reach(self) -> int:
        return 2

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        (x,) = inputs
        quarters = [x[:, row::2, column::2, :] for column in (0, 1) for row in (0, 1)]
        return context.keras.layers.Concatenate(name=name)(quarters)
