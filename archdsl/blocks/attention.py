"""Attention as a gate: the map is multiplied by numbers between 0 and 1 that are computed from itself."""

from __future__ import annotations

from archdsl.blocks.conventions import Conventions
from archdsl.blocks.csp import hidden_width
from archdsl.blocks.registry import Kernel, Ratio, block
from archdsl.ir.graph import Node
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
    x: Node, *, expansion: Ratio = 1 / 16, activation: ActivationName | None = None, style: Conventions
) -> Node:
    """A gate for each channel, from the mean of all channels (Squeeze-and-Excitation, Hu et al. 2018, figure 1).

    (H, W, C) -> (H, W, C). The mean goes through expansion × C channels; 2 expansion C² parameters, no biases.
    """
    mean = GlobalAvgPool()(x, name="squeeze")
    gate = perceptron(mean, expansion, style.with_activation(activation))
    return Multiply()(x, Activation("sigmoid")(gate, name="gate"), name="scale")


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
    channels = SumRows()(perceptron(rows, expansion, style.with_activation(activation)), name="sum")
    x = Multiply()(x, Activation("sigmoid")(channels, name="channel_gate"), name="channel_scale")
    pixels = Concat()(ChannelMean()(x, name="pixel_mean"), ChannelMax()(x, name="pixel_max"), name="pixels")
    pixels = Conv2D(1, kernel)(pixels, name="pixel_conv")
    return Multiply()(x, Activation("sigmoid")(pixels, name="pixel_gate"), name="pixel_scale")


def perceptron(x: Node, expansion: float, style: Conventions) -> Node:
    """Two layers without biases, the same for every pixel. (H, W, C) -> (H, W, C)."""
    hidden = Conv2D(hidden_width(x.channels, expansion))(x, name="reduce")
    return Conv2D(x.channels)(style.activate(hidden, name="reduce_act"), name="restore")
