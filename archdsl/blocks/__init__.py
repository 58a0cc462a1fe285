"""The shipped blocks, one family a file, and what a block of your own is made of.

    import archdsl
    from archdsl.blocks import Conventions, Node, Width, conv_bn_act

A family is imported when one of its blocks is first asked for.
"""

from typing import TYPE_CHECKING

from archdsl.lazy import lazy

if TYPE_CHECKING:
    from archdsl.blocks.conv import conv_bn as conv_bn
    from archdsl.blocks.conv import conv_bn_act as conv_bn_act
    from archdsl.blocks.conv import depthwise_conv_bn_act as depthwise_conv_bn_act
    from archdsl.blocks.conventions import Conventions as Conventions
    from archdsl.blocks.csp import chain as chain
    from archdsl.blocks.csp import cross_stage as cross_stage
    from archdsl.blocks.csp import hidden_width as hidden_width
    from archdsl.blocks.registry import Depth as Depth
    from archdsl.blocks.registry import Dilation as Dilation
    from archdsl.blocks.registry import Dilation2D as Dilation2D
    from archdsl.blocks.registry import Groups as Groups
    from archdsl.blocks.registry import Kernel as Kernel
    from archdsl.blocks.registry import Kernel2D as Kernel2D
    from archdsl.blocks.registry import Ratio as Ratio
    from archdsl.blocks.registry import Stride as Stride
    from archdsl.blocks.registry import Stride2D as Stride2D
    from archdsl.blocks.registry import Width as Width
    from archdsl.blocks.registry import block as block
    from archdsl.blocks.windows import Window as Window
    from archdsl.blocks.windows import conv2d as conv2d
    from archdsl.blocks.windows import depthwise2d as depthwise2d
    from archdsl.blocks.windows import pad as pad
    from archdsl.ir.node import Node as Node
    from archdsl.ir.ops import Activation as Activation
    from archdsl.ir.ops import ActivationName as ActivationName
    from archdsl.ir.ops import Add as Add
    from archdsl.ir.ops import AvgPool as AvgPool
    from archdsl.ir.ops import BatchNorm as BatchNorm
    from archdsl.ir.ops import ChannelMax as ChannelMax
    from archdsl.ir.ops import ChannelMean as ChannelMean
    from archdsl.ir.ops import Concat as Concat
    from archdsl.ir.ops import Conv2D as Conv2D
    from archdsl.ir.ops import DepthwiseConv2D as DepthwiseConv2D
    from archdsl.ir.ops import GlobalAvgPool as GlobalAvgPool
    from archdsl.ir.ops import GlobalMaxPool as GlobalMaxPool
    from archdsl.ir.ops import GroupNorm as GroupNorm
    from archdsl.ir.ops import Identity as Identity
    from archdsl.ir.ops import MaxPool as MaxPool
    from archdsl.ir.ops import Multiply as Multiply
    from archdsl.ir.ops import Pad as Pad
    from archdsl.ir.ops import Part as Part
    from archdsl.ir.ops import Slice as Slice
    from archdsl.ir.ops import SpaceToDepth as SpaceToDepth
    from archdsl.ir.ops import Split as Split
    from archdsl.ir.ops import Upsample as Upsample
    from archdsl.ir.ops import WeightedSum as WeightedSum
    from archdsl.schemas.annotations import Limits as Limits

__getattr__, __dir__ = lazy(
    __name__,
    {
        ".conv": "conv_bn conv_bn_act depthwise_conv_bn_act",
        ".conventions": "Conventions",
        ".csp": "chain cross_stage hidden_width",
        ".registry": "Depth Dilation Dilation2D Groups Kernel Kernel2D Ratio Stride Stride2D Width block",
        ".windows": "Window conv2d depthwise2d pad",
        "archdsl.ir.node": "Node",
        "archdsl.ir.ops": "Activation ActivationName Add AvgPool BatchNorm ChannelMax ChannelMean "
        "Concat Conv2D DepthwiseConv2D GlobalAvgPool "
        "GlobalMaxPool GroupNorm Identity MaxPool Multiply Pad Part Slice SpaceToDepth Split Upsample WeightedSum",
        "archdsl.schemas.annotations": "Limits",
    },
)
