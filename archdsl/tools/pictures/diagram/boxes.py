"""A box with its texts, the names of its results, and bars for its costs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from archdsl.analysis.text import count_text, shape_text
from archdsl.tools.pictures.diagram.contents import Box
from archdsl.tools.pictures.diagram.layout import Frame
from archdsl.tools.pictures.diagram.scene import Group, Rectangle, Shape, Text
from archdsl.tools.pictures.diagram.texts import cut, text_width

BAR_HEIGHT = 3.0
_BAR = 98.0  # of the largest cost
_PAD = 9.0
_TITLES = (12.0, 11.0, 10.2)  # sizes, the first that fits
_SLIM, _SMALL, _TINY = 11.0, 10.0, 9.0
_TAG = 70.0  # at most
_MANY, _MOST_NAMES, _MOST_LETTERS = 5, 8, 120  # results that are counted, or named in words; letters of each


class Scale(NamedTuple):
    """The largest costs of a box, which have the longest bars."""

    params: int
    macs: int


def scale_of(boxes: Iterable[Box]) -> Scale:
    """The scale of a picture with these boxes."""
    params, macs = zip(*[(box.params, box.macs or 0) for box in boxes], strict=True)
    return Scale(max(params), max(macs))


def drawn_box(box: Box, frame: Frame, scale: Scale) -> Group:
    """The box as a group; what it stands for is in its attributes, and in words."""
    shape = Rectangle(*frame, fill=box.kind, line="outline", radius=8 if box.is_slim else 6)
    inside = _slim_texts(box, frame) if box.is_slim else _inside(box, frame, scale)
    words = _in_words(box)
    return Group([shape, *inside], {**_attributes(box), "aria-label": words}, words)


def _attributes(box: Box) -> dict[str, str]:
    macs = {} if box.macs is None else {"data-macs": str(box.macs)}
    return {
        "class": "layer",
        "data-layer": box.name,
        "data-path": box.path,
        "data-params": str(box.params),
        **macs,
        "data-shape": str(box.type),
        "tabindex": "0",
        "role": "img",
    }


def _in_words(box: Box) -> str:
    parts = [box.path, box.block, shape_text(box.type.shape)]
    if box.params:
        parts.append(f"{box.params:,} parameters")
    if box.macs:
        parts.append(f"{count_text(box.macs)} MACs")
    parts += [f"output {name}" for name in box.outputs[:_MOST_NAMES]]
    parts += [f"level {name}" for name in box.levels[:_MOST_NAMES]]
    return ", ".join([part[:_MOST_LETTERS] for part in parts])


def _inside(box: Box, frame: Frame, scale: Scale) -> Iterator[Shape]:
    """The block with the names of results, below them the name and the shape, then the bars."""
    whole, tags = frame.width - 2 * _PAD, list(_tags(box, frame))
    room = whole - sum([tag.width + 4 for tag in tags if isinstance(tag, Rectangle)])
    down = 32
    if room < text_width(box.block, _TITLES[-1], True) and not (box.params or box.macs):
        room, down, tags = whole, 45, [tag.moved(0, 14.5) for tag in tags]  # the shape is where bars would be
    size = next((each for each in _TITLES if text_width(box.block, each, True) <= room), _TITLES[-1])
    yield Text(frame.left + _PAD, frame.top + 17, cut(box.block, room, size, True), size, bold=True)
    shape = _shape(box, whole - text_width(box.label, _SMALL) - 6)
    label = cut(box.label, whole - text_width(shape, _SMALL) - 6, _SMALL)
    yield Text(frame.left + _PAD, frame.top + 32, label, _SMALL, "muted")
    yield Text(frame.right - _PAD, frame.top + down, shape, _SMALL, "muted", anchor="end")
    yield from tags
    yield from _bars(box, frame, scale)


def _shape(box: Box, room: float) -> str:
    """The whole shape, or the channels where there is no room; of several results, how many sizes they have."""
    if (count := len({node.type.shape for node in box.results})) > 1:
        return f"{count} sizes"
    whole = shape_text(box.type.shape)
    return whole if text_width(whole, _SMALL) <= room else f"{box.type.channels} ch"


def _slim_texts(box: Box, frame: Frame) -> Iterator[Shape]:
    """On one line: the block; its name, if there is room; the shape, or its channels."""
    left, right, down = frame.left + _PAD + 1, frame.right - _PAD - 1, frame.top + 16
    channels = str(box.type.channels)
    title = cut(box.block, right - left - text_width(channels, _SMALL) - 6, _SLIM, True)
    yield Text(left, down, title, _SLIM, bold=True)
    left += text_width(title, _SLIM, True) + 4
    label = box.label if box.label != box.block else ""
    room = right - left - (text_width(label, _SMALL) + 6 if label else 0)
    shapes = (shape_text(box.type.shape), channels)
    shape = next((each for each in shapes if text_width(each, _SMALL) <= room), "")
    yield Text(right, down, shape or channels, _SMALL, "muted", anchor="end")
    if label and shape:
        yield Text(left, down, label, _SMALL, "muted")


def _tags(box: Box, frame: Frame) -> Iterator[Rectangle | Text]:
    """The names of its results, in the upper right corner; those of outputs filled."""
    right, top = frame.right - 7, frame.top + 7
    most = _TAG if not (box.outputs and box.levels) else (frame.width - 90) / 2
    for names, is_filled in ((box.outputs, True), (box.levels, False)):
        if names:
            text = cut(", ".join(names) if len(names) < _MANY else f"{len(names):,}", most, _TINY, True)
            width = text_width(text, _TINY, True) + 8
            yield Rectangle(right - width, top, width, 14, "mark" if is_filled else "", "mark", 7)
            colour = "on-mark" if is_filled else "mark"
            yield Text(right - width / 2, top + 10.3, text, _TINY, colour, True, "middle")
            right -= width + 4


def _bars(box: Box, frame: Frame, scale: Scale) -> Iterator[Shape]:
    for down, name, cost, most in ((38.5, "params", box.params, scale.params), (43, "macs", box.macs or 0, scale.macs)):
        if cost:
            yield Rectangle(frame.left + _PAD, frame.top + down, max(1, _BAR * cost / most), BAR_HEIGHT, name)
