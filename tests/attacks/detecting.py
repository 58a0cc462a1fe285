"""What `archdsl detect` reads beside a model: photos that are not ones, and files of names."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import matplotlib  # noqa: F401  (these are imported late, set the environment, and compile data classes)
import numpy  # noqa: F401
from PIL import Image, ImageDraw, ImageFont, TiffImagePlugin, WebPImagePlugin  # noqa: F401

import archdsl.tools.cli.detect_command  # noqa: F401  (importing it compiles data classes)
from archdsl.tools.detecting import Detection, name_of, read_names
from archdsl.tools.pictures.boxes import draw_boxes
from attacks.case import Attack, command

Image.preinit()

NAMES = "names.txt"
BOX = Detection((-1e30, -1e30, 1e30, 1e30), 0.5, 0)
DETECT = command("detect", "yolo_v8_xs_detect", "photo.jpg", "--classes", NAMES, "-o", "out.json")


def names(data: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / NAMES).write_bytes(data)


def read(folder: Path) -> object:
    return read_names(folder / NAMES)


def shown(folder: Path) -> None:
    """What a terminal would take for orders is shown as text."""
    if not all(name_of(number, read_names(folder / NAMES)).isprintable() for number in range(3)):
        raise AssertionError("a name acts on the terminal")


def photo(folder: Path) -> None:
    (folder / "photo.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n(secret.txt) (w) file closefile\n")
    names(b"a")(folder)


FAR = [(-1e6, -1e6), (1e6, -1e6), (1e6, 1e6), (-1e6, 1e6)]
TURNED = BOX._replace(outline=FAR, points=[(x, y, 1.0) for x, y in FAR * 4] + [(0.0, 0.0, 1.0)])
ATTACKS = [
    Attack("PostScript as a photo", photo, DETECT, "not an image"),
    Attack("a pipe of names", lambda folder: os.mkfifo(folder / NAMES), read, "no such file"),
    Attack("a device of names", lambda folder: (folder / NAMES).symlink_to("/dev/zero"), read, "no such file"),
    Attack("two megabytes of names", names(b"a\n" * (1 << 20)), read, "more than"),
    Attack("names that are not text", names(b"\xff\xfe\x00"), read, "UTF-8"),
    Attack("names that are orders", names(b"\x1b[2J\n\x07\r\n\xe2\x80\xaeevil\n"), shown),
    Attack(
        "a box beyond everything", lambda folder: None, lambda folder: draw_boxes(Image.new("RGB", (64, 64)), [BOX])
    ),
    Attack(
        "points beyond everything", lambda folder: None, lambda folder: draw_boxes(Image.new("RGB", (64, 64)), [TURNED])
    ),
]
