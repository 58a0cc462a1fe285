"""How the variants of a space are gone through, in ranges that do not depend on each other: by sums, or compiled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from random import Random
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from archdsl.analysis.report import Report
from archdsl.diagnostics.problems import ArchError
from archdsl.tools.search.figures import is_whole, value_of
from archdsl.tools.search.space import Space
from archdsl.tools.search.sums import Sums
from archdsl.tools.search.tables import Tables
from archdsl.tools.search.variants import Digits, Variants

_COMPILED = 500  # variants in a range: a third of a second, which is what a worker that is killed loses
_ADDED = 2**24
_RANGES = 10_000  # files in a folder


class Rows(NamedTuple):
    """Variants within the bounds: the position of each one's values (rows, choices), and its figures."""

    digits: NDArray[np.int64]
    figures: Mapping[str, NDArray[Any]]


class Way(Protocol):
    """Goes through variants in ranges."""

    @property
    def ranges(self) -> int:
        """How many there are."""

    def rows(self, index: int) -> Rows:
        """The variants of a range that are within the bounds, in order."""


class Added:
    """Every variant, by its tables."""

    def __init__(self, space: Space, tables: Tables):
        self.sums = Sums([choice.count for choice in space.choices], tables, space.bounds)
        self.variants = space.variants
        self.size = self.sums.block * max(1, _ADDED // self.sums.block)

    @property
    def ranges(self) -> int:
        return ceil(self.variants / self.size)

    def rows(self, index: int) -> Rows:
        begin = index * self.size
        found = list(self.sums.within(begin, min(begin + self.size, self.variants)))
        numbers = np.concatenate(found) if found else np.empty(0, np.int64)
        return Rows(np.stack(np.unravel_index(numbers, self.sums.counts), axis=1), self.sums.figures(numbers))


class Compiled:
    """Every variant, or those with some numbers, by the compiler. Leaves out what does not compile."""

    def __init__(self, space: Space, figures: Sequence[str], numbers: Sequence[int] | None = None):
        self.variants, self.figures = Variants(space), figures
        self.numbers: Sequence[int] = range(space.variants) if numbers is None else numbers
        self.size = max(_COMPILED, ceil(len(self.numbers) / _RANGES))

    @property
    def ranges(self) -> int:
        return ceil(len(self.numbers) / self.size)

    def rows(self, index: int) -> Rows:
        kept: list[Digits] = []
        values: list[list[float]] = []
        for number in self.numbers[index * self.size : (index + 1) * self.size]:
            digits = self.variants.digits(number)
            try:
                report = self.variants.report(digits)
            except ArchError:  # values that do not fit together
                continue
            if self._fits(report):
                kept.append(digits)
                values.append([self._value(figure, report) for figure in self.figures])
        kinds = [np.int64 if is_whole(figure) else np.float64 for figure in self.figures]
        columns = list(zip(*values, strict=True)) or [()] * len(self.figures)
        return Rows(
            np.array(kept, np.int64).reshape(-1, len(self.variants.counts)),
            {name: np.array(column, kind) for name, column, kind in zip(self.figures, columns, kinds, strict=True)},
        )

    def _value(self, figure: str, report: Report) -> float:
        return value_of(figure, report, self.variants.space.machine)

    def _fits(self, report: Report) -> bool:
        return all(each.least <= self._value(each.figure, report) <= each.most for each in self.variants.space.bounds)


def sampled(space: Space, count: int, seed: int = 0) -> list[int]:
    """Numbers of variants at random, each once, in order; all where there are not so many."""
    random, found = Random(seed), set[int]()
    if count > space.variants // 2:
        return sorted(random.sample(range(space.variants), min(count, space.variants)))
    while len(found) < count:
        found.add(random.randrange(space.variants))
    return sorted(found)
