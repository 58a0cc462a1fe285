"""The variants of a space that are within its bounds, by adding tables: a hundred million in seconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archdsl.tools.search.space import Bound
from archdsl.tools.search.tables import Table, Tables

_BLOCK = 2**20  # variants added at once: what fits into the caches is faster

Values = NDArray[Any]


class Sums:
    """The figures of all variants: their tables, added. A block has all values of the last choices."""

    def __init__(self, counts: Sequence[int], tables: Tables, bounds: Sequence[Bound]):
        self.counts, self.tables, self.bounds = tuple(counts), tables, bounds
        self.split = next(split for split in range(len(counts) + 1) if prod(counts[split:]) <= _BLOCK)
        self.block = prod(counts[self.split :])
        self._inner = {figure: [self._of_inner(tables) for tables in sums] for figure, sums in tables.items()}

    def within(self, begin: int, end: int) -> Iterator[NDArray[np.int64]]:
        """The numbers of the variants within the bounds, in order; `begin` and `end` are multiples of `block`."""
        for first in range(begin, end, self.block):
            outer = np.unravel_index(first // self.block, self.counts[: self.split]) if self.split else ()
            fits = self._fits(tuple(map(int, outer)))
            yield first + np.flatnonzero(fits)

    def figures(self, numbers: NDArray[np.int64]) -> Mapping[str, Values]:
        """All figures of some variants."""
        digits = np.unravel_index(numbers, self.counts)
        return {figure: self._looked_up(sums, digits) for figure, sums in self.tables.items()}

    def _looked_up(self, sums: Sequence[Sequence[Table]], digits: Sequence[NDArray[np.intp]]) -> Values:
        values: Any = None
        for tables in sums:
            found = sum([table.values[tuple([digits[each] for each in table.positions])] for table in tables])
            values = found if values is None else np.maximum(values, found)
        return np.broadcast_to(0 if values is None else values, digits[0].shape)

    def _fits(self, outer: tuple[int, ...]) -> NDArray[np.bool_]:
        fits: Any = True
        for figure, least, most in self.bounds:
            values = self._figure(figure, outer)
            fits = fits & (values >= least) if np.isfinite(least) else fits & (values == values)
            fits = fits & (values <= most) if np.isfinite(most) else fits
        return np.broadcast_to(fits, self.counts[self.split :]).reshape(-1)

    def _figure(self, figure: str, outer: tuple[int, ...]) -> Values:
        """A figure of a block, with an axis of length 1 for each choice that it does not depend on."""
        values: Any = 0
        for inner, tables in zip(self._inner[figure], self.tables[figure], strict=True):
            mixed = [table for table in tables if table.positions and table.positions[0] < self.split]
            values = np.maximum(values, _added([*[self._part(table, outer) for table in mixed], inner]))
        return np.asarray(values)

    def _of_inner(self, tables: Sequence[Table]) -> Values:
        """The sum of the tables that are the same for every block."""
        inner = [table for table in tables if not table.positions or table.positions[0] >= self.split]
        return _added([self._part(table, ()) for table in inner])

    def _part(self, table: Table, outer: tuple[int, ...]) -> Values:
        """A table with an axis for each of the last choices."""
        values = table.values[tuple([outer[each] for each in table.positions if each < self.split])]
        own = set(table.positions)
        found: Values = values.reshape([count if each in own else 1 for each, count in self._last()])
        return found

    def _last(self) -> list[tuple[int, int]]:
        return list(enumerate(self.counts))[self.split :]


def _added(parts: Sequence[Values]) -> Values:
    """The sum, the smallest first: few additions are then as large as the result."""
    total: Any = np.int64(0)
    for part in sorted(parts, key=lambda part: part.size):
        total = total + part
    return np.asarray(total)
