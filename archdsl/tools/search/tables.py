"""The terms of a space's figures as tables over the few choices that each depends on, learned from analyses.

What a layer costs depends on its own choices and on what it gets. Which those are is not read off the config: each
choice is changed alone, from several variants, and what changes with it depends on it. Then every combination of the
choices of a term is analysed once, in variants whose other choices are random, together with variants at random.
Where two analyses disagree about an entry of a table, another choice matters: going from one of them to the other,
choice by choice, finds it. At the end all analyses agree, among them fresh ones at random.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from math import prod
from random import Random
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from archdsl.diagnostics.problems import ArchError
from archdsl.tools.search.figures import Term, Terms, is_whole, terms_of
from archdsl.tools.search.variants import Digits, Variants

MOST_ANALYSES = 50_000
FRESH = 200
"""Variants at random that the tables must give exactly."""
_FROM = 4  # variants from which each choice is changed alone
_SEED = 0


class Entangled(Exception):
    """The figures are not sums of tables that can be filled; its text says why."""


class Table(NamedTuple):
    """Values for every combination of some choices, which are given by their positions; an axis for each."""

    positions: tuple[int, ...]
    values: NDArray[Any]


Tables = Mapping[str, Sequence[Sequence[Table]]]
"""The sums of each figure, each with its tables; a figure is the largest of its sums."""


class Learned(NamedTuple):
    """The tables of all figures, and how many analyses they took."""

    tables: Tables
    analyses: int


def learn(
    variants: Variants,
    figures: Sequence[str],
    most: int = MOST_ANALYSES,
    told: Callable[[int, int], None] = lambda done, needed: None,
) -> Learned:
    """The tables of a space; `told` hears how many analyses are done, and how many are needed as far as is known.

    Raises Entangled where a term depends on so many choices that more than `most` analyses would be needed, and where
    variants do not compile.
    """
    learner = _Learner(variants, figures, most, told)
    learner.settle()
    return Learned(learner.tables(), len(learner.seen))


class _Learner:
    def __init__(self, variants: Variants, figures: Sequence[str], most: int, told: Callable[[int, int], None]):
        self.variants, self.figures, self.most, self.told = variants, figures, most, told
        self.random = Random(_SEED)
        self.seen: dict[Digits, Terms] = {}
        self.support: dict[Term, set[int]] = {}
        if any(choice.is_interval for choice in variants.space.choices):
            raise Entangled("an interval has no end of values")

    def settle(self) -> None:
        """Find what each term depends on, until all analyses agree."""
        for changed, before, after in self._changes():
            for term in _different(self.see(before), self.see(after)):
                self.support.setdefault(term, set()).add(changed)
        while True:
            rows = self._rows()
            needed = len(self.seen) + len(rows) + FRESH
            for digits in [*rows, *[self._any() for _ in range(FRESH)]]:
                self.see(digits)
                self.told(len(self.seen), needed)
            if not self._refined():
                return

    def see(self, digits: Digits) -> Terms:
        """The terms of a variant."""
        if digits not in self.seen:
            try:
                self.seen[digits] = terms_of(self.figures, self.variants.report(digits), self.variants.space.machine)
            except ArchError as error:
                overrides = " ".join(self.variants.overrides(digits))
                raise Entangled(f"some variants do not compile: {overrides}: {error.problems[0].message}") from None
            for term in self.seen[digits]:
                self.support.setdefault(term, set())
        return self.seen[digits]

    def _any(self) -> Digits:
        return tuple([self.random.randrange(count) for count in self.variants.counts])

    def _changes(self) -> Iterator[tuple[int, Digits, Digits]]:
        """Every choice changed alone, to any other value, from several variants."""
        for _ in range(_FROM):
            before = self._any()
            for position, count in enumerate(self.variants.counts):
                if count > 1:
                    other = (before[position] + self.random.randrange(1, count)) % count
                    yield position, before, (*before[:position], other, *before[position + 1 :])

    def _rows(self) -> list[Digits]:
        """Few variants that have every combination of the choices that a term depends on."""
        counts = self.variants.counts
        needed = _largest({frozenset(positions) for positions in self.support.values()})
        combinations = [prod([counts[position] for position in positions]) for positions in needed]
        if max(combinations, default=0) > self.most:
            widest = max(needed, key=lambda positions: prod([counts[position] for position in positions]))
            keys = ", ".join([self.variants.space.choices[position].key for position in sorted(widest)])
            raise Entangled(f"a layer depends on {keys} at once, which have {max(combinations):,} combinations")
        rows = _packed([sorted(positions) for positions in needed], counts)
        if len(rows) > self.most:
            raise Entangled(f"the tables need {len(rows):,} analyses")
        return [tuple([row.get(position, digit) for position, digit in enumerate(self._any())]) for row in rows]

    def _refined(self) -> bool:
        """Whether a term depends on more choices than was known, as two analyses show."""
        found = False
        for term, positions in list(self.support.items()):
            own = sorted(positions)
            entries: dict[Digits, Digits] = {}
            for digits in list(self.seen):
                other = entries.setdefault(tuple([digits[position] for position in own]), digits)
                if not _same(self.seen[digits].get(term, 0), self.seen[other].get(term, 0)):
                    positions.add(self._changing(term, other, digits))
                    found = True
                    break
        return found

    def _changing(self, term: Term, begin: Digits, end: Digits) -> int:
        """The first choice on the way from one variant to another that changes a term."""
        value, digits = self.see(begin).get(term, 0), begin
        for position in range(len(begin)):
            digits = (*digits[:position], end[position], *digits[position + 1 :])
            if not _same(self.see(digits).get(term, 0), value):
                return position
        raise AssertionError("the analysis of a variant is not the same each time")

    def tables(self) -> Tables:
        """What was found: terms of a sum that depend on the same choices are one table."""
        made: dict[str, dict[str, dict[tuple[int, ...], NDArray[Any]]]] = {figure: {} for figure in self.figures}
        for term, positions in self.support.items():
            own = tuple(sorted(positions))
            shape = [self.variants.counts[position] for position in own]
            kind = np.int64 if is_whole(term.figure) else np.float64
            values = np.zeros(shape, kind)
            for digits, terms in self.seen.items():
                values[tuple([digits[position] for position in own])] = terms.get(term, 0)
            tables = made[term.figure].setdefault(term.sum, {})
            tables[own] = tables[own] + values if own in tables else values
        return {
            figure: [[Table(*each) for each in tables.items()] for tables in sums.values()]
            for figure, sums in made.items()
        }


def _different(one: Terms, other: Terms) -> Iterator[Term]:
    """The terms that two variants have with other values; one that is missing is 0."""
    for term in {**one, **other}:
        if not _same(one.get(term, 0), other.get(term, 0)):
            yield term


def _same(one: float, other: float) -> bool:
    return one == other or (one != one and other != other)  # not a number is itself too


def _largest(sets: Iterable[frozenset[int]]) -> list[frozenset[int]]:
    """Those that are in no other, the largest first."""
    kept: list[frozenset[int]] = []
    for each in sorted(sets, key=lambda each: (-len(each), sorted(each))):
        if not any(each <= other for other in kept):
            kept.append(each)
    return kept


def _packed(needed: Sequence[Sequence[int]], counts: Sequence[int]) -> list[dict[int, int]]:
    """Rows of positions and digits that hold every combination of each of some positions, few of them.

    A combination goes into a row that has the same digits where it has any of those positions, and room for the rest.
    """
    rows: list[dict[int, int]] = []
    for positions in sorted(needed, key=lambda each: -prod([counts[position] for position in each])):
        room: dict[tuple[tuple[int, int], ...], list[dict[int, int]]] = {}
        for row in rows:
            shared = tuple([(position, row[position]) for position in positions if position in row])
            room.setdefault(shared, []).append(row)
        kinds = {tuple([position for position, _ in shared]) for shared in room}
        for digits in product(*[range(counts[position]) for position in positions]):
            wanted = dict(zip(positions, digits, strict=True))
            keys = (tuple([(position, wanted[position]) for position in kind]) for kind in kinds)
            found = next((room[key] for key in keys if room.get(key)), None)
            row = found.pop() if found else {}
            if not found and not row:
                rows.append(row)
            row.update(wanted)
    return rows
