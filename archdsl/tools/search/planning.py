"""Which way to go through a space, and how long each takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from archdsl.diagnostics.problems import ArchError, fail
from archdsl.tools.search.figures import ALWAYS, value_of
from archdsl.tools.search.tables import MOST_ANALYSES, Entangled, learn
from archdsl.tools.search.variants import Variants
from archdsl.tools.search.ways import Added, Compiled, Way, sampled

MOST = 10**15
_COUNTED = 10**300  # variants; no float has many more
_TRIED = 50
_FEW = 2_000  # analyses
_ADDED_A_SECOND = 2e7  # variants, about


class Plan(NamedTuple):
    """The way that is gone, and what the results depend on beside the space."""

    way: Way
    kind: str


def plan(
    variants: Variants,
    compiles_all: bool,
    sample: int | None,
    seed: int,
    say: Callable[[str], object],
    told: Callable[[str], None],
) -> Plan:
    """Sums where the space allows it, else the compiler; the compiler for all, or a sample, where that is asked for.

    `say` gets lines for the user as they are known, `told` how far the analyses for the sums are. The variants
    are checked already.
    """
    space = variants.space
    say(f"{space.variants:,} variants: {' × '.join([f'{each.key} {each.count:,}' for each in space.choices])}")
    figures = list(dict.fromkeys([*ALWAYS, *space.figures]))
    rate = _rate(variants, figures, say)
    compiled = f"{duration(min(space.variants, _COUNTED) / rate)} on one core"
    if sample is not None:
        numbers = sampled(space, sample, seed)
        say(f"a sample of {len(numbers):,}, compiled: {duration(len(numbers) / rate)} on one core")
        return Plan(Compiled(space, figures, numbers), f"sample {sample} {seed}")
    if space.variants > MOST:
        raise fail("limit", f"more than {MOST:,} variants", hint="narrow the choices, or look at some: --sample 10000")
    if not compiles_all:
        try:
            say(f"compiled, all of them would take {compiled}")
            most = min(MOST_ANALYSES, max(_FEW, space.variants // 10))  # else compiling is not much slower
            learned = learn(variants, figures, most, lambda done, needed: told(f"{done:,} of {needed:,} analyses"))
            taken = duration(space.variants / _ADDED_A_SECOND)
            say(f"as exact sums of tables, which took {learned.analyses:,} analyses, they take about {taken}")
            return Plan(Added(space, learned.tables), "sums")
        except Entangled as reason:
            say(f"not as sums of tables: {reason}")
    say(f"compiled, each of them: {compiled}")
    return Plan(Compiled(space, figures), "all")


def _rate(variants: Variants, figures: list[str], say: Callable[[str], object]) -> float:
    """Variants a second that are compiled, in a row; it is said where none of them is a network."""
    begun, tried, errors = time.perf_counter(), min(_TRIED, variants.space.variants), list[ArchError]()
    for number in range(tried):
        try:
            report = variants.report(variants.digits(number))
        except ArchError as error:  # values that do not fit together
            errors.append(error)
        else:
            for figure in figures:
                value_of(figure, report, variants.space.machine)
    if len(errors) == tried:
        say(f"none of the first {tried:,} compiles; the first: {errors[0].problems[0].fact}")
    return tried / (time.perf_counter() - begun)


def duration(seconds: float) -> str:
    """`3 s`, `4 min`, `2.5 h`, `3 days`."""
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.3g} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
