"""What runs the ranges of a search: this process, processes of this machine, or an engine that people run already.

All of them do the same: call a function with each number, in any order, and tell when one is done. A range is written
whole or not at all, so that one that is lost, or done twice, makes no difference.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache, partial
from multiprocessing import active_children, get_context
from typing import Any, NamedTuple

from archdsl.diagnostics.packages import package
from archdsl.diagnostics.problems import fail
from archdsl.diagnostics.wording import first_line
from archdsl.tools.search.parts import Job

_SLURM_JOBS = 32
_SLURM_MINUTES, _REQUEUED = 60, 100
"""Of a job, unless others are given; and how often it is queued again after as many."""
_ATTEMPTS = 3  # at starting workers anew, each after one was killed


class Cluster(NamedTuple):
    """Where to run: the address of a scheduler and how many workers; an engine finds its own where none is given.

    `options` are those of Slurm's `sbatch`, with underscores; True for one without a value.
    """

    address: str | None = None
    workers: int | None = None
    options: Mapping[str, str | bool] = {}


Engine = Callable[[Job, Sequence[int], Cluster], Iterator[int]]

_job: Job | None = None  # of a worker


def in_processes(job: Job, ranges: Sequence[int], cluster: Cluster) -> Iterator[int]:
    """On this machine; in this process where there is one worker, or one range."""
    workers = min(cluster.workers or os.cpu_count() or 1, len(ranges))
    if workers <= 1:
        yield from map(partial(_written, job), ranges)
        return
    pending = list(ranges)
    for _ in range(_ATTEMPTS):
        pool = ProcessPoolExecutor(workers, get_context("spawn"), _begin, (job,))
        try:
            for done in as_completed([pool.submit(_write, index) for index in pending]):
                yield done.result()
            return
        except BrokenProcessPool:
            pending = [index for index in pending if not job.part(index).exists()]
            for worker in active_children():  # the pool does not stop one that was starting, and would wait for it
                worker.kill()
        finally:
            pool.shutdown(cancel_futures=True)
    raise fail("unavailable", "workers were killed again and again", hint="the same command goes on where this one was")


def on_dask(job: Job, ranges: Sequence[int], cluster: Cluster) -> Iterator[int]:
    """On a Dask cluster, whose workers see the folder; on one of this machine's processes where none is given."""
    distributed = package("distributed")
    own = {"n_workers": cluster.workers, "threads_per_worker": 1, "dashboard_address": None}
    with _reaching(cluster):
        client = distributed.Client(cluster.address, **({} if cluster.address else own))
    with client:
        for done in distributed.as_completed(client.map(job.anywhere.write, ranges, pure=False)):
            yield done.result()


def on_ray(job: Job, ranges: Sequence[int], cluster: Cluster) -> Iterator[int]:
    """On a Ray cluster, whose nodes see the folder; on processes of this machine where none is given."""
    ray = package("ray")
    own = {"num_cpus": cluster.workers, "include_dashboard": False}
    with _reaching(cluster):
        ray.init(cluster.address, log_to_driver=False, logging_level="error", **({} if cluster.address else own))
    try:
        write = ray.remote(max_retries=-1)(Job.write)
        everywhere = ray.put(job.anywhere)
        pending = [write.remote(everywhere, index) for index in ranges]
        while pending:
            done, pending = ray.wait(pending)
            yield from ray.get(done)
    finally:
        ray.shutdown()


def on_slurm(job: Job, ranges: Sequence[int], cluster: Cluster) -> Iterator[int]:
    """As an array of Slurm jobs, in a partition; each has a share of the ranges, and is queued again after its time."""
    submitit = package("submitit")
    count = min(cluster.workers or _SLURM_JOBS, len(ranges))
    if not count:
        return
    logs = job.folder / "slurm"
    options = {"time": _SLURM_MINUTES, "cpus_per_task": 1, "partition": cluster.address, **cluster.options}
    given = {key: value for key, value in options.items() if value is not None}
    try:
        executor = submitit.SlurmExecutor(logs, max_num_timeout=_REQUEUED)
        executor.update_parameters(time=given.pop("time"), array_parallelism=count, additional_parameters=given)
        shares = [ranges[first::count] for first in range(count)]
        for done in submitit.helpers.as_completed(executor.map_array(_Share(job.anywhere), shares)):
            yield from done.result()
    except RuntimeError as error:  # of submitit: no Slurm, a job that it does not take, or that failed
        hint = f"what jobs print is in {logs}; the same command goes on where this one was"
        raise fail("unavailable", f"Slurm: {_reason(str(error))}", hint=hint) from None


def _reason(text: str) -> str:
    """The error in a traceback between rules, else the first line."""
    told, *between = text.split("\n----------------------\n")
    return between[0].strip().rpartition("\n")[2] if between else told.partition("\n")[0] or "a job failed"


class _Share(NamedTuple):
    """Goes through ranges in a job of Slurm's, which is queued again when its time ends or another needs its place."""

    job: Job

    def __call__(self, ranges: Sequence[int]) -> list[int]:
        return [self.job.write(index) for index in ranges]

    def checkpoint(self, ranges: Sequence[int]) -> Any:
        return package("submitit").helpers.DelayedSubmission(self, ranges)


@contextmanager
def _reaching(cluster: Cluster) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        raise fail("unavailable", f"no scheduler answers at {cluster.address}: {first_line(error)}") from None


def _written(job: Job, index: int) -> int:
    job.write(index)
    _keep()
    return index


@cache
def _keep() -> None:
    """What the first range leaves is kept for all others: garbage is not looked for in it again and again."""
    gc.freeze()


def _begin(job: Job) -> None:
    global _job
    _job = job


def _write(index: int) -> int:
    assert _job is not None
    try:
        return _written(_job, index)
    except SystemExit:  # the pool stops its workers, and takes what a call raises for its result
        os._exit(1)


ENGINES: dict[str, Engine] = {"processes": in_processes, "dask": on_dask, "ray": on_ray, "slurm": on_slurm}
