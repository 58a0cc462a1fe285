"""Ghost convolution: half of the channels are cheap copies of the other half (GhostNet, Han et al. 2020)."""

from __future__ import annotations

from archdsl.blocks.conv import conv_bn_act
from archdsl.blocks.conventions import Conventions
from archdsl.blocks.registry import Dilation, Kernel, Stride, Width, block
from archdsl.blocks.windows import Window, depthwise2d
from archdsl.ir.node import Node
from archdsl.ir.ops import ActivationName, Concat, Slice


@block
def ghost_conv(
    x: Node,
    *,
    width: Width,
    kernel: Kernel = 1,
    stride: Stride = 1,
    dilation: Dilation = 1,
    ghost_kernel: Kernel = 3,
    activation: ActivationName | None = None,
    style: Conventions,
) -> Node:
    """A convolution to half of the channels; one filter on each of them gives the rest (GhostNet, figure 2b, s = 2).

    (H, W, C) -> (H/stride, W/stride, width). Batch norm and activation follow both convolutions; of an odd width,
    the first gives one channel more.
    """
    style = style.with_activation(activation)
    ghosts = width // 2
    window = {"kernel": kernel, "stride": stride, "dilation": dilation}
    whole = conv_bn_act(x, width=width - ghosts, **window, style=style, name="whole")
    if ghosts == 0:  # one channel is no two halves
        return whole
    origin = whole if whole.channels == ghosts else Slice(0, ghosts)(whole, name="origin")
    ghost = depthwise2d(origin, Window(ghost_kernel), bias=style.norm is None, style=style, name="ghost")
    ghost = style.activate(style.normalize(ghost, name="ghost_bn"), name="ghost_act")
    return Concat()(whole, ghost, name="concat")
