"""Reads a photo from an untrusted file: few formats, limited size, a part at a time."""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from archdsl.diagnostics.problems import Mark, fail

if TYPE_CHECKING:
    import numpy
    from PIL import Image

    Array = numpy.ndarray[Any, Any]

PathLike = str | os.PathLike[str]

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")  # of Pillow's others some run programs: EPS is Ghostscript's
MAX_PIXELS = 1 << 26  # a WebP takes 16 bytes each while it is read
LONGEST = 4096  # of what is given; a larger photo is made smaller while it is read
_STRIP_PIXELS = 1 << 20
_ORIENTATION = 0x0112  # the tag of Exif


def open_image(path: PathLike) -> Image.Image:
    """The image in a file, upright and in RGB, its longest side at most LONGEST.

    Raises ArchError when there is none, or one of more than MAX_PIXELS.
    """
    from PIL import Image, TiffImagePlugin, UnidentifiedImageError, WebPImagePlugin  # noqa: F401  (two of FORMATS)

    mark = Mark(os.fspath(path))
    if not Path(path).exists():
        raise fail("missing-file", "there is no such image", mark=mark)
    try:
        with _regular_file(path) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a fault is reported once, as an error
            image = Image.open(file, formats=FORMATS)
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            return _upright(image)
    except UnidentifiedImageError:
        message, hint = "not an image; expected a photo such as .jpg or .png", ""
    except Image.DecompressionBombError:
        message, hint = f"more than {MAX_PIXELS:,} pixels", "make it smaller first"
    except Exception as error:  # anything that Pillow's readers raise for a broken file
        message, hint = f"cannot be read: {getattr(error, 'strerror', None) or error}", ""
    raise fail("image", message, mark=mark, hint=hint)


def _regular_file(path: PathLike) -> BinaryIO:
    """The file at `path`, opened without waiting. Raises OSError for a pipe or a device."""
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))  # noqa: SIM115
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    raise OSError("not a regular file")


def _upright(image: Image.Image) -> Image.Image:
    from PIL import Image, ImageOps

    factor = _factor(image)
    image.draft(None, (image.width // factor, image.height // factor))  # a JPEG can be read at half its size, or less
    factor = _factor(image)
    small = Image.new("RGB", (-(-image.width // factor), -(-image.height // factor)))
    convert = _greys(image) if image.mode[0] in "IF" else _as_rgb
    for top, strip in _strips(image, factor):
        small.paste(convert(strip).reduce(factor), (0, top // factor))
    small.getexif()[_ORIENTATION] = image.getexif().get(_ORIENTATION, 1)
    return ImageOps.exif_transpose(small)


def _factor(image: Image.Image) -> int:
    """How many times smaller an image has to be."""
    return -(-max(image.size) // LONGEST)


def _strips(image: Image.Image, factor: int = 1) -> Iterator[tuple[int, Image.Image]]:
    """The image in parts, each with its first row, which is a multiple of `factor`."""
    image_width, height = image.size
    step = max(1, _STRIP_PIXELS // (image_width * factor)) * factor
    for top in range(0, height, step):
        yield top, image.crop((0, top, image_width, min(top + step, height)))


def _as_rgb(strip: Image.Image) -> Image.Image:
    """Any mode in 8-bit RGB, what is transparent on white."""
    from PIL import Image

    if "A" not in strip.getbands() and "transparency" not in strip.info:
        return strip.convert("RGB")
    white = Image.new("RGBA", strip.size, "white")
    return Image.alpha_composite(white, strip.convert("RGBA")).convert("RGB")


def _greys(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """A function that scales the deep greys of an image to 8 bits, from its darkest to its lightest."""
    import numpy
    from PIL import Image

    def values(strip: Image.Image) -> Array:
        return numpy.asarray(strip, dtype="float64")

    ends = numpy.array([(values(strip).min(), values(strip).max()) for _, strip in _strips(image)])
    if not numpy.isfinite(ends).all():
        raise ValueError("some values are not finite numbers")
    lowest, highest = ends.min(), ends.max()

    def convert(strip: Image.Image) -> Image.Image:
        grey = (values(strip) - lowest) * (255 / max(highest - lowest, 1e-12))
        return Image.fromarray(grey.round().astype("uint8")).convert("RGB")

    return convert
