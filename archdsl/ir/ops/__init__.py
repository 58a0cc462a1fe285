"""Every primitive operation, one class each: its shape rule, its weights, its cost, its Keras layer.

Multiply-accumulates are those of convolutions, dense layers and attention; normalisation, activations, pooling and
additions count as zero, as in the tables of the papers.
"""

from archdsl.ir.graph import Op
from archdsl.ir.ops.anchors import AnchorBoxes, Anchors, DeltaBoxes
from archdsl.ir.ops.attention import Attention
from archdsl.ir.ops.channels import ChannelMax, ChannelMean, ChannelShuffle, Part, ReverseChannels, Slice, Split
from archdsl.ir.ops.convolution import Conv2D, DepthwiseConv2D, TransposedConv2D
from archdsl.ir.ops.detection import BoxesFromDistances, DistributionMean, Keypoints, RotatedBoxes
from archdsl.ir.ops.merging import Add, Concat, ConcatRows, Multiply, Subtract, WeightedSum
from archdsl.ir.ops.normalization import BatchNorm, GroupNorm, L2Normalize, LayerNorm, Normalize
from archdsl.ir.ops.pointwise import (
    ACTIVATIONS,
    Activation,
    ActivationName,
    Dropout,
    Identity,
    Input,
    LayerScale,
    PRelu,
    Rescale,
    StochasticDepth,
    StopGradient,
)
from archdsl.ir.ops.pooling import AvgPool, GlobalAvgPool, GlobalMaxPool, GlobalPool, MaxPool, Pool, SumRows
from archdsl.ir.ops.resizing import Crop, Pad, Resize, SpaceToDepth, Upsample
from archdsl.ir.ops.tokens import ConcatTokens, FirstToken, Learned, Ones, TokenMean, ToMap, ToTokens
from archdsl.ir.ops.vectors import Dense, Flatten
from archdsl.ir.ops.windows import Padding

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "ActivationName",
    "Add",
    "AnchorBoxes",
    "Anchors",
    "Attention",
    "AvgPool",
    "BatchNorm",
    "BoxesFromDistances",
    "ChannelMax",
    "ChannelMean",
    "ChannelShuffle",
    "Concat",
    "ConcatRows",
    "ConcatTokens",
    "Conv2D",
    "Crop",
    "DeltaBoxes",
    "Dense",
    "DepthwiseConv2D",
    "DistributionMean",
    "Dropout",
    "FirstToken",
    "Flatten",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "GlobalPool",
    "GroupNorm",
    "Identity",
    "Input",
    "Keypoints",
    "L2Normalize",
    "LayerNorm",
    "LayerScale",
    "Learned",
    "MaxPool",
    "Multiply",
    "Normalize",
    "Ones",
    "Op",
    "PRelu",
    "Pad",
    "Padding",
    "Part",
    "Pool",
    "Rescale",
    "Resize",
    "ReverseChannels",
    "RotatedBoxes",
    "Slice",
    "SpaceToDepth",
    "Split",
    "StochasticDepth",
    "StopGradient",
    "Subtract",
    "SumRows",
    "ToMap",
    "ToTokens",
    "TokenMean",
    "TransposedConv2D",
    "Upsample",
    "WeightedSum",
]
