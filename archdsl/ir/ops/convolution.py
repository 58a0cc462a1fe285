"""Convolutions, the only operations whose multiply-accumulates are counted."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd, prod
from typing import Any

from archdsl.ir.cost import Weight
from archdsl.ir.emission import DATA_FORMAT, EmitContext
from archdsl.ir.node import ShapeError
from archdsl.ir.ops.windows import Padding, Windowed, slide, window_reach
from archdsl.ir.types import FeatureMap, Sides, both, undivided


class Convolution(Windowed):
    """A kernel, perhaps a bias; every output pixel costs the whole kernel once."""

    sided = ("kernel", "stride", "dilation")  # the last of them is 1 where a class has no such field
    pads = adds_to = True

    kernel: Sides
    stride: Sides
    padding: Padding
    dilation: Sides
    bias: bool

    def kernel_shape(self, channels: int) -> tuple[int, int, int, int]:
        """Of the array that convolves so many channels."""
        raise NotImplementedError

    def width(self, channels: int) -> int:
        """Output channels for so many."""
        raise NotImplementedError

    def slide(self, x: FeatureMap, channels: int) -> FeatureMap:
        if self.stride != 1 and self.dilation != 1:  # Keras has no such convolution
            raise ShapeError(
                f"stride {self.stride} and dilation {self.dilation} at once; expected one of them to be 1",
                hint="a dilated stage keeps its resolution: set its stride to 1",
            )
        return slide(x, channels, self.kernel, self.stride, self.dilation, self.padding)

    @property
    def reach(self) -> Sides:
        return window_reach(self.kernel, self.dilation)

    def weights(self, *inputs: FeatureMap) -> tuple[Weight, ...]:
        channels = inputs[0].channels
        kernel = Weight("kernel", self.kernel_shape(channels))
        return (kernel, Weight("bias", (self.width(channels),))) if self.bias else (kernel,)

    def macs(self, result: FeatureMap, *inputs: FeatureMap) -> int | None:
        height, image_width = result[:2]
        if height is None or image_width is None:
            return None
        return height * image_width * prod(self.kernel_shape(inputs[0].channels))


@dataclass(eq=False, repr=False)
class Conv2D(Convolution):
    """2-D convolution. (H, W, C) -> (H', W', filters). MACs = H' W' kernel² (C / groups) filters.

    Training begins with `initial_bias` in every channel.
    """

    filters: int
    kernel: Sides = 1
    stride: Sides = 1
    padding: Padding = "same"
    dilation: Sides = 1
    groups: int = 1
    bias: bool = False
    initial_bias: float = 0.0

    def infer(self, x: FeatureMap) -> FeatureMap:
        if self.groups > 1 and (x.channels % self.groups or self.filters % self.groups):
            most = gcd(x.channels, self.filters)
            raise ShapeError(
                f"{x.channels} input and {self.filters} output channels do not divide into {self.groups} groups",
                hint=undivided(most, "channels", min(self.groups, most), "groups")[1],
            )
        return self.slide(x, self.filters)

    def kernel_shape(self, channels: int) -> tuple[int, int, int, int]:
        return *both(self.kernel), channels // self.groups, self.filters

    def width(self, channels: int) -> int:
        return self.filters

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        layer = context.keras.layers.Conv2D(
            self.filters,
            self.kernel,
            strides=self.stride,
            padding=self.padding,
            dilation_rate=self.dilation,
            groups=self.groups,
            use_bias=self.bias,
            data_format=DATA_FORMAT,
            bias_initializer=context.keras.initializers.Constant(self.initial_bias) if self.initial_bias else "zeros",
            name=name,
        )
        return context.called(layer, *inputs)


@dataclass(eq=False, repr=False)
class DepthwiseConv2D(Convolution):
    """One filter per channel. (H, W, C) -> (H', W', C). MACs = H' W' kernel² C."""

    kernel: Sides = 3
    stride: Sides = 1
    padding: Padding = "same"
    dilation: Sides = 1
    bias: bool = False

    def infer(self, x: FeatureMap) -> FeatureMap:
        return self.slide(x, x.channels)

    def kernel_shape(self, channels: int) -> tuple[int, int, int, int]:
        return *both(self.kernel), channels, 1

    def width(self, channels: int) -> int:
        return channels

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        layer = context.keras.layers.DepthwiseConv2D(
            self.kernel,
            strides=self.stride,
            padding=self.padding,
            dilation_rate=self.dilation,
            use_bias=self.bias,
            data_format=DATA_FORMAT,
            name=name,
        )
        return context.called(layer, *inputs)


@dataclass(eq=False, repr=False)
class TransposedConv2D(Convolution):
    """The transpose of a strided convolution (Dumoulin and Visin 2016, section 4). (H, W, C) -> (H', W', filters).

    H' = stride H with padding "same", stride (H - 1) + max(kernel, stride) with "valid". MACs = H W kernel² C filters.
    """

    pads = False

    filters: int
    kernel: Sides = 2
    stride: Sides = 2
    padding: Padding = "same"
    bias: bool = False
    dilation = 1

    def infer(self, x: FeatureMap) -> FeatureMap:
        sides = [
            None if side is None else side * step + (max(own - step, 0) if self.padding == "valid" else 0)
            for side, own, step in zip(x[:2], both(self.kernel), both(self.stride), strict=True)
        ]
        return x.resized(sides[0], sides[1], self.filters, factor=self.stride)

    @property
    def reach(self) -> Sides:
        high, wide = [-(-own // step) for own, step in zip(both(self.kernel), both(self.stride), strict=True)]
        return high, wide

    def kernel_shape(self, channels: int) -> tuple[int, int, int, int]:
        return *both(self.kernel), self.filters, channels

    def width(self, channels: int) -> int:
        return self.filters

    def macs(self, result: FeatureMap, *inputs: FeatureMap) -> int | None:
        return super().macs(*inputs, *inputs)

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        layer = context.keras.layers.Conv2DTranspose(
            self.filters,
            self.kernel,
            strides=self.stride,
            padding=self.padding,
            use_bias=self.bias,
            data_format=DATA_FORMAT,
            name=name,
        )
        return context.called(layer, *inputs)
