"""A machine in a file of JSON: its peak, its bandwidth, and measured times, as `archdsl bench --machine` writes it.

```json
{"macs": 1.1e11, "bandwidth": 2.4e10, "overhead": 4e-6, "threads": 2,
 "times": {"Conv2D(filters=64, kernel=3, bias=True) + Activation(function=silu) on 80x80x32": 0.0021}}
```

Another device's times can be put there by hand: seconds by operation and shape.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from archdsl.analysis.roofline import Machine
from archdsl.backends.atomic_write import written_whole
from archdsl.diagnostics.problems import ArchError, Mark, Problem, fail, problem
from archdsl.diagnostics.wording import describe, did_you_mean, one_of
from archdsl.frontend.budget import Budget
from archdsl.frontend.source import KeyPath, Source, dotted
from archdsl.frontend.yaml.files import read_file

NUMBERS = {"macs": (1, 1e24), "bandwidth": (1, 1e24), "overhead": (0, 1e6)}
"""From which to which each may be."""
HOW = "`archdsl bench CONFIG --machine machine.json` writes one for this machine"
_LIMITS = Budget(file_bytes=2**24, values=100_000)
MOST_THREADS = 1024
_MOST_SECONDS = 1e6  # of an operation


def read_machine(path: Path) -> Machine:
    """The machine in a file. Raises ArchError with the place of everything that is wrong."""
    if not os.path.exists(path):  # noqa: PTH110  (where pathlib raises, it answers)
        raise fail("missing-file", "there is no such file of a machine", mark=Mark(str(path)), hint=HOW)
    source = _read(path)
    if problems := list(_problems(source)):
        raise ArchError(problems)
    values = source.values
    macs, bandwidth, overhead = [float(values[key]) for key in NUMBERS]
    return Machine(macs, bandwidth, overhead, dict(values.get("times") or {}), values.get("threads"))


def _read(path: Path) -> Source:
    try:
        return read_file(path, budget=_LIMITS)
    except ArchError as error:  # a user cannot raise these limits
        raise ArchError([each._replace(hint="") if each.code == "limit" else each for each in error.problems]) from None


def _problems(source: Source) -> Iterator[Problem]:
    values, known = source.values, (*NUMBERS, "threads", "times")
    for key in [key for key in values if key not in known]:
        hint = did_you_mean(str(key), known)
        yield _at(source, (key,), f"a machine has no key '{key}'; {one_of(known)}", hint, "unknown-key")
    for key in NUMBERS:
        if key not in values:
            yield problem("missing-key", f"a machine needs '{key}'", mark=source.place(()).value, path=key, hint=HOW)
        elif not _is_between(values[key], *NUMBERS[key]):
            low, high = NUMBERS[key]
            yield _at(source, (key,), f"got {describe(values[key])}; expected a number, from {low:g} to {high:g}")
    threads = values.get("threads")
    if threads is not None and (type(threads) is not int or not 1 <= threads <= MOST_THREADS):
        message = f"got {describe(threads)}; expected how many it was measured with, from 1 to {MOST_THREADS:,}"
        yield _at(source, ("threads",), message)
    times = values.get("times")
    if times is not None and not isinstance(times, dict):
        yield _at(source, ("times",), f"got {describe(times)}; expected operations and their seconds")
        return
    for key, seconds in (times or {}).items():
        if not isinstance(key, str) or not _is_between(seconds, 0, _MOST_SECONDS):
            message = f"got {describe(seconds)}; expected seconds, from 0 to {_MOST_SECONDS:,.0f}"
            yield _at(source, ("times", key), message)


def _is_between(value: Any, low: float, high: float) -> bool:
    """Whether it is such a number; what is not a number in floating point is not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high


def _at(source: Source, path: KeyPath, message: str, hint: str = "", code: Any = "value") -> Problem:
    place = source.place(path)
    mark = place.key if code == "unknown-key" else place.value
    return problem(code, message, mark=mark, path=dotted(path), hint=hint)


def write_machine(machine: Machine, path: Path) -> None:
    """Write the file whole. Raises OSError."""
    numbers = {key: getattr(machine, key) for key in NUMBERS}
    threads = {"threads": machine.threads} if machine.threads else {}
    text = json.dumps({**numbers, **threads, "times": dict(sorted(machine.times.items()))}, indent=2, allow_nan=False)
    with written_whole(path) as unfinished:
        unfinished.write_text(text + "\n", encoding="utf-8")
