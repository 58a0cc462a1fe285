"""A layout as a scene: the title, panels, frames, connections, boxes, the legend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from archdsl.analysis.text import count_text, shape_text
from archdsl.ir.graph import Graph
from archdsl.tools.pictures.diagram.boxes import drawn_box, scale_of
from archdsl.tools.pictures.diagram.layout import MARGIN, NAME_SIZE, Frame, Lane, Layout, Row, Way, layout_of
from archdsl.tools.pictures.diagram.legend import legend_of
from archdsl.tools.pictures.diagram.scene import Group, Line, Rectangle, Scene, Shape, Text
from archdsl.tools.pictures.diagram.texts import cut, text_width

_LANES = {"stages": "Backbone", "neck": "Neck", "head": "Head"}
_NAME = 420.0  # of the network, at most


def scene_of(graph: Graph) -> Scene:
    """A graph, which may be an outline, as a picture."""
    layout = layout_of(graph)
    scale = scale_of(layout.boxes)
    legend = legend_of(layout, scale)
    heading = _heading(graph)
    width = max(layout.width, legend.right, *[_end_of(each) for each in heading])
    parts: list[Shape | Group] = [Rectangle(0, 0, width, legend.bottom, "paper"), *heading]
    parts += [_lane(section, lane, layout) for section, lane in layout.lanes.items()]
    parts += [part for row in layout.rows for part in _row(row)]
    parts += [_stage(name, frame) for name, frame in layout.stages.items()]
    parts += [_connection(way) for way in layout.ways]
    parts += [drawn_box(box, frame, scale) for box, frame in layout.boxes.items()]
    root = Group([*parts, legend.group])
    return Scene(width, legend.bottom, root, graph.name, f"{graph.name}: {_totals(graph)}")


def _totals(graph: Graph) -> str:
    params, macs = graph.cost.params, graph.cost.macs
    image = shape_text(graph.image.shape)
    costs = f"{count_text(params)} parameters" + (f", {count_text(macs)} MACs" if macs is not None else "")
    return f"{costs} for an image of {image}"


def _heading(graph: Graph) -> list[Text]:
    return [
        Text(MARGIN, MARGIN + 16, cut(graph.name, _NAME, 18, True), 18, bold=True),
        Text(MARGIN, MARGIN + 36, _totals(graph), 12, "muted"),
    ]


def _end_of(text: Text) -> float:
    return text.across + text_width(text.text, text.size, text.bold) + MARGIN


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
        end = _free_end(frame, layout)
        room = end - frame.left - 30 - text_width(name, 13, True)
        texts.append(Text(end - 12, frame.top + 21, _fitting(costs, room), 10, "muted", anchor="end"))
    return Group([panel, *texts], {"class": "lane", "data-section": section})


def _fitting(costs: Sequence[str], room: float) -> str:
    """As many costs as there is room for."""
    tried = (" · ".join(costs), costs[0])
    return next((each for each in tried if text_width(each, 10) <= room), "")


def _free_end(lane: Frame, layout: Layout) -> float:
    """Where the first line goes down through the name of a lane, or the lane ends."""
    pieces = [sorted(piece, key=lambda point: point[1]) for way in layout.ways for piece in pairwise(way.points)]
    lines = [across for (across, top), (_, bottom) in pieces if top < lane.top + 30 and bottom > lane.top]
    return min([across for across in lines if lane.left < across < lane.right], default=lane.right)


def _row(row: Row) -> Iterator[Shape]:
    middle = (row.top + row.bottom) / 2
    if row.name:
        yield Text(MARGIN, middle - 2, row.name, NAME_SIZE, bold=True)
    yield Text(MARGIN, middle + 12, f"stride {row.stride:g}", 10, "muted")


def _stage(name: str, frame: Frame) -> Group:
    label = cut(name, frame.width / 2 - 14, 10.5, True)
    parts: list[Shape | Group] = [
        Rectangle(*frame, fill="stage", line="rule", radius=8),
        Text(frame.left + 9, frame.top + 13, label, 10.5, "muted", True),
    ]
    return Group(parts, {"class": "stage", "data-stage": name})


def _connection(way: Way) -> Group:
    line = Line(way.points, "edge" if way.is_direct else "skip", 1.3)
    return Group([line], {"class": "edge", "data-from": way.source.name, "data-to": way.target.name})
