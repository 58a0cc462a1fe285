"""This machine as a roofline: its peak, its bandwidth, and the time of every operation of a network."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from archdsl.analysis.roofline import Machine, operations
from archdsl.diagnostics.problems import Mark, fail
from archdsl.ir.graph import Graph
from archdsl.tools.bench.contenders import REFERENCE
from archdsl.tools.bench.job import Job
from archdsl.tools.bench.operations import Stopwatch
from archdsl.tools.bench.plan import Tell
from archdsl.tools.bench.processes import Process
from archdsl.tools.machine_file import read_machine, write_machine

_PRODUCTS = 2  # times that each is measured


def completed(file: Path, graphs: Iterable[Graph], threads: int | None, tell: Tell) -> Machine:
    """The machine in a file, or this one, with the times of fused graphs; written after each of them.

    `threads` are those of the file where it has any times, else by default as many as there are cores. Raises
    ArchError for a file that is not a machine's, and for one with times of other threads.
    """
    known = read_machine(file) if file.exists() else None
    watch = Stopwatch(threads_of(file, known, threads))
    machine = known or this_machine(watch, tell)
    for graph in graphs:
        machine = with_times(machine, graph, watch, tell)
        write_machine(machine, file)
    return machine


def threads_of(file: Path, known: Machine | None, asked: int | None) -> int:
    """How many to measure with, so that all times of a file are of as many."""
    mark = Mark(str(file))
    if known is None or not (known.threads or known.times):
        return asked or os.cpu_count() or 1
    if known.threads is None:
        hint = '"threads": 1 in the file says it of one; or measure into another file'
        raise fail("bench", "has times, and does not say of how many threads", mark=mark, hint=hint)
    if asked not in (None, known.threads):
        hint = f"--threads {known.threads} completes it; or measure with --threads {asked} into another file"
        raise fail("bench", f"has times of {known.threads_text}, and not of {asked}", mark=mark, hint=hint)
    return known.threads


def this_machine(watch: Stopwatch, tell: Tell) -> Machine:
    """Its limits, without the time of any operation."""
    tell("products of matrices")
    job = Job("", "", "", "", 1, watch.threads, "float32")
    with tempfile.TemporaryDirectory(prefix="archdsl-bench-") as folder:
        log = Path(folder, "log")
        with Process("the matrix product", "peak", job, REFERENCE.environment(watch.threads), log) as process:
            flops = [max(process.run(1)["flops"]["float32"].values()) for _ in range(_PRODUCTS)]
    tell("bandwidth")
    return Machine(max(flops) / 2, watch.bandwidth(), watch.overhead, threads=watch.threads)


def with_times(machine: Machine, graph: Graph, watch: Stopwatch, tell: Tell) -> Machine:
    """The machine with the times of the operations of a fused graph that it does not have yet."""
    missing = {each.key: each for each in operations(graph) if each.key not in machine.times}
    times = dict(machine.times)
    for number, (key, operation) in enumerate(missing.items(), 1):
        tell(f"{graph.name}, operation {number} of {len(missing)}: {key}")
        seconds = watch.seconds(operation)
        if seconds is not None:
            times[key] = seconds
    return replace(machine, times=times, threads=watch.threads)
