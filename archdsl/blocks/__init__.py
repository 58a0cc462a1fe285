"""The shipped blocks, one family a file, and what a block of your own is made of.

    import archdsl
    from archdsl.blocks import Conventions, Node, Width, conv_bn_act

Importing this package registers every shipped block: each file beside this one is imported.
"""

from importlib import import_module
from pathlib import Path

from archdsl.blocks.conv import conv_bn, conv_bn_act, depthwise_conv_bn_act
from archdsl.blocks.conventions import Conventions
from archdsl.blocks.csp import chain, cross_stage, hidden_width
from archdsl.blocks.registry import (
    Depth,
    Dilation,
    Dilation2D,
    Groups,
    Kernel,
    Kernel2D,
    Ratio,
    Stride,
    Stride2D,
    Width,
    block,
)
from archdsl.blocks.windows import Window, conv2d, depthwise2d, pad
from archdsl.ir.graph import Node
from archdsl.ir.ops import (
    Activation,
    ActivationName,
    Add,
    AvgPool,
    BatchNorm,
    ChannelMax,
    ChannelMean,
    Concat,
    Conv2D,
    DepthwiseConv2D,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    Identity,
    MaxPool,
    Multiply,
    Pad,
    Part,
    Slice,
    SpaceToDepth,
    Split,
    Upsample,
    WeightedSum,
)
from archdsl.schemas.annotations import Limits

for _file in sorted(Path(__file__).parent.glob("[a-z]*.py")):
    import_module(f"{__name__}.{_file.stem}")

__all__ = [
    "Activation",
    "ActivationName",
    "Add",
    "AvgPool",
    "BatchNorm",
    "ChannelMax",
    "ChannelMean",
    "Concat",
    "Conv2D",
    "Conventions",
    "Depth",
    "DepthwiseConv2D",
    "Dilation",
    "Dilation2D",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "GroupNorm",
    "Groups",
    "Identity",
    "Kernel",
    "Kernel2D",
    "Limits",
    "MaxPool",
    "Multiply",
    "Node",
    "Pad",
    "Part",
    "Ratio",
    "Slice",
    "SpaceToDepth",
    "Split",
    "Stride",
    "Stride2D",
    "Upsample",
    "WeightedSum",
    "Width",
    "Window",
    "block",
    "chain",
    "conv2d",
    "conv_bn",
    "conv_bn_act",
    "cross_stage",
    "depthwise2d",
    "depthwise_conv_bn_act",
    "hidden_width",
    "pad",
]
