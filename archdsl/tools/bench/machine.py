"""This machine as a roofline: its peak, its bandwidth, and the time of every operation of a network."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from archdsl.analysis.roofline import Machine, operations
from archdsl.ir.graph import Graph
from archdsl.tools.bench.contenders import REFERENCE
from archdsl.tools.bench.job import Job
from archdsl.tools.bench.operations import Stopwatch
from archdsl.tools.bench.plan import Tell
from archdsl.tools.bench.processes import Process
from archdsl.tools.machine_file import read_machine, write_machine

_PRODUCTS = 2  # times that each is measured


def completed(file: Path, graphs: Iterable[Graph], threads: int, tell: Tell) -> Machine:
    """The machine in a file, or this one, with the times of fused graphs; written after each of them.

    Raises ArchError for a file that is not a machine's.
    """
    known = read_machine(file) if file.exists() else None
    watch = Stopwatch(threads)
    machine = known or this_machine(watch, tell)
    for graph in graphs:
        machine = with_times(machine, graph, watch, tell)
        write_machine(machine, file)
    return machine


def this_machine(watch: Stopwatch, tell: Tell) -> Machine:
    """Its limits, without the time of any operation."""
    tell("products of matrices")
    job = Job("", "", "", "", 1, watch.threads, "float32")
    with tempfile.TemporaryDirectory(prefix="archdsl-bench-") as folder:
        log = Path(folder, "log")
        with Process("the matrix product", "peak", job, REFERENCE.environment(watch.threads), log) as process:
            flops = [max(process.run(1)["flops"].values()) for _ in range(_PRODUCTS)]
    tell("bandwidth")
    return Machine(max(flops) / 2, watch.bandwidth(), watch.overhead)


def with_times(machine: Machine, graph: Graph, watch: Stopwatch, tell: Tell) -> Machine:
    """The machine with the times of the operations of a fused graph that it does not have yet."""
    missing = {each.key: each for each in operations(graph) if each.key not in machine.times}
    times = dict(machine.times)
    for number, (key, operation) in enumerate(missing.items(), 1):
        tell(f"{graph.name}, operation {number} of {len(missing)}: {key}")
        seconds = watch.seconds(operation)
        if seconds is not None:
            times[key] = seconds
    return replace(machine, times=times)
