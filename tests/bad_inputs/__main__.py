"""Runs every case in this process; prints what they cost, as JSON."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from pathlib import Path

from support.steps import at_most

import archdsl
from bad_inputs import CASES


def calls(name: str, overrides: list[str]) -> tuple[int, list[archdsl.Problem]]:
    """How many functions were called until the report, and the report."""
    with at_most(100_000_000) as count:
        try:
            archdsl.compile_config(name, overrides)
        except archdsl.ArchError as error:
            return count[0], error.problems
    return 0, []


def main() -> None:
    archdsl.compile_config("yolo_v8_s_backbone", ["scale.width=1"])  # what is imported once
    took, placed = {}, []
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            name = case.prepare(Path(folder))
            took[case.id], problems = calls(name, list(case.overrides))
            if case.place or case.at:
                placed.append(all(problem.line for problem in problems[:1]))
            os.chdir("/")
    figures = {
        "cases": len(CASES),
        "with text to point at": len(placed),
        "with a place": sum(placed),
        "longest": max(took, key=took.__getitem__),
        "most_calls": max(took.values()),
        "peak_mib": peak_mib(),
        "imported": sorted({"keras", "tensorflow", "numpy"} & set(sys.modules)),
    }
    print(json.dumps(figures, indent=2))


def peak_mib() -> int:
    """Of this process alone; ru_maxrss also counts what the one that started it had."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) // 1024


if __name__ == "__main__":
    main()
