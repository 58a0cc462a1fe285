"""How fast `archdsl search` goes through spaces: sums of tables, compiling with one and two workers, memory.

python tests/benchmarks/search.py [--only sums,compiled,memory]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SIZES = ("p2.width: range(64, 224, 16)", "p3.width: range(128, 448, 32)", "p4.width: range(256, 896, 64)")
DEPTHS = [f"p{level}.depth: range(1, 31, 3)" for level in (2, 3, 4, 5)]
STAGES = [f"stages.{each}" for each in (*SIZES, "p5.width: range(512, 1152, 64)", *DEPTHS)]
SUMS = {
    "10⁸ variants of yolo_v8_s_detect": STAGES,
    "10⁹ variants of yolo_v8_s_detect": [*STAGES, "neck.n3.depth: range(1, 31, 3)"],
}
SMALL = ["scale.width: range(0.2, 0.5, 0.01)", "stages.p3.depth: range(1, 101)", "stages.p4.depth: range(1, 101)"]


def space(folder: Path, config: str, choices: list[str], within: str) -> Path:
    path = folder / "space.yaml"
    path.write_text(
        "\n".join([f"config: {config}", "choices:", *[f"  {each}" for each in choices], f"within: {within}\n"])
    )
    return path


def searched(path: Path, *options: str) -> tuple[float, float, str]:
    """Seconds, mebibytes of the largest process, and what was printed."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "archdsl", "search", str(path), "-o", f"{folder}/found", *options]
        begun = time.perf_counter()
        process = subprocess.run(["/usr/bin/env", "time", "-f", "%M", *command], capture_output=True, text=True)
        taken = time.perf_counter() - begun
    assert process.returncode == 0, process.stderr
    return taken, int(process.stderr.split()[-1]) / 1024, process.stdout


def sums(folder: Path) -> Iterator[str]:
    for name, choices in SUMS.items():
        within = "{params: [9e6, 9.01e6], macs: 12e9}"
        taken, mebibytes, printed = searched(space(folder, "yolo_v8_s_detect", choices, within))
        found = next(line for line in printed.splitlines() if "within the budget" in line)
        yield f"{name}: {taken:.1f} s for the whole command, {mebibytes:.0f} MiB, {found.partition(',  ')[0]}"


def compiled(folder: Path) -> Iterator[str]:
    choices = [*SMALL[:2], "stages.p4.depth: range(1, 41)"]
    path = space(folder, "yolo_v8_s_backbone", choices, "{params: 4e6}")
    alone, _, _ = searched(path, "--sample", "1")
    for _ in range(2):
        one, two = [searched(path, "--all", "--workers", f"{workers}")[0] - alone for workers in (1, 2)]
        with ThreadPoolExecutor(2) as both:  # nothing in common but the machine
            apart = max(both.map(lambda _: searched(path, "--all", "--workers", "1")[0], range(2))) - alone
        yield (
            f"120,000 variants compiled: {120_000 / one:,.0f} a second, with two workers {one / two:.2f} ×; "
            f"two searches at once, each with one worker, {2 * one / apart:.2f} ×"
        )


def memory(folder: Path) -> Iterator[str]:
    for count, last in ((12_000, 5), (120_000, 41), (1_200_000, 401)):
        choices = [*SMALL[:2], f"stages.p4.depth: range(1, {last})"]
        path = space(folder, "yolo_v8_s_backbone", choices, "{params: 4e6}")
        taken, mebibytes, _ = searched(path, "--all", "--workers", "1")
        yield f"{count:,} variants in one process: {mebibytes:.0f} MiB, {count / taken:,.0f} a second with the start"


GROUPS = {"sums": sums, "compiled": compiled, "memory": memory}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(GROUPS))
    for group in parser.parse_args().only.split(","):
        with tempfile.TemporaryDirectory() as folder:
            for line in GROUPS[group](Path(folder)):
                print(line, flush=True)


if __name__ == "__main__":
    main()
