"""The pixels of an object, from prototypes that all objects of an image share (YOLACT, Bolya et al. 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from archdsl.diagnostics.problems import fail

if TYPE_CHECKING:
    import numpy

    Array = numpy.ndarray[Any, Any]


def masks_of(coefficients: Array, prototypes: Array, boxes: Array, size: Sequence[int]) -> Array:
    """How likely each pixel of the prototypes is of each object, 0 outside of its box (section 3.3).

    (B, n, k), (B, h, w, k), (B, n, 4) -> (B, n, h, w). Boxes are in pixels of images of `size`, (height, width).
    Raises ArchError for shapes that do not fit.
    """
    import numpy

    if prototypes.ndim != 4 or prototypes.shape[::3] != (len(boxes), coefficients.shape[-1]) or boxes.shape[-1] != 4:
        shapes = f"masks {coefficients.shape}, prototypes {prototypes.shape} and boxes {boxes.shape}"
        raise fail("detector", f"{shapes}; expected (B, N, k), (B, h, w, k) and (B, N, 4)")
    height, image_width = prototypes.shape[1:3]
    y, x = [(numpy.arange(side) + 0.5) * whole / side for side, whole in zip((height, image_width), size, strict=True)]
    left, top, right, bottom = [edge[..., None] for edge in numpy.moveaxis(boxes, -1, 0)]
    rows, columns = (top <= y) & (y < bottom), (left <= x) & (x < right)
    logits = numpy.einsum("bnk,bhwk->bnhw", coefficients, prototypes, optimize=True)
    inside = rows[..., None] & columns[:, :, None]
    return numpy.where(inside, (1 + numpy.tanh(logits / 2)) / 2, 0).astype("float32")
