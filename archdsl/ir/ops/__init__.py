"""Every primitive operation, one class each: its shape rule, its weights, its cost, its Keras layer.

Multiply-accumulates are those of convolutions; normalisation, activations, pooling and additions count as
zero, as in the tables of the papers.
"""

from archdsl.ir.graph import Op
from archdsl.ir.ops.channels import ChannelMax, ChannelMean, Part, Slice, Split
from archdsl.ir.ops.convolution import Conv2D, DepthwiseConv2D
from archdsl.ir.ops.merging import Add, Concat, ConcatRows, Multiply
from archdsl.ir.ops.pointwise import (
    ACTIVATIONS,
    Activation,
    ActivationName,
    BatchNorm,
    GroupNorm,
    Identity,
    Input,
    Rescale,
)
from archdsl.ir.ops.pooling import AvgPool, GlobalAvgPool, GlobalMaxPool, GlobalPool, MaxPool, Pool, SumRows
from archdsl.ir.ops.resizing import Crop, Pad, SpaceToDepth, Upsample
from archdsl.ir.ops.windows import Padding

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "ActivationName",
    "Add",
    "AvgPool",
    "BatchNorm",
    "ChannelMax",
    "ChannelMean",
    "Concat",
    "ConcatRows",
    "Conv2D",
    "Crop",
    "DepthwiseConv2D",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "GlobalPool",
    "GroupNorm",
    "Identity",
    "Input",
    "MaxPool",
    "Multiply",
    "Op",
    "Pad",
    "Padding",
    "Part",
    "Pool",
    "Rescale",
    "Slice",
    "SpaceToDepth",
    "Split",
    "SumRows",
    "Upsample",
]
