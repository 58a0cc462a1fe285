"""A photo made to fit a detector: scaled without distortion, with grey beside it; and the way back for boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import TYPE_CHECKING, Any

from archdsl.diagnostics.problems import fail

if TYPE_CHECKING:
    import numpy
    from PIL import Image

    Array = numpy.ndarray[Any, Any]

GREY = 114
MAX_SIDE = 8192


@dataclass(frozen=True)
class Letterbox:
    """`image` is (height, image_width, 3) of 0 … 255; `original` the height and width that it was made from.

    A pixel of the original is `ratio` pixels here, and its top left corner is at (`left`, `top`).
    """

    image: Array
    original: tuple[int, int]
    ratio: float
    left: int
    top: int

    def to_original(self, boxes: Any) -> Array:
        """Boxes xyxy in pixels of the letterbox -> of the original, cut at its border. (…, 4) -> (…, 4)."""
        import numpy

        height, image_width = self.original
        back = (_boxes(boxes) - self._corner()) / self.ratio
        return numpy.clip(back, 0, numpy.array([image_width, height] * 2, back.dtype))

    def from_original(self, boxes: Any) -> Array:
        """Boxes xyxy in pixels of the original -> of the letterbox. (…, 4) -> (…, 4)."""
        return _boxes(boxes) * self.ratio + self._corner()

    def points_to_original(self, points: Any) -> Array:
        """Points x, y in pixels of the letterbox -> of the original, wherever they are. (…, 2) -> (…, 2)."""
        import numpy

        return (numpy.asarray(points, "float32") - self._corner()[:2]) / self.ratio

    def mask_to_original(self, mask: Any, box: Sequence[float]) -> Array:
        """How likely a pixel of the letterbox is of an object, at any scale -> which of the original are.

        (h, w) of 0 … 1 -> (height, image_width) of bool, bilinear between the four that are nearest, and none beyond
        `box`, which is xyxy in pixels of the original.
        """
        import numpy
        from PIL import Image

        values = numpy.asarray(mask, "float32")
        down, across = [side / whole for side, whole in zip(values.shape, self.image.shape[:2], strict=True)]
        left, top, right, bottom = floor(box[0]), floor(box[1]), ceil(box[2]), ceil(box[3])
        rightwards = self.ratio * across, 0, (self.left + self.ratio * left) * across
        downwards = 0, self.ratio * down, (self.top + self.ratio * top) * down
        found = numpy.zeros(self.original, bool)
        if right > left and bottom > top:
            page = Image.fromarray(values).transform(
                (right - left, bottom - top),
                Image.Transform.AFFINE,
                (*rightwards, *downwards),
                Image.Resampling.BILINEAR,
            )
            found[top:bottom, left:right] = numpy.asarray(page) > 0.5
        return found

    def _corner(self) -> Array:
        import numpy

        return numpy.array([self.left, self.top] * 2, "float32")


def letterbox(image: Image.Image | Array, size: int | Sequence[int]) -> Letterbox:
    """An image in the middle of a grey one of `size`: one side, or (height, width). It may be enlarged.

    `image` is Pillow's, or (H, W, 3) or (H, W) of uint8. The ratio is min(height / H, width / W), sides are rounded,
    and of an odd number of grey rows the last is below. Each pixel is bilinear between the four that are nearest.
    Raises ArchError for another image or size.
    """
    import numpy
    from PIL import Image

    sides = sides_of(size)
    photo = image.convert("RGB") if isinstance(image, Image.Image) else _from_array(image)
    ratio = min(sides[0] / photo.height, sides[1] / photo.width)
    inner = max(1, round(photo.width * ratio)), max(1, round(photo.height * ratio))
    scales = photo.width / inner[0], photo.height / inner[1]
    small = photo.transform(
        inner, Image.Transform.AFFINE, (scales[0], 0, 0, 0, scales[1], 0), Image.Resampling.BILINEAR
    )
    left, top = round((sides[1] - inner[0]) / 2 - 0.1), round((sides[0] - inner[1]) / 2 - 0.1)
    page = Image.new("RGB", (sides[1], sides[0]), (GREY,) * 3)
    page.paste(small, (left, top))
    return Letterbox(numpy.asarray(page), (photo.height, photo.width), ratio, left, top)


def sides_of(size: int | Sequence[int]) -> tuple[int, int]:
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) != 2 or not all(isinstance(side, int) and 1 <= side <= MAX_SIDE for side in sides):
        raise fail("range", f"the size is {size}; expected a side, or (height, width), of 1 to {MAX_SIDE} pixels")
    return sides[0], sides[1]


def _from_array(values: Any) -> Image.Image:
    import numpy
    from PIL import Image

    array = numpy.asarray(values)
    is_image = array.ndim == 2 or (array.ndim == 3 and array.shape[-1] == 3)
    if array.dtype != "uint8" or not is_image or not array.size:
        message = f"an array {array.shape} of {array.dtype}; expected (H, W, 3) or (H, W) of uint8, or Pillow's image"
        raise fail("image", message)
    return Image.fromarray(array).convert("RGB")


def _boxes(boxes: Any) -> Array:
    import numpy

    array = numpy.asarray(boxes, "float32")
    if array.shape[-1:] != (4,):
        raise fail("detector", f"boxes of shape {array.shape}; expected (…, 4)")
    return array
