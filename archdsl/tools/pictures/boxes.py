"""A photo with boxes around what was found in it, each with its name and score."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archdsl.tools.detecting import Detection, name_of

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

PICTURES = (".png", ".jpg", ".jpeg", ".webp")
COLOURS = (  # neighbours differ in hue and lightness; that of a class is the same in every picture
    *("#e6332a", "#1d71b8", "#3aaa35", "#f39200", "#7d3fa1", "#00a19a", "#e5007e", "#8a5a2b"),
    *("#6f9bd8", "#b5bd00", "#f7a6c1", "#2d2e83", "#ffd400", "#006633", "#c1766b", "#5c6670"),
)
DARK, LIGHT = "#14181c", "#ffffff"
_HALO = (0, 0, 0, 90)  # around each line, so that it is seen on any ground
_Box = tuple[float, float, float, float]


def draw_boxes(photo: Image.Image, found: Sequence[Detection], names: Sequence[str] = ()) -> Image.Image:
    """The photo, in its own size, with a box for each detection; what scores highest lies on top."""
    from PIL import ImageDraw

    picture = photo.convert("RGB")
    drawing = ImageDraw.Draw(picture, "RGBA")
    line = max(2, round(sum(picture.size) / 560))
    for detection in reversed(found):
        _frame(drawing, detection.box, line, COLOURS[detection.number % len(COLOURS)])
    placed: list[_Box] = []
    font = _font(max(11, round(sum(picture.size) / 75)))
    for detection in found:  # the best has the first choice of a place
        text = f"{name_of(detection.number, names)} {detection.score:.2f}"
        chip = _place(detection.box, _size(drawing, text, font, line), picture.size, placed)
        _chip(drawing, chip, text, font, line, COLOURS[detection.number % len(COLOURS)])
        placed.append(chip)
    return picture


def save_picture(picture: Image.Image, path: Path, suffix: str) -> None:
    """Write it in the format of `suffix`, whatever `path` is called."""
    from PIL import Image

    options: dict[str, Any] = {} if suffix == ".png" else {"quality": 92}
    with path.open("wb") as file:
        picture.save(file, Image.registered_extensions()[suffix], **options)


def _font(size: int) -> Any:
    """The font that Matplotlib brings along, which has Latin, Greek and Cyrillic letters and more."""
    from matplotlib import get_data_path
    from PIL import ImageFont

    return ImageFont.truetype(str(Path(get_data_path(), "fonts", "ttf", "DejaVuSans-Bold.ttf")), size)


def _frame(drawing: ImageDraw.ImageDraw, box: _Box, line: int, colour: str) -> None:
    left, top, right, bottom = box
    outer = left - 1, top - 1, max(left, right) + 1, max(top, bottom) + 1
    drawing.rectangle(outer, outline=_HALO, width=line + 2)
    drawing.rectangle((left, top, max(left, right), max(top, bottom)), outline=colour, width=line)


def _size(drawing: ImageDraw.ImageDraw, text: str, font: Any, line: int) -> tuple[float, float]:
    """Width and height of a label."""
    ascent, descent = font.getmetrics()
    return drawing.textlength(text, font=font) + 4 * line, ascent + descent + line


def _place(box: _Box, size: tuple[float, float], picture: tuple[int, int], placed: Sequence[_Box]) -> _Box:
    """Where a label goes: over its box, in it, or under it, the first that is in the picture and free."""
    left, top, _, bottom = box
    label_width, height = size
    left = max(0, min(left, picture[0] - label_width))
    tops = [top - height, top, bottom, bottom - height, *[top + step * height for step in range(1, 9)]]
    inside = [each for each in tops if 0 <= each <= picture[1] - height] or [max(0, min(top, picture[1] - height))]
    places = [(left, each, left + label_width, each + height) for each in inside]
    return next((place for place in places if not any(_overlap(place, other) for other in placed)), places[0])


def _overlap(one: _Box, other: _Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _chip(drawing: ImageDraw.ImageDraw, place: _Box, text: str, font: Any, line: int, colour: str) -> None:
    """A label: the text in the colour that is read best on that of its box."""
    from PIL import ImageColor

    red, green, blue = ImageColor.getrgb(colour)[:3]
    drawing.rectangle(place, fill=colour)
    ink = DARK if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else LIGHT
    drawing.text((place[0] + 2 * line, place[1] + line / 2), text, font=font, fill=ink)
