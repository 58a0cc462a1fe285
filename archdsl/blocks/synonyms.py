"""What other systems call a block, or have as a layer where archdsl has none: hints for names that are unknown."""

from __future__ import annotations

_NAMES = {
    **dict.fromkeys(("conv2d", "convolution"), "conv"),
    **dict.fromkeys(("cbs", "conv_block", "convbnact"), "conv_bn_act"),
    **dict.fromkeys(("depthwise_conv2d", "dwconv", "separable_conv2d"), "depthwise_conv_bn_act"),
    **dict.fromkeys(("batch_norm", "batch_normalization", "bn", "group_norm", "layer_norm"), "norm"),
    **dict.fromkeys(("relu", "silu", "swish", "leaky_relu", "mish", "gelu", "softmax"), "activation"),
    **dict.fromkeys(("shortcut", "sum"), "add"),
    **dict.fromkeys(("route", "concatenate", "cat"), "concat"),
    **dict.fromkeys(("resize", "upsampling2d", "up"), "upsample"),
    **dict.fromkeys(("se", "se_block"), "squeeze_excite"),
}
_A_CONVOLUTION = "a 1 × 1 convolution is a dense layer at every place: {block: conv, kernel: 1}"
_A_CLASSIFIER = "a config describes a backbone; put this layer on top of the built model"
_HINTS = {
    **{name: f"did you mean '{block}'?" for name, block in _NAMES.items()},
    **dict.fromkeys(("dense", "linear", "fc", "fully_connected"), _A_CONVOLUTION),
    **dict.fromkeys(("flatten", "classifier", "global_avg_pool", "global_average_pooling2d"), _A_CLASSIFIER),
    **dict.fromkeys(
        ("dropout", "drop_path"), "a Keras layer can be a block: archdsl.keras_layer(keras.layers.Dropout)"
    ),
    **dict.fromkeys(("split", "chunk", "slice"), "c2f and csp split inside; or give two layers the same `from:`"),
}


def block_hint(name: str) -> str:
    """The fix for a name that is not a block's; empty for one that is not known elsewhere either."""
    return _HINTS.get(name.lower(), "")
