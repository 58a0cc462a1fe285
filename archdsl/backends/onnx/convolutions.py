"""Convolutions, dense layers and pooling in ONNX."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from archdsl.backends.onnx.emission import Emission
from archdsl.ir import ops
from archdsl.ir.node import Node, Op
from archdsl.ir.ops.windows import same_border
from archdsl.ir.types import FeatureMap, Vector, both

if TYPE_CHECKING:
    from archdsl.backends.onnx.emission import Array


def conv(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    op: Any = node.op
    kernel, *bias = arrays
    is_depthwise = isinstance(op, ops.DepthwiseConv2D)
    weight = to.weight("kernel", kernel.transpose((2, 3, 0, 1) if is_depthwise else (3, 2, 0, 1)))
    return to(
        "Conv",
        x,
        weight,
        *[to.weight("bias", each) for each in bias],
        dilations=both(op.dilation),
        group=kernel.shape[2] if is_depthwise else op.groups,
        **window(op.kernel, op.stride, op.dilation, op.padding, node.inputs[0].type),
    )


def window(kernel: Any, stride: Any, dilation: Any, padding: str, x: Any) -> dict[str, Any]:
    """Attributes of a window. What `same` adds depends on the size of the map, at a stride."""
    attributes = {"kernel_shape": both(kernel), "strides": both(stride)}
    if padding == "valid":
        return attributes
    sides = list(zip(x[:2], both(kernel), both(stride), both(dilation), strict=True))
    if any(side is None and step > 1 for side, _, step, _ in sides):
        return {**attributes, "auto_pad": "SAME_UPPER"}
    before, after = zip(*[same_border(*each) for each in sides], strict=True)
    return {**attributes, "pads": [*before, *after]}


def transposed_conv(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    """The gradient of a convolution, which has cut off what its padding added, and filled up what it left out."""
    op: Any = node.op
    kernel, *bias = arrays
    surplus = [own - step for own, step in zip(both(op.kernel), both(op.stride), strict=True)]
    cut = [max(each, 0) if op.padding == "same" else 0 for each in surplus]
    return to(
        "ConvTranspose",
        x,
        to.weight("kernel", kernel.transpose(3, 2, 0, 1)),
        *[to.weight("bias", each) for each in bias],
        kernel_shape=both(op.kernel),
        strides=both(op.stride),
        pads=[*[each // 2 for each in cut], *[each - each // 2 for each in cut]],
        output_padding=[max(-each, 0) for each in surplus],
    )


def dense(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    kernel, *bias = arrays
    biases = [to.weight("bias", each) for each in bias]
    if isinstance(node.type, FeatureMap):
        return to("Conv", x, to.weight("kernel", kernel.T[:, :, None, None]), *biases, kernel_shape=(1, 1))
    weight = to.weight("kernel", kernel)
    if isinstance(node.type, Vector):
        return to("Gemm", x, weight, *biases)
    product = to("MatMul", x, weight)
    return to("Add", product, *biases) if bias else product


def pool(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    op: Any = node.op
    kind = "MaxPool" if isinstance(op, ops.MaxPool) else "AveragePool"
    return to(kind, x, **window(op.size, op.stride, 1, op.padding, node.inputs[0].type))


def global_pool(to: Emission, node: Node, arrays: tuple[Array, ...], x: str) -> str:
    op: Any = node.op
    pooled = to("GlobalMaxPool" if isinstance(op, ops.GlobalMaxPool) else "GlobalAveragePool", x)
    return pooled if op.keeps_sides else to("Flatten", pooled)


WRITERS: dict[type[Op], Callable[..., Any]] = {
    ops.Conv2D: conv,
    ops.DepthwiseConv2D: conv,
    ops.TransposedConv2D: transposed_conv,
    ops.Dense: dense,
    ops.MaxPool: pool,
    ops.AvgPool: pool,
    ops.GlobalAvgPool: global_pool,
    ops.GlobalMaxPool: global_pool,
}
