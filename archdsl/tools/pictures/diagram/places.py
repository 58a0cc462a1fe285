"""Where boxes stand: in rows of equal map sizes and in columns, one flow down or up a column.

A backbone goes down the first column, a top-down path up the next, a bottom-up path down another: so pyramids look as
papers draw them, a U-Net is a U, and a classifier is one column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from archdsl.frontend.sections import STAGES
from archdsl.ir.types import FeatureMap, Vector
from archdsl.tools.pictures.diagram.contents import Box, Contents

_BELOW = 1e9  # rows without a stride


class Place(NamedTuple):
    """A column, counted from the left, a row, counted from the top, and the `order` in that cell from the top."""

    column: int
    row: int
    order: int


@dataclass
class Grid:
    """The place of each box; the first column of each section; the stride of each row, None for what has no map."""

    contents: Contents
    places: list[Place]
    lanes: dict[str, int]
    strides: list[float | None]

    @property
    def columns(self) -> int:
        return 1 + max(place.column for place in self.places)

    @property
    def placed(self) -> list[tuple[Box, Place]]:
        return list(zip(self.contents.boxes, self.places, strict=True))

    def column(self, number: int) -> list[int]:
        """The boxes in a column, from the top."""
        inside = [(place[1:], index) for index, place in enumerate(self.places) if place.column == number]
        return [index for _, index in sorted(inside)]


def grid_of(contents: Contents) -> Grid:
    """A place for every box."""
    placing = _Placing(contents)
    for index, box in enumerate(contents.boxes):
        placing.place(index, box)
    return placing.grid()


@dataclass
class _Placing:
    contents: Contents
    found: list[tuple[int, float]] = field(default_factory=list)  # the column and the stride of each box
    lanes: dict[str, int] = field(default_factory=dict)
    ways: dict[tuple[int, float], int] = field(default_factory=dict)  # of columns in rows: 1 down, -1 up
    rows: set[float] = field(default_factory=set)
    begun: dict[str, int] = field(default_factory=dict)  # the columns of stages
    spanning: set[int] = field(default_factory=set)  # boxes that gather what several rows have

    def __post_init__(self) -> None:
        self.sources: list[list[int]] = [[] for _ in self.contents.boxes]
        for source, target in self.contents.edges:
            self.sources[target].append(source)
        self.stages = {box.stage: box.type.stride for box in self.contents.boxes if box.stage and _has_sides(box)}

    def place(self, index: int, box: Box) -> None:
        """After those that it reads."""
        base = self.lanes.setdefault(box.section, 1 + max([column for column, _ in self.found], default=-1))
        read = sorted({self.found[each][1] for each in self.sources[index]})
        row = self._row(box, read)
        self.rows.add(row)
        inside = [each for each in self.sources[index] if self.found[each][0] >= base]
        column = max([self.found[each][0] for each in inside], default=base)
        near = [each for each in inside if self.found[each][0] == column]
        before = {self.found[each][1] for each in near} - {row}
        if _spans(box, read):
            self.spanning.add(index)
        is_aside = (bool(before) and index in self.spanning) or not self.spanning.isdisjoint(near)
        if box.stage in self.begun:  # a stage stays together
            column = max(column, self.begun[box.stage])
        elif is_aside or (before and not self._flows(column, before, row)):
            column += 1
        if box.stage:
            self.begun[box.stage] = column
        self.found.append((column, row))

    def _flows(self, column: int, before: set[float], row: float) -> bool:
        """Whether a column, where it already has a way, goes from other rows to this one; then it does from now on."""
        ways = {
            (column, each): 1 if row > start else -1
            for start in before
            for each in {*self.rows, row}
            if min(start, row) <= each <= max(start, row)
        }
        if len({row > start for start in before}) > 1 or any(self.ways.get(at, way) != way for at, way in ways.items()):
            return False
        self.ways.update(ways)
        return True

    def _row(self, box: Box, read: Sequence[float]) -> float:
        """The stride of its row: that of its stage, or its own; of what has none, the middle of those that it reads."""
        if box.stage in self.stages:
            return self.stages[box.stage]
        if _has_sides(box) and not _spans(box, read):
            return box.type.stride
        return read[len(read) // 2] if read else 1

    def grid(self) -> Grid:
        self._results_beside()
        self._chains_below()
        rows = sorted({row for _, row in self.found})
        places = [Place(0, 0, 0)] * len(self.found)
        for cell in {at: [index for index, each in enumerate(self.found) if each == at] for at in self.found}.values():
            column, row = self.found[cell[0]]
            for order, index in enumerate(sorted(cell, key=self._is_from_here)):
                places[index] = Place(column, rows.index(row), order * self.ways.get((column, row), 1))
        return Grid(self.contents, places, self.lanes, [None if row >= _BELOW else row for row in rows])

    def _is_from_here(self, index: int) -> bool:
        """Whether it is not the one through which a flow comes into its cell; that stands first."""
        column, row = self.found[index]
        found = [self.found[source] for source in self.sources[index]]
        return (column, row) in found or not [each for each in found if each[0] == column]

    def _results_beside(self) -> None:
        """A path through maps of several sizes that is one column and has results on its way: these stand beside it."""
        for section, column in list(self.lanes.items()):
            own = {index for index, box in enumerate(self.contents.boxes) if box.section == section}
            if section == STAGES.name or {self.found[index][0] for index in own} != {column}:
                continue
            inner = [(source, index) for index in own for source in self.sources[index] if source in own]
            going_on = {source for source, index in inner if self.found[source] != self.found[index]}
            level = [(source, index) for source, index in inner if self.found[source] == self.found[index]]
            ends = {index for _, index in level}.difference([source for source, _ in inner])
            if any(source in going_on and index in ends for source, index in level):
                self._move(column, ends)

    def _move(self, column: int, boxes: set[int]) -> None:
        """A column further to the right, as is all that follows."""
        for index, (before, row) in enumerate(self.found):
            if before > column or index in boxes:
                self.found[index] = before + 1, row
        self.ways = {(each + (each > column), row): way for (each, row), way in self.ways.items()}
        self.lanes = {section: each + (each > column) for section, each in self.lanes.items()}

    def _chains_below(self) -> None:
        """What follows a single column, and is a chain, such as a classifier's head, goes on below it."""
        boxes, found = self.contents.boxes, self.found
        for section in self.lanes:
            own = [index for index, box in enumerate(boxes) if box.section == section]
            is_first = not found[own[0]][0]
            if len({found[each][0] for each in own}) > 1 or (
                not is_first and len({found[each][1] for each in own}) > 1
            ):
                return
        for number, section in enumerate(self.lanes):
            self.lanes[section] = 0
            for index, box in enumerate(boxes):
                if number and box.section == section:
                    found[index] = (0, _BELOW + number)


def _has_sides(box: Box) -> bool:
    return not isinstance(box.type, Vector)


def _spans(box: Box, read: Sequence[float]) -> bool:
    """Whether it gathers what several rows have: more than two, or in something that is not a map."""
    return len(read) > (2 if isinstance(box.type, FeatureMap) else 1) and not box.stage
