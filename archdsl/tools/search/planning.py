"""Which way to go through a space, and how long each takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from archdsl.diagnostics.problems import ArchError
from archdsl.tools.search.figures import ALWAYS, value_of
from archdsl.tools.search.space import Space
from archdsl.tools.search.tables import Entangled, learn
from archdsl.tools.search.variants import Variants
from archdsl.tools.search.ways import Added, Compiled, Way, sampled

_TRIED = 50
_ADDED_A_SECOND = 2e7  # variants, about


class Plan(NamedTuple):
    """The way that is gone, what the results depend on beside the space, and lines for the user."""

    way: Way
    kind: str
    lines: list[str]


def plan(space: Space, compiles_all: bool, sample: int | None, seed: int, told: Callable[[str], None]) -> Plan:
    """Sums where the space allows it, else the compiler; the compiler for all, or a sample, where that is asked for.

    Raises ArchError for values that no network takes.
    """
    variants = Variants(space)
    variants.check()
    figures = list(dict.fromkeys([*ALWAYS, *space.figures]))
    factors = " × ".join([f"{choice.key} {choice.count:,}" for choice in space.choices])
    lines = [f"{len(variants):,} variants: {factors}"]
    rate = _rate(variants, figures)
    if sample is not None:
        numbers = sampled(space, sample, seed)
        lines.append(f"a sample of {len(numbers):,}, compiled: {duration(len(numbers) / rate)} on one core")
        return Plan(Compiled(space, figures, numbers), f"sample {sample} {seed}", lines)
    if not compiles_all:
        try:
            learned = learn(variants, figures, told=lambda done, needed: told(f"{done:,} of {needed:,} analyses"))
            taken = duration(len(variants) / _ADDED_A_SECOND)
            lines.append(f"exact sums of tables from {learned.analyses:,} analyses: about {taken}")
            lines.append(f"(compiled, with --all: {duration(len(variants) / rate)} on one core)")
            return Plan(Added(space, learned.tables), "sums", lines)
        except Entangled as reason:
            lines.append(f"not as sums of tables: {reason}")
    lines.append(f"compiled, each of them: {duration(len(variants) / rate)} on one core")
    return Plan(Compiled(space, figures), "all", lines)


def _rate(variants: Variants, figures: list[str]) -> float:
    """Variants a second that are compiled, in a row."""
    begun, tried = time.perf_counter(), min(_TRIED, len(variants))
    for number in range(tried):
        with suppress(ArchError):  # values that do not fit together
            report = variants.report(variants.digits(number))
            for figure in figures:
                value_of(figure, report, variants.space.machine)
    return tried / (time.perf_counter() - begun)


def duration(seconds: float) -> str:
    """`3 s`, `4 min`, `2.5 h`, `3 days`."""
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.3g} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
