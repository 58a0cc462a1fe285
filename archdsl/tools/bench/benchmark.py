"""Networks in runtimes, each in a process of its own, measured in turns; beside them, products of matrices."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from archdsl.backends.atomic_write import stopped_by_an_exception
from archdsl.tools.bench.limits import Limits
from archdsl.tools.bench.measuring import Times, measured, ratio
from archdsl.tools.bench.plan import Contender, Entry, Settings, Tell, planned
from archdsl.tools.bench.processes import Process
from archdsl.tools.bench.results import Benchmark, Result
from archdsl.tools.bench.session import Session


def benchmark(entries: Sequence[Entry], settings: Settings, tell: Tell, against: int | None = None) -> Benchmark:
    """Measure all. `against` is the place of the network to compare with in each runtime; else the first of all.

    Raises ArchError for a package that is not installed, and for what a runtime says of a network.
    """
    chosen = planned(len(entries), settings)
    before = _load()
    with ExitStack() as stack:
        stack.enter_context(stopped_by_an_exception())
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="archdsl-bench-"))
        session = Session(Path(folder), entries, settings, tell, stack)
        session.write_networks()
        processes = [session.started(number, each) for number, each in enumerate(chosen)]
        differences = session.differences(chosen)
        times, limits = _rounds(session, processes)
        peaks = [each.run(1)["peak_bytes"] for each in processes]
        sizes = [session.file_bytes(number) for number in range(len(chosen))]
    ratios = [ratio(own, times[_base(each, chosen, against)]) for own, each in zip(times, chosen, strict=True)]
    results = [
        Result(each, entries[each.entry], settings.batch, *found)
        for each, *found in zip(chosen, times, ratios, peaks, sizes, differences, strict=True)
    ]
    return Benchmark(tuple(results), settings, limits, (before, _load()), os.cpu_count() or 1)


def _load() -> float:
    """Processes that have been running or waiting for a core, on average over a minute; 0 where that is not known."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0


def _rounds(session: Session, processes: Sequence[Process]) -> tuple[list[Times], Limits]:
    """The times of each process, and what the machine did at best; both are measured in every round."""
    peak, rounds = session.peak(), session.settings.rounds
    limits = Limits()

    def begin(number: int) -> None:
        nonlocal limits
        session.tell(f"round {number} of {rounds}")
        limits = limits.with_run(peak.run(1))

    return measured([each.seconds for each in processes], rounds, begin), limits


def _base(contender: Contender, chosen: Sequence[Contender], against: int | None) -> int:
    return 0 if against is None else chosen.index(contender._replace(entry=against))
