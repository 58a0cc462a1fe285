"""A line with round corners and an arrow, as the commands of a path that every writer knows."""

from __future__ import annotations

from collections.abc import Iterator

from archdsl.tools.pictures.diagram.scene import Line, Point

RADIUS = 7  # of corners
TIP = 4  # sides of an arrow


def steps_of(line: Line) -> Iterator[tuple[str, list[Point]]]:
    """The line as commands of SVG: M moves, L draws a straight piece, Q a corner around its first point."""
    points = line.points
    yield "M", [points[0]]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        most = min(RADIUS, _distance(before, corner) / 2, _distance(corner, after) / 2)
        yield "L", [_towards(corner, before, most)]
        yield "Q", [corner, _towards(corner, after, most)]
    yield "L", [points[-1]]
    (across, down), back = points[-1], _towards(points[-1], points[-2], TIP)
    aside = (TIP * 0.8, 0) if back[0] == across else (0, TIP * 0.8)
    yield "M", [(back[0] - aside[0], back[1] - aside[1])]
    yield "L", [(across, down)]
    yield "L", [(back[0] + aside[0], back[1] + aside[1])]


def _distance(one: Point, other: Point) -> float:
    return abs(one[0] - other[0]) + abs(one[1] - other[1])


def _towards(one: Point, other: Point, step: float) -> Point:
    """The point so far from one on the way to another."""
    whole = _distance(one, other) or 1
    return one[0] + (other[0] - one[0]) * step / whole, one[1] + (other[1] - one[1]) * step / whole
