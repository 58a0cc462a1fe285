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
LIMBS = (  # between the 17 points of a person in COCO: nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles
    *((0, 1), (0, 2), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 6), (5, 7), (7, 9), (6, 8), (8, 10)),
    *((5, 11), (6, 12), (11, 12), (11, 13), (13, 15), (12, 14), (14, 16)),
)
SEEN = 0.5  # points that are less likely to be seen are not drawn
_MASK = 120  # of 255, how much of its colour a mask has
_HALO = (0, 0, 0, 90)  # around each line, so that it is seen on any ground
_Box = tuple[float, float, float, float]


def draw_boxes(photo: Image.Image, found: Sequence[Detection], names: Sequence[str] = ()) -> Image.Image:
    """The photo, in its own size, with a box, a mask and points for each detection; what scores highest lies on top."""
    from PIL import ImageDraw

    picture = photo.convert("RGB")
    drawing = ImageDraw.Draw(picture, "RGBA")
    line = max(2, round(sum(picture.size) / 560))
    for detection in reversed(found):
        colour = COLOURS[detection.number % len(COLOURS)]
        _fill(picture, detection, colour)
        _frame(drawing, detection, line, colour)
        _points(drawing, detection, line, colour)
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


def _fill(picture: Image.Image, detection: Detection, colour: str) -> None:
    from PIL import Image, ImageColor

    if detection.mask is not None:
        share = Image.fromarray(detection.mask.mask().astype("uint8") * _MASK)
        picture.paste(ImageColor.getrgb(colour), (0, 0), share)


def _points(drawing: ImageDraw.ImageDraw, detection: Detection, line: int, colour: str) -> None:
    """Dots where points are seen, and of people their limbs."""
    places = [(x, y) if seen > SEEN else None for x, y, seen in detection.points]
    for one, other in LIMBS if len(places) == 17 else ():
        ends = [place for place in (places[one], places[other]) if place]
        if len(ends) == 2:
            drawing.line(ends, fill=_HALO, width=line + 2)
            drawing.line(ends, fill=colour, width=line)
    for x, y in filter(None, places):
        around = [x - 1.5 * line, y - 1.5 * line, x + 1.5 * line, y + 1.5 * line]
        drawing.ellipse(around, fill=LIGHT, outline=colour, width=max(1, line // 2 + 1))


def _frame(drawing: ImageDraw.ImageDraw, detection: Detection, line: int, colour: str) -> None:
    if detection.outline:
        closed = [*detection.outline, *detection.outline[:2]]
        drawing.line(closed, fill=_HALO, width=line + 2, joint="curve")
        drawing.line(closed, fill=colour, width=line, joint="curve")
        return
    left, top, right, bottom = detection.box
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
