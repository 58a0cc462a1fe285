"""Gates: a map is multiplied by numbers between 0 and 1 that are computed from itself."""

from __future__ import annotations

from archdsl.blocks.conventions import Conventions, activation_of
from archdsl.blocks.csp import hidden_width
from archdsl.blocks.registry import Groups, Kernel, Ratio, Width, block
from archdsl.ir.node import Node
from archdsl.ir.ops import (
    Activation,
    ActivationName,
    ChannelMax,
    ChannelMean,
    Concat,
    ConcatRows,
    Conv2D,
    GlobalAvgPool,
    GlobalMaxPool,
    Multiply,
    SumRows,
)


@block
def squeeze_excite(
    x: Node,
    *,
    expansion: Ratio = 1 / 16,
    divisor: Groups = 1,
    squeeze: Width | None = None,
    bias: bool = False,
    activation: ActivationName | None = None,
    gate: ActivationName = "sigmoid",
    style: Conventions,
) -> Node:
    """A gate for each channel, from the mean of all channels (Squeeze-and-Excitation, Hu et al. 2018, figure 1).

    (H, W, C) -> (H, W, C). The mean goes through `squeeze` channels, by default expansion × C rounded to a multiple of
    `divisor`, never down by more than a tenth (MobileNetV3). Without biases there are 2 expansion C² parameters.
    """
    mean = GlobalAvgPool()(x, name="squeeze")
    hidden = squeeze or rounded(x.channels * expansion, divisor)
    factors = perceptron(mean, hidden, style.with_activation(activation), bias)
    return Multiply()(x, activation_of(gate)(factors, name="gate"), name="scale")


@block
def cbam(
    x: Node,
    *,
    kernel: Kernel = 7,
    expansion: Ratio = 1 / 16,
    activation: ActivationName | None = None,
    style: Conventions,
) -> Node:
    """A gate for each channel, then one for each pixel (Convolutional Block Attention Module, Woo et al. 2018).

    (H, W, C) -> (H, W, C). Channels: mean and maximum through one perceptron, as in squeeze_excite, and summed
    (equation 2). Pixels: mean and maximum over the channels, convolved with `kernel` (equation 3).
    """
    # as two rows of one map, mean and maximum share the perceptron's weights
    rows = ConcatRows()(GlobalAvgPool()(x, name="mean"), GlobalMaxPool()(x, name="max"), name="rows")
    hidden = hidden_width(x.channels, expansion)
    channels = SumRows()(perceptron(rows, hidden, style.with_activation(activation)), name="sum")
    x = Multiply()(x, Activation("sigmoid")(channels, name="channel_gate"), name="channel_scale")
    pixels = Concat()(ChannelMean()(x, name="pixel_mean"), ChannelMax()(x, name="pixel_max"), name="pixels")
    pixels = Conv2D(1, kernel)(pixels, name="pixel_conv")
    return Multiply()(x, Activation("sigmoid")(pixels, name="pixel_gate"), name="pixel_scale")


def perceptron(x: Node, hidden: int, style: Conventions, bias: bool = False) -> Node:
    """Two layers, the same for every pixel, with `hidden` channels between them. (H, W, C) -> (H, W, C)."""
    reduced = Conv2D(hidden, bias=bias)(x, name="reduce")
    return Conv2D(x.channels, bias=bias)(style.activate(reduced, name="reduce_act"), name="restore")


def rounded(width: float, divisor: int) -> int:
    """The nearest multiple of `divisor`, or the next one where that is less than 9/10 of it (MobileNetV2's code)."""
    if divisor == 1:
        return max(1, int(width))
    found = max(divisor, int(width + divisor / 2) // divisor * divisor)
    return found + divisor if found < 0.9 * width else found
