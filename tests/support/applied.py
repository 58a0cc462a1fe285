"""Every operation applied to inputs of every type that it takes, at even and odd sizes."""

from __future__ import annotations

from archdsl.ir import ops
from archdsl.ir.node import Op
from archdsl.ir.types import FeatureMap, TensorType, Tokens, Vector

IMAGE = FeatureMap(6, 8, 4)
ODD = FeatureMap(7, 5, 4)
GATE = FeatureMap(1, 1, 4)
VECTOR = Vector(4)
TOKENS = Tokens(6, 4, (2, 3))
ONE = Vector(1)
EVERY_TYPE = (IMAGE, ODD, VECTOR, TOKENS)
POINTWISE: list[Op] = [
    ops.Rescale(0.5, 1),
    ops.Identity(),
    ops.StopGradient(),
    ops.BatchNorm(),
    ops.BatchNorm(center=False),
    ops.BatchNorm(scale=False),
    ops.LayerNorm(1e-6),
    ops.LayerNorm(center=False, scale=False),
    ops.L2Normalize(),
    ops.Normalize(),
    ops.Normalize((1, 2, 3, 4), (4,)),
    ops.PRelu(),
    ops.LayerScale(0.1),
    ops.Dropout(0.5),
    ops.StochasticDepth(0.5),
    ops.Dense(5),
    ops.Dense(5, bias=False),
    ops.Slice(1, 3),
    ops.Slice(0, 1, groups=2),
    ops.ChannelShuffle(2),
    ops.ReverseChannels(),
    ops.Activation("relu", limit=0.5),
    *[ops.Activation(function) for function in ops.ACTIVATIONS],  # type: ignore[arg-type]
]
APPLIED: list[tuple[Op, tuple[TensorType, ...]]] = [
    *[(op, (each,)) for op in POINTWISE for each in EVERY_TYPE],
    *[(op, (each, each)) for op in (ops.Add(), ops.Subtract(), ops.Multiply(), ops.Concat()) for each in EVERY_TYPE],
    *[(op, (each,) * 3) for op in (ops.WeightedSum(), ops.WeightedSum("softmax", True)) for each in EVERY_TYPE],
    (ops.Multiply(), (IMAGE, VECTOR)),
    (ops.Multiply(), (TOKENS, VECTOR)),
    (ops.Multiply(), (IMAGE, FeatureMap(6, 8, 1))),
    (ops.Flatten(), (IMAGE,)),
    (ops.Flatten(), (TOKENS,)),
    (ops.GlobalAvgPool(False), (IMAGE,)),
    (ops.GlobalMaxPool(False), (IMAGE,)),
    (ops.ToTokens(), (ODD,)),
    (ops.ToTokens(parts=2), (ODD,)),
    (ops.Anchors(((3, 4), (5, 1)), 8), (ODD,)),
    (ops.Anchors(((9, 4),), (2, 1)), (ODD, FeatureMap(14, 5, 3))),
    (ops.AnchorBoxes(stride=8), (TOKENS, TOKENS)),
    (ops.AnchorBoxes("darknet", (4, 8), 1.2), (TOKENS, TOKENS)),
    (ops.DeltaBoxes(), (TOKENS, TOKENS)),
    (ops.ToMap(2, 3), (TOKENS,)),
    (ops.ToMap(5, 1, extra=1), (TOKENS,)),
    (ops.Ones(), (IMAGE,)),
    (ops.Ones(), (TOKENS,)),
    (ops.Ones(), (VECTOR,)),
    (ops.Learned(3, 4), (ONE,)),
    (ops.ConcatTokens(), (Tokens(1, 4), TOKENS)),
    (ops.FirstToken(), (TOKENS,)),
    (ops.TokenMean(), (TOKENS,)),
    (ops.Attention(2), (TOKENS, TOKENS, TOKENS)),
    (ops.Attention(2), (Tokens(3, 4), TOKENS, Tokens(6, 8))),
    (ops.Attention(2), (IMAGE, ODD, ODD)),
    (ops.Attention(1, areas=2), (IMAGE, IMAGE, IMAGE)),
    (ops.Resize(9, 5), (IMAGE,)),
    (ops.Resize(3, 4, "nearest"), (IMAGE,)),
    *[
        (ops.ResizeLike(how), pair)
        for how in ("bilinear", "nearest")
        for pair in ((IMAGE, ODD), (ODD, IMAGE), (GATE, ODD))
    ],
    (ops.Transpose(), (TOKENS,)),
    (ops.TransposedConv2D(5), (ODD,)),
    (ops.TransposedConv2D(5, (3, 1), (2, 1), bias=True), (ODD,)),
    (ops.TransposedConv2D(5, 3, 2, "valid"), (IMAGE,)),
    (ops.TransposedConv2D(5, 2, 3, "valid"), (IMAGE,)),
    (ops.GroupNorm(2), (IMAGE,)),
    (ops.Conv2D(5, 3, stride=2, bias=True), (IMAGE,)),
    (ops.Conv2D(6, 3, groups=2, dilation=2, padding="valid"), (IMAGE,)),
    (ops.DepthwiseConv2D(3, stride=2), (IMAGE,)),
    (ops.MaxPool(3, 2), (IMAGE,)),
    (ops.AvgPool(2, 2, "valid"), (IMAGE,)),
    (ops.GlobalAvgPool(), (IMAGE,)),
    (ops.GlobalMaxPool(), (IMAGE,)),
    (ops.SumRows(), (IMAGE,)),
    (ops.Pad(1), (IMAGE,)),
    (ops.Pad(((0, 1), (2, 0)), float("-inf")), (IMAGE,)),
    (ops.Crop(((0, 1), 2)), (IMAGE,)),
    (ops.Conv2D(5, (1, 3), (2, 1), bias=True), (IMAGE,)),
    (ops.Conv2D(5, (3, 1), dilation=(2, 1), padding="valid"), (IMAGE,)),
    (ops.MaxPool((3, 1), (2, 1)), (IMAGE,)),
    (ops.Upsample((1, 3)), (IMAGE,)),
    (ops.Upsample(2), (IMAGE,)),
    (ops.Upsample(2, "bilinear"), (IMAGE,)),
    (ops.SpaceToDepth(), (IMAGE,)),
    (ops.DepthToSpace(), (ODD,)),
    (ops.DepthToSpace(3), (FeatureMap(3, 2, 18),)),
    (ops.ChannelShuffle(3), (FeatureMap(3, 2, 12),)),
    (ops.ChannelMean(), (IMAGE,)),
    (ops.ChannelMax(), (IMAGE,)),
    (ops.Multiply(), (IMAGE, GATE)),
    (ops.ConcatRows(), (IMAGE, IMAGE)),
    (ops.Conv2D(5, bias=True, initial_bias=-4.0), (IMAGE,)),
    (ops.DistributionMean(2), (IMAGE,)),
    (ops.BoxesFromDistances(8), (ODD,)),
    (ops.BoxesFromDistances((2, 4)), (IMAGE,)),
    (ops.RotatedBoxes(8), (ODD, FeatureMap(7, 5, 1))),
    (ops.Keypoints(8), (FeatureMap(7, 5, 6),)),
    (ops.Keypoints((2, 4)), (FeatureMap(7, 5, 6),)),
]
