"""A layout as a scene: panels, boxes with their texts and costs, connections, the title and the legend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from archdsl.analysis.text import count_text, shape_text
from archdsl.ir.graph import Graph
from archdsl.tools.pictures.diagram.contents import Box
from archdsl.tools.pictures.diagram.layout import MARGIN, Frame, Lane, Layout, Row, Way, layout_of
from archdsl.tools.pictures.diagram.scene import Group, Line, Rectangle, Scene, Shape, Text
from archdsl.tools.pictures.diagram.texts import cut, text_width

_LANES = {"stages": "Backbone", "neck": "Neck", "head": "Head"}
_BAR, _BAR_HEIGHT = 100.0, 3.0  # of the largest cost
_PAD = 9.0
_MANY, _MOST_NAMES, _MOST_LETTERS = 5, 8, 120  # in what is said of a box
_TITLES = (12.0, 11.0, 10.2)  # sizes, the first that fits
_WORDS = {
    "block": "layers with weights",
    "down": "smaller map",
    "up": "larger map",
    "attention": "attention",
    "join": "joins, no weights",
    "plain": "other, no weights",
    "many": "several layers",
}


class _Scale(NamedTuple):
    """The largest costs of a box, which have the longest bars."""

    params: int
    macs: int


def scene_of(graph: Graph) -> Scene:
    """A graph, which may be an outline, as a picture."""
    layout = layout_of(graph)
    scale = _Scale(
        max([box.params for box in layout.boxes], default=0), max([box.macs or 0 for box in layout.boxes], default=0)
    )
    legend, legend_right, bottom = _legend(layout, scale)
    width = max(layout.width, _heading_width(graph), legend_right)
    root = Group()
    root.parts.append(Rectangle(0, 0, width, bottom, "paper"))
    root.parts += _heading(graph)
    root.parts += [_lane(section, lane, layout) for section, lane in layout.lanes.items()]
    root.parts += [part for row in layout.rows for part in _row(row)]
    root.parts += [_stage(name, frame) for name, frame in layout.stages.items()]
    root.parts += [_connection(way) for way in layout.ways]
    root.parts += [_box(box, frame, scale) for box, frame in layout.boxes.items()]
    root.parts.append(legend)
    return Scene(width, bottom, root, graph.name, f"{graph.name}: {_totals(graph)}")


def _totals(graph: Graph) -> str:
    params, macs = graph.cost.params, graph.cost.macs
    image = shape_text(graph.image.shape)
    costs = f"{count_text(params)} parameters" + (f", {count_text(macs)} MACs" if macs is not None else "")
    return f"{costs} for an image of {image}"


def _heading(graph: Graph) -> list[Shape]:
    return [
        Text(MARGIN, MARGIN + 16, cut(graph.name, 600, 18, True), 18, bold=True),
        Text(MARGIN, MARGIN + 36, _totals(graph), 12, "muted"),
    ]


def _heading_width(graph: Graph) -> float:
    texts = ((cut(graph.name, 600, 18, True), 18, True), (_totals(graph), 12, False))
    return 2 * MARGIN + max(text_width(*each) for each in texts)


def _lane(section: str, lane: Lane, layout: Layout) -> Group:
    own = [box for box in layout.boxes if box.section == section]
    frame, name = lane.frame, _LANES.get(section, section)
    params, macs = count_text(sum(box.params for box in own)), [box.macs for box in own]
    costs = [params, *([] if None in macs else [f"{count_text(sum(filter(None, macs)))} MACs"])]
    panel = Rectangle(*frame, fill="lane", line="panel", radius=10)
    if lane.is_below:
        middle = frame.top + frame.height / 2
        texts = [Text(MARGIN, middle - 8, name, 13, bold=True)]
        texts += [Text(MARGIN, middle + 8 + 14 * number, cost, 10, "muted") for number, cost in enumerate(costs)]
    else:
        texts = [Text(frame.left + 12, frame.top + 21, name, 13, bold=True)]
        room = frame.width - 30 - text_width(name, 13, True)
        texts.append(Text(frame.right - 12, frame.top + 21, _fitting(costs, room), 10, "muted", anchor="end"))
    return Group([panel, *texts], {"class": "lane", "data-section": section})


def _fitting(costs: Sequence[str], room: float) -> str:
    """As many as there is room for."""
    whole = " · ".join(costs)
    return whole if text_width(whole, 10) <= room else costs[0]


def _row(row: Row) -> Iterator[Shape]:
    middle = (row.top + row.bottom) / 2
    if row.size:
        yield Text(MARGIN, middle - 2, shape_text(row.size), 11, bold=True)
    yield Text(MARGIN, middle + 12, f"stride {row.stride:g}", 10, "muted")


def _stage(name: str, frame: Frame) -> Group:
    label = cut(name, frame.width - 16, 10.5, True)
    parts: list[Shape | Group] = [
        Rectangle(*frame, fill="stage", line="rule", radius=8),
        Text(frame.left + 9, frame.top + 13, label, 10.5, "muted", True),
    ]
    return Group(parts, {"class": "stage", "data-stage": name})


def _connection(way: Way) -> Group:
    line = Line(way.points, "edge" if way.is_direct else "skip", 1.3)
    return Group([line], {"class": "edge", "data-from": way.source.name, "data-to": way.target.name})


def _box(box: Box, frame: Frame, scale: _Scale) -> Group:
    radius = frame.height / 2 if box.is_slim else 6
    tags = list(_tags(box, frame))
    room = frame.width - 2 * _PAD - sum([tag.width + 4 for tag in tags if isinstance(tag, Rectangle)])
    if room < text_width(box.block, _TITLES[-1], True) and not (box.is_slim or box.params or box.macs):
        room, tags = frame.width - 2 * _PAD, [_moved(tag, 0, 26) for tag in tags]  # where bars would be
    texts = _slim_texts(box, frame, room) if box.is_slim else _texts(box, frame, room)
    bars = () if box.is_slim else _bars(box, frame, scale)
    said = _said(box)
    parts = [Rectangle(*frame, fill=box.kind, line="outline", radius=radius), *texts, *tags, *bars]
    return Group([*parts], {**_attributes(box), "aria-label": said}, said)


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


def _said(box: Box) -> str:
    """A box in words."""
    parts = [box.path, box.block, shape_text(box.type.shape)]
    if box.params:
        parts.append(f"{box.params:,} parameters")
    if box.macs:
        parts.append(f"{count_text(box.macs)} MACs")
    parts += [f"output {name}" for name in box.outputs[:_MOST_NAMES]]
    parts += [f"level {name}" for name in box.levels[:_MOST_NAMES]]
    return ", ".join([part[:_MOST_LETTERS] for part in parts])


def _texts(box: Box, frame: Frame, room: float) -> Iterator[Shape]:
    left, whole = frame.left + _PAD, frame.width - 2 * _PAD
    size = next((each for each in _TITLES if text_width(box.block, each, True) <= room), _TITLES[-1])
    yield Text(left, frame.top + 17, cut(box.block, room, size, True), size, bold=True)
    shape = _shape(box, whole - text_width(box.label, 10) - 6)
    yield Text(frame.right - _PAD, frame.top + 32, shape, 10, "muted", anchor="end")
    yield Text(left, frame.top + 32, cut(box.label, whole - text_width(shape, 10) - 6, 10), 10, "muted")


def _shape(box: Box, room: float) -> str:
    """The whole shape, or the channels where there is no room."""
    whole = shape_text(box.type.shape)
    return whole if text_width(whole, 10) <= room else f"{box.type.channels} ch"


def _slim_texts(box: Box, frame: Frame, room: float) -> Iterator[Shape]:
    """On one line: the block; its name, if there is room; the shape, or its channels."""
    left, down = frame.left + _PAD + 1, frame.top + 16
    title = cut(box.block, room - 24, 11, True)
    room -= text_width(title, 11, True)
    yield Text(left, down, title, 11, bold=True)
    label = box.label if box.label != box.block else ""
    aside = text_width(label, 10) + 5 if label else 0
    shape = next(
        (
            each
            for each in (shape_text(box.type.shape), str(box.type.channels))
            if text_width(each, 10) + aside + 8 <= room
        ),
        "",
    )
    yield Text(frame.right - _PAD - 1, down, shape or str(box.type.channels), 10, "muted", anchor="end")
    if label and shape:
        yield Text(left + frame.width - 2 * _PAD - room + 4, down, label, 10, "muted")


def _tags(box: Box, frame: Frame) -> Iterator[Shape]:
    """The names of a result, in the corner: filled for outputs."""
    right, top = frame.right - 7, frame.top + (5 if box.is_slim else 7)
    for names, filled in ((box.outputs, True), (box.levels, False)):
        if names:
            said = ", ".join(names) if len(names) < _MANY else f"{len(names):,}"
            text = cut(said, 70, 9, True)
            width = text_width(text, 9, True) + 8
            yield Rectangle(right - width, top, width, 14, "mark" if filled else "", "mark", 7)
            yield Text(right - width / 2, top + 10.3, text, 9, "on-mark" if filled else "mark", True, "middle")
            right -= width + 4


def _bars(box: Box, frame: Frame, scale: _Scale) -> Iterator[Shape]:
    for down, name, cost, most in ((38.5, "params", box.params, scale.params), (43, "macs", box.macs or 0, scale.macs)):
        if cost and most:
            yield Rectangle(frame.left + _PAD, frame.top + down, max(1, _BAR * cost / most), _BAR_HEIGHT, name)


def _legend(layout: Layout, scale: _Scale) -> tuple[Group, float, float]:
    """What colours, widths and bars mean, below the picture; where it ends on the right and below."""
    limit = max(layout.width, 360) - MARGIN
    parts: list[Shape | Group] = []
    across, down, right = MARGIN, layout.height + 16, 0.0
    for shapes, width in _entries(layout, scale):
        if across + width > limit and across > MARGIN:
            across, down = MARGIN, down + 20
        parts += [_moved(shape, across, down) for shape in shapes]
        right = max(right, across + width)
        across += width + 18
    return Group(parts, {"class": "legend"}), right + MARGIN, down + 20 + MARGIN / 2


def _entries(layout: Layout, scale: _Scale) -> Iterator[tuple[list[Shape], float]]:
    present = {box.kind for box in layout.boxes}
    for kind, words in _WORDS.items():
        if kind in present:
            yield _entry(Rectangle(0, 2, 18, 12, kind, "outline", 3), words)
    if any(box.outputs for box in layout.boxes):
        yield _entry(Rectangle(0, 1, 18, 14, "mark", "mark", 7), "output")
    if any(box.levels for box in layout.boxes):
        yield _entry(Rectangle(0, 1, 18, 14, "", "mark", 7), "level")
    for name, most, unit in (("params", scale.params, "parameters"), ("macs", scale.macs, "MACs")):
        if most:
            yield _entry(Rectangle(0, 6.5, 18, _BAR_HEIGHT, name), f"{unit}, up to {count_text(most)}")
    words = "width of a box: its channels, in doublings"
    yield [Text(0, 12, words, 10, "muted")], text_width(words, 10)


def _entry(sample: Rectangle, words: str) -> tuple[list[Shape], float]:
    after = sample.width + 5
    return [sample, Text(after, 12, words, 10, "muted")], after + text_width(words, 10)


def _moved(shape: Shape, across: float, down: float) -> Shape:
    if isinstance(shape, Rectangle):
        return shape._replace(left=shape.left + across, top=shape.top + down)
    assert isinstance(shape, Text)
    return shape._replace(across=shape.across + across, down=shape.down + down)
