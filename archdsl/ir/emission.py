"""What an operation is given to emit its Keras layer with. Imports no Keras itself."""

from __future__ import annotations

from typing import Any, NamedTuple

FRESH_KERNEL = "glorot_uniform"  # Keras's default
DATA_FORMAT = "channels_last"  # that of every feature map here, whatever keras.config.image_data_format() is


class EmitContext(NamedTuple):
    """The imported keras module, and how the kernels of convolutions begin."""

    keras: Any
    kernel_initializer: str = FRESH_KERNEL

    def stated_initializer(self, used: Any) -> Any:
        """The initializer that a built layer reports: Keras's default where the kernel is only a place to load into."""
        return used if self.kernel_initializer == FRESH_KERNEL else self.keras.initializers.get(FRESH_KERNEL)


def precise(context: EmitContext, x: Any) -> Any:
    """`x` with at least 32 bits, also under a mixed policy: 8 of a mantissa are 4 pixels in an image of 640."""
    return context.keras.ops.cast(x, "float32") if x.dtype in ("float16", "bfloat16") else x
