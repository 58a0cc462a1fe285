"""How high everything stands: rows below each other, in them the boxes of each column, level with what they read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

from archdsl.tools.pictures.diagram.contents import Box
from archdsl.tools.pictures.diagram.places import Grid
from archdsl.tools.pictures.diagram.routes import Span

SLIM, FULL = 24.0, 50.0  # boxes
GAP, ROW_GAP = 16.0, 28.0  # between boxes and between rows
STAGE_TOP, STAGE_PAD = 18.0, 9.0  # from a stage's frame to its boxes
BELOW = 62.0  # more than ROW_GAP, before a lane that begins below another
_SLACK = 44.0  # that a row may grow so that a line can be straight


class Heights(NamedTuple):
    """Of each box and of each row."""

    boxes: list[Span]
    rows: list[Span]


def heights_of(grid: Grid, top: float) -> Heights:
    """The heights when the first row begins at `top`."""
    found = Heights([Span(0, 0)] * len(grid.places), [])
    for number, stride in enumerate(grid.strides):
        row = _Row(grid, number)
        row.fill()
        top += BELOW if stride is None else 0
        for index, span in row.spans.items():
            found.boxes[index] = Span(span.top - row.top + top, span.bottom - row.top + top)
        found.rows.append(Span(top, top + row.bottom - row.top))
        top = found.rows[-1].bottom + ROW_GAP
    return found


@dataclass
class _Row:
    """The boxes of a row, from the top of its first cell."""

    grid: Grid
    number: int
    spans: dict[int, Span] = field(default_factory=dict)
    top: float = 0
    bottom: float = 0

    def fill(self) -> None:
        for column in range(self.grid.columns):
            cell = [index for index in self.grid.column(column) if self.grid.places[index].row == self.number]
            if cell:
                self._add(dict(zip(cell, _stack([self.grid.contents.boxes[each] for each in cell]), strict=True)))

    def _add(self, cell: dict[int, Span]) -> None:
        boxes = [self.grid.contents.boxes[each] for each in cell]
        begin = -STAGE_TOP if boxes[0].stage else 0
        end = max(span.bottom for span in cell.values()) + (STAGE_PAD if boxes[-1].stage else 0)
        shift = self._shift(cell, begin, end) if self.spans else -begin
        self.spans.update({index: Span(span.top + shift, span.bottom + shift) for index, span in cell.items()})
        self.top, self.bottom = min(self.top, begin + shift), max(self.bottom, end + shift)

    def _shift(self, cell: dict[int, Span], begin: float, end: float) -> float:
        """So that the first line from a box to the left is straight, where the row does not grow too much."""
        centred = (self.top + self.bottom - begin - end) / 2
        lines = [edge for edge in self.grid.contents.edges if edge[0] in self.spans and edge[1] in cell]
        if not lines:
            return centred
        source, target = max(lines, key=lambda edge: (self.grid.places[edge[0]].column, -edge[1]))
        wanted = self.spans[source].middle - cell[target].middle
        least, most = self.top - _SLACK - begin, self.bottom + _SLACK - end
        return max(least, min(most, wanted)) if least <= most else centred


def _stack(boxes: Sequence[Box]) -> list[Span]:
    """Boxes one above the other, with room for the frames of stages between them."""
    spans: list[Span] = []
    down = 0.0
    for stage, own in groupby(boxes, key=lambda box: box.stage):
        down += STAGE_TOP if stage and spans else 0
        for box in own:
            spans.append(Span(down, down + (SLIM if box.is_slim else FULL)))
            down = spans[-1].bottom + GAP
        down += STAGE_PAD if stage else 0
    return spans
