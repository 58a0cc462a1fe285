"""Names that other systems have for blocks: hints for unknown names."""

from __future__ import annotations

from archdsl.diagnostics.wording import meant

_NAMES = {
    **dict.fromkeys(("conv2d", "convolution"), "conv"),
    **dict.fromkeys(("cbs", "conv_block", "convbnact"), "conv_bn_act"),
    **dict.fromkeys(("depthwise_conv2d", "dwconv"), "depthwise_conv"),
    **dict.fromkeys(("separable_conv2d", "sepconv"), "separable_conv"),
    **dict.fromkeys(("conv_transpose", "conv2d_transpose", "deconv", "convtranspose2d"), "transposed_conv"),
    **dict.fromkeys(("batch_norm", "batch_normalization", "bn", "group_norm", "layer_norm", "layernorm"), "norm"),
    **dict.fromkeys(("relu", "silu", "swish", "leaky_relu", "mish", "gelu", "prelu"), "activation"),
    **dict.fromkeys(("maxpool", "maxpool2d", "max_pooling2d"), "max_pool"),
    **dict.fromkeys(("avgpool", "avgpool2d", "average_pooling2d"), "avg_pool"),
    **dict.fromkeys(("zero_padding2d", "zeropad2d", "padding"), "pad"),
    **dict.fromkeys(("shortcut", "sum"), "add"),
    **dict.fromkeys(("mul", "product"), "multiply"),
    **dict.fromkeys(("route", "concatenate", "cat"), "concat"),
    **dict.fromkeys(("upsampling2d", "up", "interpolate"), "upsample"),
    **dict.fromkeys(("depth_to_space", "pixelshuffle", "sub_pixel"), "pixel_shuffle"),
    **dict.fromkeys(("resize_to", "resize_as", "interpolate_like"), "resize_like"),
    **dict.fromkeys(("chunk",), "split"),
    **dict.fromkeys(("se", "se_block"), "squeeze_excite"),
    **dict.fromkeys(("linear", "fc", "fully_connected", "classifier"), "dense"),
    **dict.fromkeys(("gap", "global_average_pooling2d", "adaptiveavgpool2d"), "global_avg_pool"),
    **dict.fromkeys(("drop_path", "droppath"), "stochastic_depth"),
    **dict.fromkeys(("mlp", "ffn"), "perceptron"),
    **dict.fromkeys(("mhsa", "multi_head_attention", "self_attention"), "attention"),
    **dict.fromkeys(("queries", "query_embed", "object_queries"), "learned_tokens"),
    **dict.fromkeys(("permute",), "transpose"),
    **dict.fromkeys(("cls_token",), "class_token"),
    **dict.fromkeys(("pos_embed", "position_encoding"), "position_embedding"),
}


def block_hint(name: str) -> str:
    """The fix for a name that is not a block's; empty for one that is not known elsewhere either."""
    block = _NAMES.get(name.lower())
    return meant(block) if block else ""
