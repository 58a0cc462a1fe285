"""A process of a benchmark, which is told a task, then asked to run it, in lines of JSON.

Each has its own memory, threads and framework, so that contenders leave each other alone. What libraries print goes to
standard error.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from archdsl.diagnostics.problems import ArchError
from archdsl.diagnostics.wording import first_line
from archdsl.tools.bench.job import COMPARED, Job
from archdsl.tools.bench.measuring import timed

Answer = Callable[[int], dict[str, Any]]
"""What a process answers when it is asked to run so many times."""


def write(job: Job) -> Answer:
    """Writes the file of a job, and is done."""
    from archdsl.tools.bench import contenders

    contenders.write(job)
    return lambda count: {}


def network(job: Job) -> Answer:
    """Runs a network once for its results, then as often as asked: the seconds of each call, and memory so far."""
    return _runs(job, _runtime(job.runtime))


def reference(job: Job) -> Answer:
    """As `network`, of the network as it is."""
    from archdsl.tools.bench import contenders

    return _runs(job, contenders.REFERENCE)


def peak(job: Job) -> Answer:
    """The fastest of several large products of matrices, in operations a second; on a GPU its bandwidth too."""
    from archdsl.tools.bench.peak import products

    if job.device == "gpu":
        return _gpu_peak(job)
    found = products(job.threads)
    return lambda count: {"flops": {"float32": {f"{each.library} {each.size}": each.flops() for each in found}}}


def _gpu_peak(job: Job) -> Answer:
    from archdsl.tools.bench.frameworks import framework_of
    from archdsl.tools.bench.gpu_peak import GpuPeak

    peak = GpuPeak(framework_of(job))
    return lambda count: {"flops": peak.flops(), "bandwidth": peak.bandwidth(), "gpu": peak.framework.gpu()}


TASKS = {each.__name__: each for each in (write, network, reference, peak)}


def _runtime(name: str) -> Any:
    from archdsl.tools.bench import contenders

    return contenders.RUNTIMES[name]


def _runs(job: Job, runtime: Any) -> Answer:
    import numpy

    call = runtime.start(job)
    numpy.savez(job.results, **{name: each[:COMPARED] for name, each in call.arrays(call.run()).items()})
    most = call.peak_bytes or peak_bytes
    return lambda count: {"seconds": list(timed(call.run, count, time.perf_counter)), "peak_bytes": most()}


def peak_bytes() -> int:
    """Most memory that this process has held. Where there is no /proc, also what its parent held as it started."""
    try:
        (kibibytes,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
        return 1024 * int(kibibytes)
    except (OSError, ValueError):
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else 1024 * most


def main() -> None:
    """Serve until no more is asked, and end."""
    _serve()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # taking a framework apart takes seconds, and some fail at it


def _serve() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        given = json.loads(sys.stdin.readline())
        answer = TASKS[given["task"]](Job(**given["job"]))
        print(json.dumps({"ready": True}), file=answers, flush=True)
        for line in sys.stdin:
            print(json.dumps(answer(json.loads(line)["count"])), file=answers, flush=True)
    except ArchError as error:
        print(json.dumps({"problems": [each._replace(notes=()) for each in error.problems]}), file=answers, flush=True)
    except Exception as error:  # whatever a runtime says of a network
        print(json.dumps({"reason": f"{type(error).__name__}: {first_line(error)}"}), file=answers, flush=True)
