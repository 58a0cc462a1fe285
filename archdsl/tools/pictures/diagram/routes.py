"""The ways of connections past the boxes: out of one to the right, through gutters between columns, into another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from archdsl.tools.pictures.diagram.contents import Edge
from archdsl.tools.pictures.diagram.places import Grid

_CLEAR, _STEP, _APART = 9.0, 7.0, 5.0  # from boxes; between heights that are tried; between lines
_STAGE_NAME = 14.0  # above the first box of a stage


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


def routes_of(grid: Grid, spans: Sequence[Span], reserved: Sequence[Span]) -> list[Route]:
    """A route for every connection. None crosses a column at the height that is `reserved` there."""
    columns = [grid.column(number) for number in range(grid.columns)]
    neighbours = {pair for column in columns for each in pairwise(column) for pair in (each, each[::-1])}
    finding = _Finding(grid, spans, columns, reserved)
    direct = [edge for edge in grid.contents.edges if edge in neighbours]
    others = sorted([edge for edge in grid.contents.edges if edge not in neighbours], key=finding.difficulty)
    straight = [Route(*edge, spans[edge[0]].middle, spans[edge[1]].middle, is_direct=True) for edge in direct]
    return [*straight, *map(finding.route, others)]


@dataclass
class _Finding:
    grid: Grid
    spans: Sequence[Span]
    columns: Sequence[Sequence[int]]
    reserved: Sequence[Span]
    crossings: list[tuple[int, float, int]] = field(default_factory=list)  # column, height, source
    ports: dict[tuple[int, bool], list[float]] = field(default_factory=dict)  # of each side of a box, those in use

    def difficulty(self, edge: Edge) -> tuple[float, float]:
        """How many columns it crosses, how far it climbs."""
        first, last = (self.grid.places[each].column for each in edge)
        return last - first, abs(self.spans[edge[1]].middle - self.spans[edge[0]].middle)

    def route(self, edge: Edge) -> Route:
        source, target = edge
        first, last = self.grid.places[source].column, self.grid.places[target].column
        begin = self.spans[source].middle
        if first == last:
            self.ports.setdefault((target, True), 2 * [self.spans[target].middle])  # where its own lines begin
            end = self._port(target, source, begin, is_bracket=True)
            return Route(source, target, begin, end, ((first, begin, end),), is_bracket=True)
        if last - first == 1:
            end = self._port(target, source, begin)
            return Route(source, target, begin, end, ((first, begin, end),))
        height = self._crossing(range(first + 1, last), source, begin, self.spans[target])
        end = self._port(target, source, height)
        return Route(source, target, begin, end, ((first, begin, height), (last - 1, height, end)))

    def _port(self, target: int, source: int, height: float, is_bracket: bool = False) -> float:
        """Where a line enters a box: as straight as can be, apart from others, and not where another box's begins."""
        span = self.spans[target]
        column = self.grid.places[target].column
        used = self.ports.setdefault((target, is_bracket), [])
        beside = self.columns[column if is_bracket else column - 1]
        taken = [self.spans[each].middle for each in beside if each not in (source, target)]
        half = span.height / 2 - 4.5
        steps = [step * _STEP / 2 for step in range(-8, 9)]
        places = [span.middle + step for step in steps if abs(step) <= half]
        places += [height] if abs(height - span.middle) <= half else []

        def cost(place: float) -> tuple[float, float]:
            crowded = sum([abs(place - each) < _APART + 1 for each in used])
            hit = place != height and any(abs(place - each) < _APART for each in taken)
            bend = 0 if place == height else 1 + abs(place - span.middle) + 0.01 * abs(place - height)
            return crowded * 2 + hit, bend

        best = min(places, key=cost)
        used.append(best)
        return best

    def _taken(self, column: Sequence[int]) -> Iterator[Span]:
        """Where the boxes of a column are, with the names of stages above them."""
        stages = [self.grid.contents.boxes[each].stage for each in column]
        for each, stage, before in zip(column, stages, ["", *stages], strict=False):
            top, bottom = self.spans[each]
            yield Span(top - _STAGE_NAME if stage and stage != before else top, bottom)

    def _crossing(self, columns: range, source: int, begin: float, target: Span) -> float:
        """The height at which columns are crossed, clear of their boxes and of the lines of other boxes."""
        boxes = [span for number in columns for span in self._taken(self.columns[number])]
        boxes += [self.reserved[number] for number in columns]
        beside = [_CLEAR + 0.1 + step * _STEP for step in range(5)]
        around = [each for box in boxes for step in beside for each in (box.top - step, box.bottom + step)]
        tried = [begin, *[target.middle + step * _STEP / 2 for step in range(-3, 4)], *around]
        taken = [height for column, height, owner in self.crossings if column in columns and owner != source]

        def is_free(height: float) -> bool:
            if any(box.top - _CLEAR < height < box.bottom + _CLEAR for box in boxes):
                return False
            return all(abs(height - each) >= _APART for each in taken)

        free = [each for each in tried if is_free(each)] or [max(box.bottom for box in boxes) + _CLEAR]
        best = min(free, key=lambda each: abs(each - begin) + abs(each - target.middle) - (2 if each == begin else 0))
        self.crossings += [(column, best, source) for column in columns]
        return best
