"""How an exported file takes images and gives results, whatever its format."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import numpy

    Array: TypeAlias = numpy.ndarray[Any, Any]

FormatName = Literal["onnx", "openvino", "litert", "saved_model"]
Layout = Literal["nhwc", "nchw"]
Floats = Literal["float32", "float16"]
Precision = Literal["float32", "float16", "int8"]
FIRST, LAST = "first", "last"


class Calibration(NamedTuple):
    """What int8 needs to know: images as the file takes them, and the layers that stay in float32.

    `keep` has layers by the beginning of their names, `first` and `last`: the convolutions behind the image, and those
    that nothing follows which has a kernel.
    """

    images: Iterable[Array]
    keep: tuple[str, ...] = (LAST,)


class Suppression(NamedTuple):
    """Which boxes a file keeps that leaves out those on better ones; as archdsl.detections has it."""

    confidence: float = 0.25
    iou: float = 0.7
    limit: int = 300


class Form(NamedTuple):
    """The layout of images and maps, images at a time (None for any number), and the precision that is computed in."""

    layout: Layout = "nhwc"
    batch: int | None = None
    precision: Precision = "float32"
    calibration: Calibration | None = None
    suppression: Suppression | None = None

    @property
    def plain(self) -> Form:
        """The same images and results in float32, and nothing left out."""
        return Form(self.layout, self.batch)
