"""Anchors, boxes of fixed sizes around every pixel, and the boxes that a network makes of them. None has weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from archdsl.ir.emission import EmitContext, parts
from archdsl.ir.node import Op, ShapeError
from archdsl.ir.types import FeatureMap, Tokens, area, both

AnchorStyle = Literal["yolo", "darknet"]


@dataclass(eq=False, repr=False)
class Anchors(Op):
    """A box of each size around every pixel: x and y of the middle of both, width, height. (H, W, C) -> (n H W, 4).

    `sizes` are n pairs (width, height), the inner loop of the result. All numbers are pixels of the image, of which
    `stride` lie between two of the map. A second input, the image, cuts off what is outside of it.
    """

    keeps = "nothing"

    sizes: tuple[tuple[float, float], ...]
    stride: float | tuple[float, float] = 1

    def infer(self, x: FeatureMap, *image: FeatureMap) -> Tokens:
        if len(image) > 1:
            raise ShapeError(f"got {1 + len(image)} inputs; expected a map, or a map and the image")
        pixels = area(x[:2])
        return Tokens(None if pixels is None else pixels * len(self.sizes), 4, None, *x[3:])

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        ops = context.keras.ops
        x, *image = inputs
        ones = ops.ones_like(x[..., :1])
        down, across = both(self.stride)
        boxes = []
        for axis, step, sides in zip((2, 1), (across, down), zip(*self.sizes, strict=True), strict=True):
            half = ops.concatenate([ones * (side / 2) for side in sides], axis=-1)
            middle = (ops.cumsum(ones, axis=axis) - 0.5) * step
            edges = [middle - half, middle + half]
            if image:
                limit = image[0].shape[axis] or _side(ops, image[0], axis)  # TensorFlow Lite's int8 takes constants
                edges = [ops.minimum(ops.maximum(edge, 0), limit) for edge in edges]
            boxes.append(edges)
        (left, right), (top, bottom) = boxes
        whole = ops.stack([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top], axis=-1)
        return context.keras.layers.Reshape((-1, 4), name=name)(whole)


def _side(ops: Any, image: Any, axis: int) -> Any:
    return ops.sum(ops.ones_like(image[..., :1]), axis=axis, keepdims=True)[:, :1, :1]


class FromAnchors(Op):
    """Boxes as left, top, right and bottom edge, of four numbers for each anchor. (N, 4), (N, 4) -> (N, 4)."""

    takes = (Tokens,)

    def infer(self, x: Tokens, anchors: Tokens) -> Tokens:
        if x.channels != 4 or anchors.channels != 4:
            raise ShapeError(
                f"{x.channels} and {anchors.channels} channels; expected 4 numbers for each anchor, and 4 of it"
            )
        if None not in (x.length, anchors.length) and x.length != anchors.length:
            raise ShapeError(f"{x.length} boxes for {anchors.length} anchors")
        return anchors if x.length is None else x

    def emit(self, context: EmitContext, name: str, *inputs: Any) -> Any:
        (x, size), (anchor, anchor_size) = [parts(each, 2) for each in inputs]
        middle, size = self.middle_and_size(context, name, x, size, anchor, anchor_size)
        return context.keras.layers.Concatenate(name=name)([middle - size / 2, middle + size / 2])

    def middle_and_size(self, context: EmitContext, name: str, *inputs: Any) -> tuple[Any, Any]:
        """Of the result, each (N, 2); the inputs are those of the network, and of the anchors."""
        raise NotImplementedError


@dataclass(eq=False, repr=False)
class AnchorBoxes(FromAnchors):
    """middle = anchor + spread (s(t) - 1/2) stride, where s is sigmoid; size by its style. (N, 4), (N, 4) -> (N, 4).

    size = anchor × exp(t) for "darknet" (YOLOv2, Redmon and Farhadi 2017, section 2; YOLOv3), (2 s(t))² × anchor for
    "yolo" (YOLOv5, whose spread is 2). A spread above 1 lets boxes reach beyond their pixel (YOLOv4, Bochkovskiy et al.
    2020, section 3.4). The input is x, y, width and height for each anchor.
    """

    style: AnchorStyle = "yolo"
    stride: float | tuple[float, float] = 1
    spread: float = 2.0

    def middle_and_size(self, context: EmitContext, name: str, *inputs: Any) -> tuple[Any, Any]:
        ops = context.keras.ops
        x, size, anchor, anchor_size = inputs
        steps = [self.spread * step for step in reversed(both(self.stride))]
        offsets = parts(ops.sigmoid(x) - 0.5, 2)
        moved = ops.concatenate([offset * step for offset, step in zip(offsets, steps, strict=True)], axis=-1)
        factor = ops.exp(size) if self.style == "darknet" else ops.square(2 * ops.sigmoid(size))
        return anchor + moved, factor * anchor_size


@dataclass(eq=False, repr=False)
class DeltaBoxes(FromAnchors):
    """middle = anchor + v₁ t × its size, size = anchor × exp(v₂ t) (Faster R-CNN, Ren et al. 2015, equation 2).

    (N, 4), (N, 4) -> (N, 4). The input is y, x, height and width for each anchor; v are the `variances`.
    """

    variances: tuple[float, float] = (0.1, 0.2)

    def middle_and_size(self, context: EmitContext, name: str, *inputs: Any) -> tuple[Any, Any]:
        ops = context.keras.ops
        x, size, anchor, anchor_size = inputs
        x, size = [ops.flip(each, axis=-1) for each in (x, size)]
        first, second = self.variances
        return anchor + first * x * anchor_size, ops.exp(second * size) * anchor_size
