"""The pixels of a diagram: rows and columns with boxes, and the ways of the connections between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import log2
from typing import NamedTuple

from archdsl.ir.graph import Graph
from archdsl.tools.pictures.diagram.contents import Box, Contents, contents_of
from archdsl.tools.pictures.diagram.places import Grid, grid_of
from archdsl.tools.pictures.diagram.routes import Route, Span, routes_of
from archdsl.tools.pictures.diagram.scene import Point
from archdsl.tools.pictures.diagram.tracks import TRACK, Tracks, tracks_of

SLIM, FULL, GAP, ROW_GAP = 24.0, 50.0, 16.0, 26.0  # heights of boxes, and between boxes and rows
NARROWEST, WIDEST = 120.0, 184.0  # boxes, by their channels
STAGE_TOP, STAGE_PAD, LANE_TOP, LANE_PAD = 18.0, 9.0, 34.0, 20.0
MARGIN, ROW_LABELS, HEADER, LANE_GAP = 20.0, 74.0, 58.0, 12.0
_GUTTER = 34.0


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


class Way(NamedTuple):
    """A connection: the corners it runs through. It is direct where it leads to the next box of a column."""

    source: Box
    target: Box
    points: Sequence[Point]
    is_direct: bool


class Row(NamedTuple):
    """What the maps in a row have in common."""

    top: float
    bottom: float
    size: str
    stride: float | None


@dataclass(frozen=True)
class Layout:
    """All that is to be drawn, and where. `stages` and `lanes` are around the boxes they hold, by name."""

    boxes: dict[Box, Frame]
    ways: tuple[Way, ...]
    stages: dict[str, Frame]
    lanes: dict[str, Frame]
    rows: tuple[Row, ...]
    width: float
    height: float


def layout_of(graph: Graph) -> Layout:
    """The layout of a graph, which may be an outline."""
    contents = contents_of(graph)
    grid = grid_of(contents)
    spans, rows = _heights(contents, grid)
    routes = routes_of(contents, grid, spans)
    tracks = tracks_of(routes, grid.columns)
    widths = _widths(contents.boxes)
    columns = _columns(contents, grid, widths, tracks.count)
    frames = {}
    for index, box in enumerate(contents.boxes):
        number = grid.places[index].column
        left = columns.lefts[number] + (columns.widths[number] - widths[index]) / 2
        frames[box] = Frame(left, spans[index].top, widths[index], spans[index].height)
    ways = tuple([_way(contents, frames, route, tracks, columns.gutters) for route in routes])
    lanes = _lanes(contents, grid, frames, rows)
    bottom = max(lane.bottom for lane in lanes.values())
    return Layout(frames, ways, _stages(frames), lanes, _named(rows, contents, grid), columns.right, bottom)


def _heights(contents: Contents, grid: Grid) -> tuple[list[Span], list[tuple[float, float]]]:
    """From where to where each box goes, and each row, from the top."""
    spans = [Span(0, 0)] * len(contents.boxes)
    rows: list[tuple[float, float]] = []
    top = MARGIN + HEADER + LANE_TOP
    for number, stride in enumerate(grid.strides):
        cells = [
            [each for each in grid.column(column) if grid.places[each].row == number] for column in range(grid.columns)
        ]
        stacks = [_stack([contents.boxes[each] for each in cell]) for cell in cells]
        height = max(end for _, end in stacks)
        top += 0 if stride is not None else LANE_PAD + LANE_TOP + LANE_GAP - ROW_GAP
        for cell, (tops, own) in zip(cells, stacks, strict=True):
            for index, offset in zip(cell, tops, strict=True):
                start = top + (height - own) / 2 + offset
                spans[index] = Span(start, start + _height(contents.boxes[index]))
        rows.append((top, top + height))
        top += height + ROW_GAP
    return spans, rows


def _stack(boxes: Sequence[Box]) -> tuple[list[float], float]:
    """Boxes one above the other: where each begins, and where the last ends, frames around stages included."""
    tops, down = [], 0.0
    for stage, own in groupby(boxes, key=lambda box: box.stage):
        down += STAGE_TOP if stage else 0
        for box in own:
            tops.append(down)
            down += _height(box) + GAP
        down += STAGE_PAD if stage else 0
    return tops, max(0, down - GAP)


def _height(box: Box) -> float:
    return SLIM if box.is_slim else FULL


def _widths(boxes: Sequence[Box]) -> list[float]:
    """The more channels, the wider; in equal steps for each doubling."""
    channels = [box.type.channels for box in boxes]
    least, most = min(channels), max(channels)
    return [NARROWEST + (WIDEST - NARROWEST) * _share(each, least, most) for each in channels]


def _share(value: int, least: int, most: int) -> float:
    return log2(value / least) / log2(most / least) if most > least else 0.5


class _Columns(NamedTuple):
    """Where each column begins, how wide it is, and the middle of the gutter to its right; where the last one ends."""

    lefts: list[float]
    widths: list[float]
    gutters: list[float]
    right: float


def _columns(contents: Contents, grid: Grid, widths: Sequence[float], tracks: Sequence[int]) -> _Columns:
    begins = set(grid.lanes.values())
    across = MARGIN + ROW_LABELS + LANE_PAD
    found = _Columns([], [], [], 0)
    for number in range(grid.columns):
        own = grid.column(number)
        pad = STAGE_PAD if any(contents.boxes[each].stage for each in own) else 0
        found.lefts.append(across + pad)
        found.widths.append(max(widths[each] for each in own))
        across += found.widths[-1] + 2 * pad
        border = LANE_GAP + LANE_PAD if number + 1 in begins else 0
        gutter = max((tracks[number] + 1) * TRACK + 4, border + _GUTTER if number + 1 < grid.columns else 0)
        if number + 1 == grid.columns and not tracks[number]:
            gutter = 0
        found.gutters.append(across + gutter / 2)
        across += gutter
    return found._replace(right=across + LANE_PAD / 2)


def _way(contents: Contents, frames: dict[Box, Frame], route: Route, tracks: Tracks, gutters: Sequence[float]) -> Way:
    source, target = contents.boxes[route.source], contents.boxes[route.target]
    start, end = frames[source], frames[target]
    if route.is_direct:
        upward = end.top < start.top
        ends = (start.top, end.bottom) if upward else (start.bottom, end.top)
        return Way(source, target, [(start.centre, ends[0]), (end.centre, ends[1])], True)
    points = [(start.right, route.begin)]
    for gutter, before, after in route.turns:
        if before != after:
            across = gutters[gutter] + TRACK * (tracks.place[gutter, route.source] - (tracks.count[gutter] - 1) / 2)
            points += [(across, before), (across, after)]
    points.append((end.right if route.is_bracket else end.left, route.end))
    return Way(source, target, points, False)


def _stages(frames: dict[Box, Frame]) -> dict[str, Frame]:
    """The frame around each stage."""
    found = {}
    for stage in dict.fromkeys(box.stage for box in frames if box.stage):
        inside = [frame for box, frame in frames.items() if box.stage == stage]
        around = _around(inside)
        found[stage] = Frame(
            around.left - STAGE_PAD,
            around.top - STAGE_TOP,
            around.width + 2 * STAGE_PAD,
            around.height + STAGE_TOP + STAGE_PAD,
        )
    return found


def _around(frames: Sequence[Frame]) -> Frame:
    left, top = min(each.left for each in frames), min(each.top for each in frames)
    return Frame(left, top, max(each.right for each in frames) - left, max(each.bottom for each in frames) - top)


def _lanes(
    contents: Contents, grid: Grid, frames: dict[Box, Frame], rows: Sequence[tuple[float, float]]
) -> dict[str, Frame]:
    """A panel for each section, as high as the others beside it."""
    found = {}
    for section in grid.lanes:
        own = [index for index, box in enumerate(contents.boxes) if box.section == section]
        around = _around([frames[contents.boxes[each]] for each in own])
        pad = STAGE_PAD if section == "stages" else 0
        inside = [grid.places[each].row for each in own]
        is_below = len(set(grid.lanes.values())) == 1
        first, last = (min(inside), max(inside)) if is_below else (0, len(rows) - 1)
        top, bottom = rows[first][0] - LANE_TOP, rows[last][1] + LANE_PAD
        found[section] = Frame(around.left - pad - LANE_PAD / 2, top, around.width + 2 * pad + LANE_PAD, bottom - top)
    return found


def _named(rows: Sequence[tuple[float, float]], contents: Contents, grid: Grid) -> tuple[Row, ...]:
    found = []
    for number, (top, bottom) in enumerate(rows):
        own = [box for box, place in zip(contents.boxes, grid.places, strict=True) if place.row == number]
        stride = grid.strides[number]
        maps = [box.type.shape[:2] for box in own if len(box.type.shape) == 3 and box.type.stride == stride]
        size = " × ".join(["?" if side is None else str(side) for side in maps[0]]) if maps else ""
        found.append(Row(top, bottom, size, stride))
    return tuple(found)
