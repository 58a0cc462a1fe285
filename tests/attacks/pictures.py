"""Pictures that run programs, never end, or are larger than they look."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy  # noqa: F401  (it sets a variable of the environment)
from PIL import Image, TiffImagePlugin, WebPImagePlugin  # noqa: F401  (importing them compiles data classes)

import archdsl
from archdsl.backends.form import Form
from archdsl.models.calibration import photos_of
from archdsl.models.photo import open_image
from attacks.case import Attack

Image.preinit()

NAME = "photo.jpg"


def read(folder: Path) -> object:
    return open_image(folder / NAME)


def calibrate(folder: Path) -> object:
    """All that int8 would read of the folder, for images of 64 pixels."""
    graph = archdsl.compile_config("csp_darknet_tiny", (), (64, 64, 3))
    return [image.shape for image in photos_of(folder, graph, Form())]


def linked(target: str) -> Callable[[Path], object]:
    return lambda folder: (folder / NAME).symlink_to(target)


def crowded(folder: Path) -> None:
    """A photo under five thousand names."""
    (folder / NAME).write_bytes(black(64, 8, 2))
    for number in range(5_000):
        os.link(folder / NAME, folder / f"{number}.png")


def written(data: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / NAME).write_bytes(data)


def png(side: int, depth: int, colour: int, data: bytes = b"") -> bytes:
    """A PNG file of `side` × `side` pixels; `colour` is 0 for grey, 2 for RGB, 6 for RGBA."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">2I5B", side, side, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def black(side: int, depth: int, colour: int) -> bytes:
    """A whole one, all of it zero: a thousandth of what it takes when it is read."""
    row = bytes(1 + side * depth // 8 * {0: 1, 2: 3, 6: 4}[colour])
    packer = zlib.compressobj()
    return png(side, depth, colour, b"".join([packer.compress(row) for _ in range(side)]) + packer.flush())


def tiff(side: int) -> bytes:
    """The head of a TIFF file of 32-bit numbers in one strip."""
    sizes = {256: side, 257: side, 258: 32, 277: 1, 278: side, 279: 100}
    tags = sorted({**sizes, 259: 8, 262: 1, 273: 200, 339: 3}.items())  # deflated, from byte 200, floating point
    entries = b"".join([struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags])
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4) + bytes(200)


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(secret.txt) (w) file closefile\n"
NO_PHOTO = "not an image; expected a photo"
TOO_LARGE = "more than 67,108,864 pixels"

ATTACKS = [
    Attack("PostScript", written(POSTSCRIPT), read, NO_PHOTO),
    Attack("a pipe", lambda folder: os.mkfifo(folder / NAME), read, "not a regular file"),
    Attack(
        "a device",
        lambda folder: (folder / NAME).symlink_to("/dev/zero"),
        read,
        "not a regular file",
        touches=("open",),  # to see that it is one
    ),
    Attack("a PNG of a terapixel", written(png(1_000_000, 16, 0)), read, TOO_LARGE),
    Attack("a 16-bit PNG of 81 megapixels", lambda folder: written(black(9_000, 16, 0))(folder), read, TOO_LARGE),
    Attack("a 16-bit PNG of 64 megapixels", lambda folder: written(black(8_000, 16, 0))(folder), read),
    Attack("an RGBA PNG", lambda folder: written(black(8_000, 8, 6))(folder), read, mebibytes=400),
    Attack("a TIFF of a terapixel", written(tiff(1_000_000)), read, TOO_LARGE),
    Attack("a TIFF that holds less", written(tiff(8_000)), read, "cannot be read", mebibytes=400),
    Attack("text", written(b"secret.txt"), read, NO_PHOTO),
    Attack("nothing", written(b""), read, NO_PHOTO),
    Attack("a folder of a pipe", lambda folder: os.mkfifo(folder / NAME), calibrate, "no photos in this folder"),
    Attack("a folder with a link to a device", linked("/dev/zero"), calibrate, "no photos in this folder"),
    Attack("a folder with a link to no photo", linked("/etc/passwd"), calibrate, NO_PHOTO, touches=("open",)),
    Attack("a folder with a link to itself", linked("."), calibrate, "no photos in this folder"),
    Attack("a folder of five thousand photos", crowded, calibrate),
    Attack("a folder with a photo of a terapixel", written(png(1_000_000, 16, 0)), calibrate, TOO_LARGE),
    Attack("a folder with PostScript", written(POSTSCRIPT), calibrate, NO_PHOTO),
]
