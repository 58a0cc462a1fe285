"""Every primitive operation, one class each: its shape rule, its weights, its cost, its Keras layer.

Multiply-accumulates are those of convolutions, dense layers and attention; normalisation, activations, pooling and
additions count as zero, as in the tables of the papers. A file is imported when one of its names is first asked for.
"""

from typing import TYPE_CHECKING

from archdsl.lazy import lazy

if TYPE_CHECKING:
    from archdsl.ir.ops.anchors import *  # noqa: F403
    from archdsl.ir.ops.attention import *  # noqa: F403
    from archdsl.ir.ops.channels import *  # noqa: F403
    from archdsl.ir.ops.convolution import *  # noqa: F403
    from archdsl.ir.ops.detection import *  # noqa: F403
    from archdsl.ir.ops.merging import *  # noqa: F403
    from archdsl.ir.ops.normalization import *  # noqa: F403
    from archdsl.ir.ops.pointwise import *  # noqa: F403
    from archdsl.ir.ops.pooling import *  # noqa: F403
    from archdsl.ir.ops.resizing import *  # noqa: F403
    from archdsl.ir.ops.tokens import *  # noqa: F403
    from archdsl.ir.ops.vectors import *  # noqa: F403
    from archdsl.ir.ops.windows import *  # noqa: F403

__getattr__, __dir__ = lazy(
    __name__,
    {
        ".anchors": "AnchorBoxes Anchors DeltaBoxes",
        ".attention": "Attention",
        ".channels": "ChannelMax ChannelMean ChannelShuffle Part ReverseChannels Slice Split",
        ".convolution": "Conv2D DepthwiseConv2D TransposedConv2D",
        ".detection": "BoxesFromDistances DistributionMean Keypoints RotatedBoxes",
        ".merging": "Add Concat ConcatRows Multiply Subtract WeightedSum",
        ".normalization": "BatchNorm GroupNorm L2Normalize LayerNorm Normalize",
        ".pointwise": "ACTIVATIONS Activation ActivationName Dropout Identity Input LayerScale PRelu Rescale "
        "StochasticDepth StopGradient",
        ".pooling": "AvgPool GlobalAvgPool GlobalMaxPool GlobalPool MaxPool Pool SumRows",
        ".resizing": "Crop DepthToSpace Pad Resize ResizeLike SpaceToDepth Upsample",
        ".tokens": "ConcatTokens FirstToken Learned Ones TokenMean ToMap ToTokens Transpose",
        ".vectors": "Dense Flatten",
        ".windows": "Padding",
    },
)
