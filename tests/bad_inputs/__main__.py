"""Runs every case in this process; prints what they cost, as JSON."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import archdsl
from bad_inputs import CASES


def seconds(name: str, overrides: list[str]) -> tuple[float, list[archdsl.Problem]]:
    """Processor time until the report, and the report."""
    start = time.process_time()
    try:
        archdsl.compile_config(name, overrides)
    except archdsl.ArchError as error:
        return time.process_time() - start, error.problems
    return 0.0, []


def main() -> None:
    archdsl.compile_config("yolo_v8_s_backbone", ["scale.width=1"])  # what is imported once
    took, placed = {}, []
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            name = case.prepare(Path(folder))
            took[case.id], problems = seconds(name, list(case.overrides))
            if case.place or case.at:
                placed.append(all(problem.line for problem in problems[:1]))
            os.chdir("/")
    figures = {
        "cases": len(CASES),
        "with text to point at": len(placed),
        "with a place": sum(placed),
        "slowest": max(took, key=took.__getitem__),
        "slowest_seconds": round(max(took.values()), 3),
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
