"""Times of several calls, measured in turns A B A B, so that what else the machine does falls on all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import ceil
from statistics import median
from typing import NamedTuple, TypeAlias

Timed: TypeAlias = Callable[[int], Sequence[float]]
"""Makes a number of calls, and gives the seconds of each."""

TURN_SECONDS = 0.1  # that a turn takes at least: of short calls there are several
MOST_CALLS = 1000
WARM_UP_CALLS = 3


class Times(NamedTuple):
    """Seconds of every call, round by round."""

    rounds: tuple[tuple[float, ...], ...]

    @property
    def all(self) -> list[float]:
        return [seconds for turn in self.rounds for seconds in turn]

    @property
    def minimum(self) -> float:
        return min(self.all)

    @property
    def median(self) -> float:
        return median(self.all)

    @property
    def p90(self) -> float:
        return quantile(self.all, 0.9)


class Ratio(NamedTuple):
    """The median over all rounds of one's time as a part of another's in the same round, and where 8 of 10 lie."""

    median: float
    low: float
    high: float


def ratio(times: Times, base: Times) -> Ratio:
    paired = [median(own) / median(other) for own, other in zip(times.rounds, base.rounds, strict=True)]
    return Ratio(median(paired), quantile(paired, 0.1), quantile(paired, 0.9))


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of them does not exceed, between neighbours in proportion."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def timed(call: Callable[[], object], count: int, clock: Callable[[], float]) -> Iterator[float]:
    """Seconds of `count` calls, after one that does not count: what ran in between has left nothing in the caches."""
    call()
    for _ in range(count):
        begin = clock()
        call()
        yield clock() - begin


def measured(calls: Sequence[Timed], rounds: int, tell: Callable[[int], None] = lambda number: None) -> list[Times]:
    """The times of each. `tell` is called with the number of each round, from 1, as it begins."""
    counts = [_calls_in_a_turn(min(call(WARM_UP_CALLS))) for call in calls]
    turns: list[list[tuple[float, ...]]] = [[] for _ in calls]
    for number in range(rounds):
        tell(number + 1)
        for call, count, own in zip(calls, counts, turns, strict=True):
            own.append(tuple(call(count)))
    return [Times(tuple(own)) for own in turns]


def _calls_in_a_turn(seconds: float) -> int:
    return max(1, min(MOST_CALLS, ceil(TURN_SECONDS / max(seconds, 1e-9))))
