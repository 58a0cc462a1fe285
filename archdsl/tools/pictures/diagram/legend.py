"""What colours, bars, marks and widths mean, below a picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from archdsl.analysis.text import count_text
from archdsl.tools.pictures.diagram.boxes import BAR_HEIGHT, Scale
from archdsl.tools.pictures.diagram.layout import MARGIN, Layout
from archdsl.tools.pictures.diagram.scene import Group, Rectangle, Shape, Text
from archdsl.tools.pictures.diagram.texts import text_width

_KINDS = {
    "block": "layers with weights",
    "down": "smaller map",
    "up": "larger map",
    "attention": "attention",
    "join": "joins, no weights",
    "plain": "other, no weights",
    "many": "several layers",
}
_WIDTHS = "width of a box: its channels, in doublings"
_SAMPLE, _LINE, _APART, _NARROWEST, _SIZE = 18.0, 20.0, 18.0, 360.0, 10.0


class Legend(NamedTuple):
    """Where it ends on the right and below, margins included."""

    group: Group
    right: float
    bottom: float


def legend_of(layout: Layout, scale: Scale) -> Legend:
    """The legend, in lines no wider than the picture."""
    limit = max(layout.width, _NARROWEST) - MARGIN
    group = Group(attributes={"class": "legend"})
    across, down, right = MARGIN, layout.height + 16, 0.0
    for sample, words in _entries(layout, scale):
        before = _SAMPLE + 5 if sample else 0
        width = before + text_width(words, _SIZE)
        if across + width > limit and across > MARGIN:
            across, down = MARGIN, down + _LINE
        shapes: list[Shape] = [*([sample.moved(across, down)] if sample else [])]
        group.parts += [*shapes, Text(across + before, down + 12, words, _SIZE, "muted")]
        right = max(right, across + width)
        across += width + _APART
    return Legend(group, right + MARGIN, down + _LINE + MARGIN / 2)


def _entries(layout: Layout, scale: Scale) -> Iterator[tuple[Rectangle | None, str]]:
    """A sample and words for each thing that the picture has."""
    present = {box.kind for box in layout.boxes}
    for kind, words in _KINDS.items():
        if kind in present:
            yield Rectangle(0, 2, _SAMPLE, 12, kind, "outline", 3), words
    if any(box.outputs for box in layout.boxes):
        yield Rectangle(0, 1, _SAMPLE, 14, "mark", "mark", 7), "output"
    if any(box.levels for box in layout.boxes):
        yield Rectangle(0, 1, _SAMPLE, 14, "", "mark", 7), "level"
    for name, most, unit in (("params", scale.params, "parameters"), ("macs", scale.macs, "MACs")):
        if most:
            yield Rectangle(0, 6.5, _SAMPLE, BAR_HEIGHT, name), f"{unit}, up to {count_text(most)}"
    yield None, _WIDTHS
