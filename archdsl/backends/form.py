"""How an exported file takes images and gives results, whatever its format."""

from __future__ import annotations

from typing import Literal, NamedTuple

Layout = Literal["nhwc", "nchw"]
Precision = Literal["float32", "float16"]


class Form(NamedTuple):
    """The layout of images and maps, images at a time (None for any number), and the precision that is computed in."""

    layout: Layout = "nhwc"
    batch: int | None = None
    precision: Precision = "float32"
