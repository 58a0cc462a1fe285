"""Photos of a folder as the images that a network's ranges are measured with."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from archdsl.analysis.trial_images import brightest
from archdsl.diagnostics.problems import Mark, fail
from archdsl.frontend.compose.config import SIDE
from archdsl.ir.graph import Graph

if TYPE_CHECKING:
    from archdsl.backends.form import Array, Form

MOST_IMAGES = 64
MOST_ENTRIES = 100_000  # of a folder that are looked at
ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")


@dataclass(frozen=True)
class Photos:
    """Images as an exported file takes them, letterboxed, each read when it is asked for; as often as one likes."""

    paths: Sequence[Path]
    sides: tuple[int, int]
    channels: int
    brightest: int
    form: Form

    def __iter__(self) -> Iterator[Array]:
        return map(self.read, self.paths)

    def read(self, path: Path) -> Array:
        """(batch, H, W, channels) of float32, or channels first; the same photo at each place. Raises ArchError."""
        import numpy

        from archdsl.models.letterbox import letterbox
        from archdsl.models.photo import open_image

        photo = open_image(path)
        photo = photo if self.channels == 3 else photo.convert("L").convert("RGB")
        fitted = letterbox(photo, self.sides).image[..., : self.channels]
        image = fitted.astype("float32") * (self.brightest / 255)
        turned = image if self.form.layout == "nhwc" else image.transpose(2, 0, 1)
        return numpy.ascontiguousarray(numpy.stack([turned] * (self.form.batch or 1)))


def photos_of(folder: str | os.PathLike[str], graph: Graph, form: Form) -> Photos:
    """At most MOST_IMAGES photos of a folder, spread over their names, for the images that a graph takes.

    Raises ArchError where there are none, and for a network of other images.
    """
    height, image_width, channels = graph.image.shape
    if channels not in (1, 3):
        raise fail("input", f"'{graph.name}' takes images of {channels} channels; photos have 3, or 1 as grey")
    found = _photo_names(Path(folder))
    count = min(len(found), MOST_IMAGES)
    paths = [found[number * len(found) // count] for number in range(count)]
    return Photos(paths, (height or SIDE, image_width or SIDE), channels, brightest(graph), form)


def _photo_names(folder: Path) -> list[Path]:
    mark = Mark(str(folder))
    try:
        with os.scandir(folder) as entries:
            files = [each for each in islice(entries, MOST_ENTRIES) if each.name.lower().endswith(ENDINGS)]
            found = sorted(Path(each.path) for each in files if each.is_file())
    except OSError as error:
        message = f"cannot be read: {error.strerror or error}"
        raise fail("unreadable", message, mark=mark, hint="expected a folder of photos") from None
    if not found:
        raise fail("missing-file", "no photos in this folder", mark=mark, hint=f"they end in {', '.join(ENDINGS)}")
    return found
