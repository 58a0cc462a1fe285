"""Layers that change the sides of a map: pooling, padding, cropping, up-sampling, space to depth."""

from __future__ import annotations

from typing import Literal

from archdsl.blocks.conventions import Conventions
from archdsl.blocks.registry import Border2D, Dilation2D, Kernel2D, Side, Stride, Stride2D, Width, block
from archdsl.blocks.windows import PaddingArgument, Window, explicit_border, pool2d, transposed2d
from archdsl.ir.node import Node
from archdsl.ir.ops import AvgPool, Crop, DepthToSpace, MaxPool, Pad, Resize, ResizeLike, SpaceToDepth, Upsample

Interpolation = Literal["nearest", "bilinear"]


@block
def max_pool(
    x: Node,
    *,
    kernel: Kernel2D = 2,
    stride: Stride2D = 2,
    padding: PaddingArgument | None = None,
    style: Conventions,
) -> Node:
    """Maximum of each window; what lies outside of the map does not count. (H, W, C) -> (H/stride, W/stride, C).

    A window of 2 has no middle: under symmetric padding an odd side loses its last pixel.
    """
    return pool2d(MaxPool, x, Window(kernel, stride, padding=padding), style=style)


@block
def avg_pool(
    x: Node,
    *,
    kernel: Kernel2D = 2,
    stride: Stride2D = 2,
    padding: PaddingArgument | None = None,
    style: Conventions,
) -> Node:
    """Mean of each window. (H, W, C) -> (H/stride, W/stride, C).

    Under padding `same` what lies outside of the map does not count, as in TensorFlow; else it counts as zero, as in
    PyTorch.
    """
    return pool2d(AvgPool, x, Window(kernel, stride, padding=padding), style=style)


@block
def pad(
    x: Node,
    *,
    padding: PaddingArgument = 1,
    kernel: Kernel2D = 3,
    stride: Stride2D = 1,
    dilation: Dilation2D = 1,
) -> Node:
    """Zeros around a map: a number of pixels, or as a rule pads a window.

    (H, W, C) -> (H + 2 padding, W + 2 padding, C). `kernel`, `stride` and `dilation` are those of the window that
    `same` or `symmetric` is for; where a side of the image is not known, `same` takes it for a multiple of the stride.
    """
    return Pad(explicit_border(x, Window(kernel, stride, dilation, padding)))(x, name="pad")


@block
def crop(x: Node, *, padding: Border2D = 1) -> Node:
    """Cuts pixels off the border. (H, W, C) -> (H - 2 padding, W - 2 padding, C)."""
    return Crop(padding)(x, name="crop")


@block
def upsample(x: Node, *, factor: Stride2D = 2, interpolation: Interpolation = "nearest") -> Node:
    """Enlarge both sides. (H, W, C) -> (factor H, factor W, C)."""
    return Upsample(factor, interpolation)(x, name="upsample")


@block
def focus(x: Node) -> Node:
    """Every 2 × 2 square of pixels becomes four times the channels (YOLOv5's Focus). (H, W, C) -> (H/2, W/2, 4 C)."""
    return SpaceToDepth()(x, name="space_to_depth")


@block
def space_to_depth(x: Node) -> Node:
    """`focus` under its general name, the inverse of the sub-pixel shuffle (Shi et al. 2016).

    (H, W, C) -> (H/2, W/2, 4 C).
    """
    return SpaceToDepth()(x, name="space_to_depth")


@block
def pixel_shuffle(x: Node, *, factor: Stride = 2) -> Node:
    """Channels as squares of pixels, in PyTorch's order (ESPCN, Shi et al. 2016, figure 1).

    (H, W, C) -> (factor H, factor W, C / factor / factor).
    """
    return DepthToSpace(factor)(x, name="shuffle")


@block
def resize(x: Node, *, height: Side, image_width: Side, interpolation: Interpolation = "bilinear") -> Node:
    """Resizes a map to a given size; the size of the image must be known. (H, W, C) -> (height, image_width, C)."""
    return Resize(height, image_width, interpolation)(x, name="resize")


@block
def resize_like(x: Node, like: Node, *, interpolation: Interpolation = "bilinear") -> Node:
    """Resizes the first map to the sides of the second, whatever these are. (H, W, C), (H', W', D) -> (H', W', C).

    The mean of an image is a map of one pixel and is repeated (DeepLabv3, Chen et al. 2017, section 3.3).
    """
    return ResizeLike(interpolation)(x, like, name="resize")


@block
def transposed_conv(
    x: Node,
    *,
    width: Width,
    kernel: Kernel2D = 2,
    factor: Stride2D = 2,
    bias: bool = True,
    padding: PaddingArgument | None = None,
    style: Conventions,
) -> Node:
    """A convolution that enlarges both sides (U-Net, Ronneberger et al. 2015, figure 1).

    (H, W, C) -> (factor H, factor W, width). `same` and `symmetric` cut off what goes beyond: of an odd number of
    pixels `same` cuts one more at the end, as TensorFlow does, and `symmetric` at the beginning, as PyTorch does with
    output_padding 1. Pixels are cut off on each side; `valid` leaves all.
    """
    return transposed2d(x, width, Window(kernel, factor, padding=padding), bias=bias, style=style)
