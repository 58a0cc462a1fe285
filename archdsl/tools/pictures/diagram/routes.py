"""The ways of connections past the boxes: to the right out of one, through the gutters between columns, into another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from archdsl.tools.pictures.diagram.contents import Contents, Edge
from archdsl.tools.pictures.diagram.places import Grid

_CLEAR, _STEP, _APART = 9.0, 7.0, 5.0  # from boxes; between places that are tried; between lines


class Span(NamedTuple):
    """From where to where something goes, from the top."""

    top: float
    bottom: float

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


class Route(NamedTuple):
    """The way from a box to another. In each gutter of `turns` it comes in at one height, and leaves at another.

    A gutter has the number of the column to its left. A direct one goes straight to the next box of its column, a
    bracket returns to its own column.
    """

    source: int
    target: int
    begin: float
    end: float
    turns: tuple[tuple[int, float, float], ...] = ()
    is_direct: bool = False
    is_bracket: bool = False


def routes_of(contents: Contents, grid: Grid, spans: Sequence[Span]) -> list[Route]:
    """A route for every connection."""
    columns = [grid.column(number) for number in range(grid.columns)]
    neighbours = {pair for column in columns for each in zip(column, column[1:]) for pair in (each, each[::-1])}
    finding = _Finding(grid, spans, columns)
    direct = [edge for edge in contents.edges if edge in neighbours]
    others = [edge for edge in contents.edges if edge not in neighbours]
    others.sort(key=lambda edge: (grid.places[edge[1]].column - grid.places[edge[0]].column, abs(finding.climb(edge))))
    straight = [Route(*edge, spans[edge[0]].middle, spans[edge[1]].middle, is_direct=True) for edge in direct]
    return [*straight, *[finding.route(edge) for edge in others]]


@dataclass
class _Finding:
    grid: Grid
    spans: Sequence[Span]
    columns: Sequence[Sequence[int]]
    crossings: list[tuple[int, float, int]] = field(default_factory=list)  # column, height, source
    ports: dict[int, list[float]] = field(default_factory=dict)  # of each box on its left, those in use

    def climb(self, edge: Edge) -> float:
        return self.spans[edge[1]].middle - self.spans[edge[0]].middle

    def route(self, edge: Edge) -> Route:
        source, target = edge
        first, last = self.grid.places[source].column, self.grid.places[target].column
        begin = self.spans[source].middle
        if first == last:
            end = self.spans[target].middle - _STEP
            return Route(source, target, begin, end, ((first, begin, end),), is_bracket=True)
        if last - first == 1:
            end = self._port(target, source, begin)
            return Route(source, target, begin, end, ((first, begin, end),))
        height = self._crossing(range(first + 1, last), source, begin, self.spans[target])
        end = self._port(target, source, height)
        return Route(source, target, begin, end, ((first, begin, height), (last - 1, height, end)))

    def _port(self, target: int, source: int, height: float) -> float:
        """Where a line enters a box: as straight as can be, apart from others, and not where another box sends its own."""
        span = self.spans[target]
        column = self.grid.places[target].column
        used = self.ports.setdefault(target, [])
        taken = [self.spans[each].middle for each in self.columns[column - 1] if each != source]
        half = span.height / 2 - 7
        places = [span.middle + step * _STEP / 2 for step in range(-8, 9) if abs(step) * _STEP / 2 <= half]
        places += [height] if abs(height - span.middle) <= half else []

        def cost(place: float) -> tuple[float, float]:
            crowded = sum([abs(place - each) < _APART + 1 for each in used])
            hit = sum([abs(place - each) < _APART for each in taken]) if place != height else 0
            return crowded * 2 + hit, 0 if place == height else 1 + abs(place - span.middle) + 0.01 * abs(
                place - height
            )

        best = min(places, key=cost)
        used.append(best)
        return best

    def _crossing(self, columns: range, source: int, begin: float, target: Span) -> float:
        """The height at which columns are crossed, clear of their boxes and of the lines of other boxes."""
        boxes = [self.spans[each] for number in columns for each in self.columns[number]]
        around = [
            edge + sign * (_CLEAR + 0.1 + step * _STEP)
            for box in boxes
            for edge, sign in zip(box, (-1, 1), strict=True)
            for step in range(4)
        ]
        tried = [begin, target.middle, *[target.middle + step * _STEP / 2 for step in range(-3, 4)], *around]
        taken = [height for column, height, owner in self.crossings if column in columns and owner != source]

        def is_free(height: float) -> bool:
            if any(box.top - _CLEAR < height < box.bottom + _CLEAR for box in boxes):
                return False
            return all(abs(height - each) >= _APART for each in taken)

        free = [each for each in tried if is_free(each)] or [max(box.bottom for box in boxes) + _CLEAR]
        best = min(free, key=lambda each: abs(each - begin) + abs(each - target.middle) - (2 if each == begin else 0))
        self.crossings += [(column, best, source) for column in columns]
        return best
