"""The pixels of a diagram: boxes, the frames and panels around them, and the corners of their connections."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log2
from typing import NamedTuple

from archdsl.analysis.text import shape_text
from archdsl.ir.graph import Graph
from archdsl.ir.types import FeatureMap
from archdsl.tools.pictures.diagram.contents import Box, contents_of
from archdsl.tools.pictures.diagram.heights import STAGE_PAD, STAGE_TOP, Heights, heights_of
from archdsl.tools.pictures.diagram.places import Grid, grid_of
from archdsl.tools.pictures.diagram.routes import Route, Span, routes_of
from archdsl.tools.pictures.diagram.scene import Point
from archdsl.tools.pictures.diagram.texts import text_width
from archdsl.tools.pictures.diagram.tracks import TRACK, Tracks, tracks_of

NARROWEST, WIDEST = 116.0, 184.0  # boxes, by their channels
MARGIN, HEADER, ROW_LABELS = 20.0, 52.0, 78.0
NAME_SIZE = 11.0  # of the names of rows, which make room for themselves where they are long
LANE_TOP, LANE_PAD, LANE_GAP = 36.0, 14.0, 12.0  # above, below and beside the boxes; between panels
_GUTTER = 30.0


class Frame(NamedTuple):
    """A rectangle in pixels."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def bottom(self) -> float:
        return self.top + self.height

    @property
    def centre(self) -> float:
        return self.left + self.width / 2

    def meets(self, other: Frame) -> bool:
        """Whether the two have a point in common that is not on a border."""
        beside = self.right <= other.left or other.right <= self.left
        return not (beside or self.bottom <= other.top or other.bottom <= self.top)

    def wider(self, aside: float, above: float, below: float) -> Frame:
        """The frame with these margins around it."""
        return Frame(self.left - aside, self.top - above, self.width + 2 * aside, self.height + above + below)


class Way(NamedTuple):
    """A connection: the corners it runs through. It is direct where it leads to the next box of a column."""

    source: Box
    target: Box
    points: Sequence[Point]
    is_direct: bool


class Row(NamedTuple):
    """What the maps in a row have in common; the size of them where there are any."""

    top: float
    bottom: float
    size: tuple[int | None, int | None] | None
    stride: float

    @property
    def name(self) -> str:
        return shape_text(self.size) if self.size else ""


class Lane(NamedTuple):
    """The panel of a section. `is_below` is one that goes on below another; its name is beside it."""

    frame: Frame
    is_below: bool


@dataclass(frozen=True)
class Layout:
    """All that is to be drawn, and where. `stages` and `lanes` are around the boxes they hold, by name."""

    boxes: dict[Box, Frame]
    ways: tuple[Way, ...]
    stages: dict[str, Frame]
    lanes: dict[str, Lane]
    rows: tuple[Row, ...]
    width: float
    height: float


def layout_of(graph: Graph) -> Layout:
    """The layout of a graph, which may be an outline."""
    grid = grid_of(contents_of(graph))
    heights = heights_of(grid, MARGIN + HEADER + LANE_TOP)
    titles = [_title(grid, heights, number) for number in range(grid.columns)]
    routes = routes_of(grid, heights.boxes, titles)
    tracks = tracks_of(routes, grid.columns)
    widths = _widths(grid.contents.boxes)
    rows = tuple(_rows(grid, heights))
    names = max([ROW_LABELS, *[text_width(row.name, NAME_SIZE, True) + LANE_GAP for row in rows]])
    columns = _columns(grid, widths, tracks.counts, MARGIN + names + LANE_PAD)
    frames = {}
    for (box, place), span, width in zip(grid.placed, heights.boxes, widths, strict=True):
        left = columns.lefts[place.column] + (columns.widths[place.column] - width) / 2
        frames[box] = Frame(left, span.top, width, span.height)
    ways = tuple([_way(grid.contents.boxes, frames, route, tracks, columns.gutters) for route in routes])
    lanes = _lanes(grid, columns, heights)
    lowest = max([down for way in ways for _, down in way.points], default=0)
    bottom = max(lowest + LANE_PAD, *[lane.frame.bottom for lane in lanes.values()])
    width = max(lane.frame.right for lane in lanes.values()) + MARGIN
    return Layout(frames, ways, _stages(frames), lanes, rows, width, bottom)


def _widths(boxes: Sequence[Box]) -> list[float]:
    """The more channels, the wider; in equal steps for each doubling."""
    channels = [box.type.channels for box in boxes]
    least, most = min(channels), max(channels)
    return [2 * round((NARROWEST + (WIDEST - NARROWEST) * _share(each, least, most)) / 2) for each in channels]


def _share(value: int, least: int, most: int) -> float:
    return log2(value / least) / log2(most / least) if most > least else 0.5


class Gutter(NamedTuple):
    """The room to the right of a column, from where to where."""

    begin: float
    end: float


class _Columns(NamedTuple):
    """Where each column begins, how wide it and its pad for frames is, and the gutter to its right."""

    lefts: list[float]
    widths: list[float]
    pads: list[float]
    gutters: list[Gutter]


def _columns(grid: Grid, widths: Sequence[float], tracks: Sequence[int], across: float) -> _Columns:
    begins = set(grid.lanes.values())
    found = _Columns([], [], [], [])
    for number in range(grid.columns):
        own = grid.column(number)
        pad = STAGE_PAD if any(grid.contents.boxes[each].stage for each in own) else 0
        width = max(widths[each] for each in own)
        is_last = number + 1 == grid.columns
        border = LANE_GAP + 2 * LANE_PAD - 8 if number + 1 in begins else 0
        room = (tracks[number] + 1) * TRACK + 4 if tracks[number] or not is_last else 0
        gutter = max(room, border + _GUTTER if not is_last else 0)
        end = across + 2 * pad + width
        found.lefts.append(across + pad)
        found.widths.append(width)
        found.pads.append(pad)
        found.gutters.append(Gutter(end, end + gutter))
        across = end + gutter
    return found


def _way(
    boxes: Sequence[Box], frames: dict[Box, Frame], route: Route, tracks: Tracks, gutters: Sequence[Gutter]
) -> Way:
    source, target = boxes[route.source], boxes[route.target]
    start, end = frames[source], frames[target]
    if route.is_direct:
        upward = end.top < start.top
        ends = (start.top, end.bottom) if upward else (start.bottom, end.top)
        return Way(source, target, [(start.centre, ends[0]), (end.centre, ends[1])], True)
    points = [(start.right, route.begin)]
    for gutter, before, after in route.turns:
        if before != after:
            middle, place = sum(gutters[gutter]) / 2, tracks.place[gutter, route.source]
            across = middle + TRACK * (place - (tracks.counts[gutter] - 1) / 2)
            points += [(across, before), (across, after)]
    points.append((end.right if route.is_bracket else end.left, route.end))
    return Way(source, target, points, False)


def _stages(frames: dict[Box, Frame]) -> dict[str, Frame]:
    """The frame around each stage, but for those whose layers are among the layers of others."""
    held: dict[str, list[Frame]] = {}
    for box, frame in frames.items():
        if box.stage:
            held.setdefault(box.stage, []).append(frame)
    around = {stage: _around(own).wider(STAGE_PAD, STAGE_TOP, STAGE_PAD) for stage, own in held.items()}
    return {
        stage: frame
        for stage, frame in around.items()
        if not any(frame.meets(other) for name, other in around.items() if name != stage)
        and not any(frame.meets(other) for box, other in frames.items() if box.stage != stage)
    }


def _around(frames: Sequence[Frame]) -> Frame:
    left, top = min(each.left for each in frames), min(each.top for each in frames)
    return Frame(left, top, max(each.right for each in frames) - left, max(each.bottom for each in frames) - top)


def _lanes(grid: Grid, columns: _Columns, heights: Heights) -> dict[str, Lane]:
    """A panel for each section, around the rows in which it has boxes."""
    is_pile = len(set(grid.lanes.values())) == 1
    found: dict[str, Lane] = {}
    for section in grid.lanes:
        own = [place for box, place in grid.placed if box.section == section]
        first, last = min(place.column for place in own), max(place.column for place in own)
        left = columns.lefts[first] - columns.pads[first] - LANE_PAD
        right = columns.lefts[last] + columns.widths[last] + columns.pads[last] + LANE_PAD
        if last + 1 == grid.columns:
            right = columns.gutters[last].end + LANE_PAD
        is_below = is_pile and bool(found)
        top = heights.rows[min(place.row for place in own)].top - (LANE_PAD if is_below else LANE_TOP)
        bottom = heights.rows[max(place.row for place in own)].bottom + LANE_PAD
        found[section] = Lane(Frame(left, top, right - left, bottom - top), is_below)
    return found


def _title(grid: Grid, heights: Heights, column: int) -> Span:
    """Where the name of the lane is that a column is in."""
    sections = {box.section for box, place in grid.placed if place.column == column}
    top = heights.rows[min(place.row for box, place in grid.placed if box.section in sections)].top
    return Span(top - LANE_TOP + 4, top - LANE_PAD)


def _rows(grid: Grid, heights: Heights) -> Iterable[Row]:
    for number, (span, stride) in enumerate(zip(heights.rows, grid.strides, strict=True)):
        own = [box.type for box, place in grid.placed if place.row == number]
        sizes = [each.shape[:2] for each in own if isinstance(each, FeatureMap) and each.stride == stride]
        if stride is not None:
            yield Row(span.top, span.bottom, sizes[0] if sizes else None, stride)
