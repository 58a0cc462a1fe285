"""What an operation is given to emit its Keras layer with. Imports no Keras itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

DATA_FORMAT = "channels_last"  # that of every feature map here, whatever keras.config.image_data_format() is
_INITIALIZERS = ("kernel_initializer", "depthwise_initializer")  # what layers call theirs


def _itself(initializer: Any) -> Any:
    return initializer


class EmitContext(NamedTuple):
    """The imported keras module, and what makes the kernel of a layer in place of the initializer that it states."""

    keras: Any
    begins: Callable[[Any], Any] = _itself

    def called(self, layer: Any, *inputs: Any) -> Any:
        """The result of a new layer, which makes its kernel now, and states afterwards what it stated before."""
        name = next(name for name in _INITIALIZERS if hasattr(layer, name))
        stated = getattr(layer, name)
        setattr(layer, name, self.begins(stated))
        result = layer(*inputs)
        setattr(layer, name, stated)
        return result


def precise(context: EmitContext, x: Any) -> Any:
    """`x` with at least 32 bits, also under a mixed policy: 8 of a mantissa are 4 pixels in an image of 640."""
    return context.keras.ops.cast(x, "float32") if x.dtype in ("float16", "bfloat16") else x


def parts(x: Any, count: int) -> list[Any]:
    """Equal parts of the channels, each cut out alone: TensorFlow Lite's int8 takes all that has several results."""
    size = x.shape[-1] // count
    return [x[..., size * index : size * (index + 1)] for index in range(count)]
