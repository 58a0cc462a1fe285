"""Every primitive operation, one class each: its shape rule, its weights, its cost, its Keras layer.

Multiply-accumulates are those of convolutions; normalisation, activations, pooling and additions count as
zero, as in the tables of the papers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from archdsl.ir import Op, ShapeError, TensorType, Weight

Padding = Literal["same", "valid"]
ActivationName = Literal[
    "silu", "relu", "relu6", "leaky_relu", "mish", "hard_swish", "gelu", "sigmoid", "tanh", "linear"
]
ACTIVATIONS: tuple[str, ...] = get_args(ActivationName)


def window_output(size: int | None, kernel: int, stride: int, dilation: int, padding: str) -> int | None:
    """Output length of a sliding window along one side of length `size`."""
    if size is None:
        return None
    if padding == "same":
        return -(-size // stride)
    reach = dilation * (kernel - 1) + 1
    if size < reach:
        raise ShapeError(
            f"a side of {size} is shorter than a window of {reach}; expected at least {reach}",
            hint="take a larger input or fewer strides",
        )
    return (size - reach) // stride + 1


def pooled(x: TensorType, kernel: int, stride: int, dilation: int, padding: str) -> TensorType:
    """What a window sliding over each channel alone gives."""
    window = kernel, stride, dilation, padding
    height, image_width = window_output(x.height, *window), window_output(x.image_width, *window)
    return TensorType(height, image_width, x.channels, x.stride * stride)


def area(output: TensorType) -> int | None:
    """Pixels of a feature map, None while a side is unknown."""
    height, image_width = output[:2]
    return None if height is None or image_width is None else height * image_width


@dataclass(frozen=True)
class Input(Op):
    """The image. () -> (H, W, C)."""

    shape: TensorType

    def infer(self) -> TensorType:  # type: ignore[override]
        return self.shape

    def emit(self, keras: Any, name: str, *inputs: Any) -> Any:
        return keras.Input(self.shape.shape, name=name)


@dataclass(frozen=True)
class Rescale(Op):
    """Multiply by `scale`, add `offset`. (H, W, C) -> (H, W, C)."""

    scale: float = 1 / 255
    offset: float = 0.0

    def infer(self, x: TensorType) -> TensorType:  # type: ignore[override]
        return x

    def emit(self, keras: Any, name: str, *inputs: Any) -> Any:
        return keras.layers.Rescaling(self.scale, self.offset, name=name)(*inputs)


@dataclass(frozen=True)
class Conv2D(Op):
    """2-D convolution. (H, W, C) -> (H', W', filters). MACs = H' W' kernel² (C / groups) filters."""

    filters: int
    kernel: int = 1
    stride: int = 1
    padding: Padding = "same"
    dilation: int = 1
    groups: int = 1
    bias: bool = False

    def infer(self, x: TensorType) -> TensorType:  # type: ignore[override]
        height, image_width, channels, stride = x
        if self.groups > 1 and (channels % self.groups or self.filters % self.groups):
            raise ShapeError(
                f"{channels} input and {self.filters} output channels do not divide into {self.groups} groups"
            )
        refuse_dilated_stride(self.stride, self.dilation)
        window = self.kernel, self.stride, self.dilation, self.padding
        height, image_width = window_output(height, *window), window_output(image_width, *window)
        return TensorType(height, image_width, self.filters, stride * self.stride)

    def weights(self, *inputs: TensorType) -> tuple[Weight, ...]:
        kernel = Weight("kernel", (self.kernel, self.kernel, inputs[0].channels // self.groups, self.filters))
        return (kernel, Weight("bias", (self.filters,))) if self.bias else (kernel,)

    def macs(self, *inputs: TensorType) -> int | None:
        pixels = area(self.infer(*inputs))
        return None if pixels is None else pixels * self.weights(*inputs)[0].size

    def emit(self, keras: Any, name: str, *inputs: Any) -> Any:
        return keras.layers.Conv2D(
            self.filters,
            self.kernel,
            strides=self.stride,
            padding=self.padding,
            dilation_rate=self.dilation,
            groups=self.groups,
            use_bias=self.bias,
            name=name,
        )(*inputs)


@dataclass(frozen=True)
class DepthwiseConv2D(Op):
    """One filter per channel. (H, W, C) -> (H', W', C). MACs = H' W' kernel² C."""

    kernel: int = 3
    stride: int = 1
    padding: Padding = "same"
    dilation: int = 1
    bias: bool = False

    def infer(self, x: TensorType) -> TensorType:  # type: ignore[override]
        refuse_dilated_stride(self.stride, self.dilation)
        return pooled(x, self.kernel, self.stride, self.dilation, self.padding)

    def weights(self, *inputs: TensorType) -> tuple[Weight, ...]:
        channels = inputs[0].channels
        kernel = Weight("kernel", (self.kernel, self.kernel, channels, 1))
        return (kernel, Weight("bias", (channels,))) if self.bias else (kernel,)

    def macs(self, *inputs: TensorType) -> int | None:
        pixels = area(self.infer(*inputs))
        return None if pixels is None else pixels * self.weights(*inputs)[0].size

    def emit(self, keras: Any, name: str, *inputs: Any) -> Any:
        return keras.layers.DepthwiseConv2D(
            self.kernel,
            strides=self.stride,
            padding=self.padding,
            dilation_rate=self.dilation,
            use_bias=self.bias,
            name=name,
        )(*inputs)


@dataclass(frozen=True)
class BatchNorm(Op):
    """Batch normalisation (Ioffe and Szegedy 2015). (H, W, C) -> (H, W, C).

    `synchronized` takes the statistics over all replicas of a distributed training step.
    """

    momentum: float = 0.99
    epsilon: float = 1e-3
    synchronized: bool = False

    def infer(self, x: TensorType) -> TensorType:  # type: ignore[override]
        return x

    def weights(self, *inputs: TensorType) -> tuple[Weight, ...]:
        shape = (inputs[0].channels,)
        return (
            Weight("gamma", shape),
            Weight("beta", shape),
            Weight("moving_mean", shape, trainable=False),
            Weight("moving_variance", shape, trainable=False),
        )

    def emit(self, keras: Any, name: str, *inputs: Any) -> Any:
        return keras.layers.BatchNormalization(
            momentum=self.momentum, epsilon=self.epsilon, synchronized=self.synchronized, name=name
        )(*inputs)


@dataclass(frozen=True)
class Identity(Op):
    """Nothing. (H, W, C) -> (H, W, C)."""

    def infer(self, x: TensorType) -> TensorType:  # type: ignore[override]
        return x

    def emit(self, keras: Any, name: str, *inputs: Any) -> Any:
        return keras.layers.Identity(name=name)(*inputs)


@dataclass(frozen=True)
class GroupNorm(Op):
    """Normalisation over groups of channels (Wu and He 2018). (H, W, C) -> (H, W, C)."""

    groups: int = 32
    epsilon: float = 1e-3

    def infer(self, x: TensorType) -> TensorType:  # type: ignore[override]
        if x.channels % self.groups:
            raise ShapeError(f"{x.channels} channels do not divide into {self.groups} groups")
        return x

    def weights(self, *inputs: TensorType) -> tuple[Weight, ...]:
        shape = (inputs[0].channels,)
        return Weight("gamma", shape), Weight("beta", shape)

    def emit(self, keras: Any, name: str, *inputs: Any) -> Any:
        return keras.layers.GroupNormalization(self.groups, epsilon=self.epsilon, name=name)(*inputs)


@dataclass(frozen=True)
class Activation(Op):
    """A pointwise non-linearity by its Keras name; `slope` is that of leaky_relu. (H, W, C) -> (H, W, C)."""

    function: ActivationName = "linear"
    slope: float = 0.1

    def infer(self, x: TensorType) -> TensorType:  # type: ignore[override]
        return x

    def emit(self, keras: Any, name: str, *inputs: Any) -> Any:
        if self.function == "leaky_relu":
            return keras.layers.LeakyReLU(self.slope, name=name)(*inputs)
        return keras.layers.Activation(self.function, name=name)(*inputs)


@dataclass(frozen=True)
class Pad(Op):
    """Zeros on all four sides. (H, W, C) -> (H + 2 size, W + 2 size, C)."""

    size: int = 1

    def infer(self, x: TensorType) -> TensorType:  # type: ignore[override]
        height, image_width, channels, stride = x
        return TensorType(
            None if height is None else height + 2 * self.size,
            None if image_width is None else image_width + 2 * self.size,
            channels,
            stride,
        )

    def emit(self, keras: Any, name: str, *inputs: Any) -> Any:
        return keras.layers.ZeroPadding2D(self.size, name=name)(*inputs)


@dataclass(frozen=True)
class Pool(Op):
    """A window that slides over each channel alone. (H, W, C) -> (H', W', C)."""

    size: int = 2
    stride: int = 2
    padding: Padding = "same"

    def infer(self, x: TensorType) -> TensorType:  # type: ignore[override]
        return pooled(x, self.size, self.stride, 1, self.padding)


@dataclass(frozen=True)
class MaxPool(Pool):
    """Largest value of each window. (H, W, C) -> (H', W', C)."""

    def emit(self, keras: Any, name: str, *inputs: Any) -> Any:
        return keras.layers.MaxPooling2D(self.size, self.stride, self.padding, name=name)(*inputs)


@dataclass(frozen=True)
class AvgPool(Pool):
    """Mean of each window; what lies outside the image does not count. (H, W, C) -> (H', W', C)."""

    def emit(self, keras: Any, name: str, *inputs: Any) -> Any:
        return keras.layers.AveragePooling2D(self.size, self.stride, self.padding, name=name)(*inputs)


@dataclass(frozen=True)
class GlobalPool(Op):
    """One value for each channel. (H, W, C) -> (1, 1, C). Keeps the stride of the map it sums up."""

    def infer(self, x: TensorType) -> TensorType:  # type: ignore[override]
        return x._replace(height=1, image_width=1)


@dataclass(frozen=True)
class GlobalAvgPool(GlobalPool):
    """Mean of each channel over the whole map. (H, W, C) -> (1, 1, C)."""

    def emit(self, keras: Any, name: str, *inputs: Any) -> Any:
        return keras.layers.GlobalAveragePooling2D(keepdims=True, name=name)(*inputs)


@dataclass(frozen=True)
class GlobalMaxPool(GlobalPool):
    """Largest value of each channel in the whole map. (H, W, C) -> (1, 1, C)."""

    def emit(self, keras: Any, name: str, *inputs: Any) -> Any:
        return keras.layers.GlobalMaxPooling2D(keepdims=True, name=name)(*inputs)


@dataclass(frozen=True)
class ChannelMean(Op):
    """Mean over the channels at each pixel. (H, W, C) -> (H, W, 1)."""

    def infer(self, x: TensorType) -> TensorType:  # type: ignore[override]
        return x._replace(channels=1)

    def emit(self, keras: Any, name: str, *inputs: Any) -> Any:
        return keras.ops.mean(*inputs, axis=-1, keepdims=True)


@dataclass(frozen=True)
class ChannelMax(Op):
    """Largest value over the channels at each pixel. (H, W, C) -> (H, W, 1)."""

    def infer(self, x: TensorType) -> TensorType:  # type: ignore[override]
        return x._replace(channels=1)

    def emit(self, keras: Any, name: str, *inputs: Any) -> Any:
        return keras.ops.max(*inputs, axis=-1, keepdims=True)


@dataclass(frozen=True)
class Upsample(Op):
    """Repeat or interpolate pixels. (H, W, C) -> (factor H, factor W, C)."""

    factor: int = 2
    interpolation: Literal["nearest", "bilinear"] = "nearest"

    def infer(self, x: TensorType) -> TensorType:  # type: ignore[override]
        height, image_width, channels, stride = x
        return TensorType(
            None if height is None else height * self.factor,
            None if image_width is None else image_width * self.factor,
            channels,
            stride / self.factor,
        )

    def emit(self, keras: Any, name: str, *inputs: Any) -> Any:
        layer = keras.layers.UpSampling2D(self.factor, interpolation=self.interpolation, name=name)
        return layer(*inputs)


@dataclass(frozen=True)
class Add(Op):
    """Sum of equal shapes. n × (H, W, C) -> (H, W, C)."""

    def infer(self, *inputs: TensorType) -> TensorType:
        joined = join_sides(inputs)
        if any(x.channels != inputs[0].channels for x in inputs):
            narrower = min(inputs, key=lambda x: x.channels)
            raise ShapeError(
                "the channels differ; expected equal shapes",
                hint=f"give the side with {narrower.channels} channels width {max(x.channels for x in inputs)}",
            )
        return joined

    def emit(self, keras: Any, name: str, *inputs: Any) -> Any:
        return keras.layers.Add(name=name)(inputs)


@dataclass(frozen=True)
class Multiply(Op):
    """A map times a gate of its size, or of one value for each channel or pixel. (H, W, C), gate -> (H, W, C).

    The gate is (H, W, C), (1, 1, C) or (H, W, 1).
    """

    def infer(self, x: TensorType, gate: TensorType) -> TensorType:  # type: ignore[override]
        if gate.channels not in (1, x.channels):
            raise ShapeError(f"the gate has {gate.channels} channels; expected 1 or {x.channels}")
        return x if (gate.height, gate.image_width) == (1, 1) else join_sides((x, gate))

    def emit(self, keras: Any, name: str, *inputs: Any) -> Any:
        return keras.layers.Multiply(name=name)(inputs)


@dataclass(frozen=True)
class Concat(Op):
    """Stack along the channels. (H, W, C₁), …, (H, W, Cₙ) -> (H, W, C₁ + … + Cₙ)."""

    def infer(self, *inputs: TensorType) -> TensorType:
        joined = join_sides(inputs)
        return joined._replace(channels=sum([x.channels for x in inputs]))

    def emit(self, keras: Any, name: str, *inputs: Any) -> Any:
        return keras.layers.Concatenate(name=name)(inputs)


@dataclass(frozen=True)
class ConcatRows(Op):
    """Stack along the height. (H₁, W, C), …, (Hₙ, W, C) -> (H₁ + … + Hₙ, W, C)."""

    def infer(self, *inputs: TensorType) -> TensorType:
        first = inputs[0]
        if any((x.image_width, x.channels) != (first.image_width, first.channels) for x in inputs):
            raise ShapeError("widths or channels differ; expected maps that differ in height only")
        heights = [x.height for x in inputs]
        return first._replace(height=None if None in heights else sum([height or 0 for height in heights]))

    def emit(self, keras: Any, name: str, *inputs: Any) -> Any:
        return keras.layers.Concatenate(axis=1, name=name)(inputs)


@dataclass(frozen=True)
class SumRows(Op):
    """Sum along the height. (H, W, C) -> (1, W, C)."""

    def infer(self, x: TensorType) -> TensorType:  # type: ignore[override]
        return x._replace(height=1)

    def emit(self, keras: Any, name: str, *inputs: Any) -> Any:
        return keras.ops.sum(*inputs, axis=1, keepdims=True)


@dataclass(frozen=True)
class Slice(Op):
    """Channels from `start` up to `stop`. (H, W, C) -> (H, W, stop - start)."""

    start: int
    stop: int

    def infer(self, x: TensorType) -> TensorType:  # type: ignore[override]
        if not 0 <= self.start < self.stop <= x.channels:
            raise ShapeError(f"there is no range {self.start}:{self.stop} among {x.channels} channels")
        return x._replace(channels=self.stop - self.start)

    def emit(self, keras: Any, name: str, *inputs: Any) -> Any:
        return inputs[0][..., self.start : self.stop]


@dataclass(frozen=True)
class Split(Op):
    """Cut the channels into equal parts, to be taken by Part. (H, W, C) -> parts × (H, W, C / parts).

    One operation with one gradient: training is faster than with a Slice for each part.
    """

    parts: int = 2

    def infer(self, x: TensorType) -> TensorType:  # type: ignore[override]
        if x.channels % self.parts:
            raise ShapeError(f"{x.channels} channels do not divide into {self.parts} parts")
        return x._replace(channels=x.channels // self.parts)

    def emit(self, keras: Any, name: str, *inputs: Any) -> Any:
        return keras.ops.split(inputs[0], self.parts, axis=-1)


@dataclass(frozen=True)
class Part(Op):
    """One of the parts of a Split, counted from 0. parts × (H, W, C) -> (H, W, C)."""

    index: int

    def infer(self, x: TensorType) -> TensorType:  # type: ignore[override]
        return x

    def emit(self, keras: Any, name: str, *inputs: Any) -> Any:
        return inputs[0][self.index]


@dataclass(frozen=True)
class SpaceToDepth(Op):
    """Move every 2 × 2 square of pixels into channels. (H, W, C) -> (H/2, W/2, 4 C).

    Order of the four: top left, bottom left, top right, bottom right, as in YOLOv5's Focus.
    """

    def infer(self, x: TensorType) -> TensorType:  # type: ignore[override]
        height, image_width, channels, stride = x
        for side in (height, image_width):
            if side is not None and side % 2:
                raise ShapeError(f"a side of {side} is odd; expected even sides")
        return TensorType(height and height // 2, image_width and image_width // 2, 4 * channels, 2 * stride)

    def emit(self, keras: Any, name: str, *inputs: Any) -> Any:
        (x,) = inputs
        quarters = [x[:, row::2, column::2, :] for column in (0, 1) for row in (0, 1)]
        return keras.layers.Concatenate(name=name)(quarters)


def join_sides(inputs: Sequence[TensorType]) -> TensorType:
    """The common height, width and stride of `inputs`; an unknown side takes the known one."""
    height, image_width, channels, stride = inputs[0]
    for other in inputs[1:]:
        height = other.height if height is None else height
        image_width = other.image_width if image_width is None else image_width
        if other.height not in (None, height) or other.image_width not in (None, image_width):
            raise ShapeError(
                "heights or widths differ; expected equal sizes",
                hint="where maps meet after up-sampling, the image's sides must be divisible by the largest stride",
            )
        if other.stride != stride:
            raise ShapeError(
                f"their strides are {stride:g} and {other.stride:g}; expected maps of one stride",
                hint="bring one to the other's size, with block upsample or a strided convolution",
            )
    return TensorType(height, image_width, channels, stride)


def refuse_dilated_stride(stride: int, dilation: int) -> None:
    """Keras has no convolution that is strided and dilated at once."""
    if stride > 1 and dilation > 1:
        raise ShapeError(
            f"stride {stride} and dilation {dilation} at once; expected one of them to be 1",
            hint="a dilated stage keeps its resolution: set its stride to 1",
        )
