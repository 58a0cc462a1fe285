"""What runs the ranges of a search: this process, processes of this machine, or an engine that people run already.

All of them do the same: call a function with each number, in any order, and tell when one is done. A range is written
whole or not at all, so that one that is lost, or done twice, makes no difference.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import active_children, get_context
from typing import NamedTuple

from archdsl.diagnostics.packages import package
from archdsl.diagnostics.problems import fail
from archdsl.tools.search.parts import Job

_SLURM_JOBS = 32
_ATTEMPTS = 3  # at starting workers anew, each after one was killed


class Cluster(NamedTuple):
    """Where to run: the address of a scheduler and how many workers; an engine finds its own where none is given."""

    address: str | None = None
    workers: int | None = None


Engine = Callable[[Job, Sequence[int], Cluster], Iterator[int]]

_job: Job | None = None  # of a worker


def in_processes(job: Job, ranges: Sequence[int], cluster: Cluster) -> Iterator[int]:
    """On this machine; in this process where there is one worker, or one range."""
    workers = min(cluster.workers or os.cpu_count() or 1, len(ranges))
    if workers <= 1:
        yield from map(job.write, ranges)
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
            pool.shutdown()
    raise fail("unavailable", "workers were killed again and again", hint="the same command goes on where this one was")


def on_dask(job: Job, ranges: Sequence[int], cluster: Cluster) -> Iterator[int]:
    """On a Dask cluster, whose workers see the folder; on one of this machine's processes where none is given."""
    distributed = package("distributed")
    own = {"n_workers": cluster.workers, "threads_per_worker": 1, "dashboard_address": None}
    with _reaching(cluster):
        client = distributed.Client(cluster.address, **({} if cluster.address else own))
    with client:
        for done in distributed.as_completed(client.map(job.write, ranges, pure=False)):
            yield done.result()


def on_ray(job: Job, ranges: Sequence[int], cluster: Cluster) -> Iterator[int]:
    """On a Ray cluster, whose nodes see the folder; on processes of this machine where none is given."""
    ray = package("ray")
    own = {"num_cpus": cluster.workers, "include_dashboard": False}
    with _reaching(cluster):
        ray.init(cluster.address, log_to_driver=False, logging_level="error", **({} if cluster.address else own))
    try:
        write = ray.remote(max_retries=-1)(Job.write)
        everywhere = ray.put(job)
        pending = [write.remote(everywhere, index) for index in ranges]
        while pending:
            done, pending = ray.wait(pending)
            yield from ray.get(done)
    finally:
        ray.shutdown()


def on_slurm(job: Job, ranges: Sequence[int], cluster: Cluster) -> Iterator[int]:
    """As an array of Slurm jobs, in a partition; each goes through its share of the ranges."""
    submitit = package("submitit")
    count = min(cluster.workers or _SLURM_JOBS, len(ranges))
    executor = submitit.AutoExecutor(job.folder / "slurm")
    executor.update_parameters(cpus_per_task=1, slurm_partition=cluster.address, slurm_array_parallelism=max(count, 1))
    shares = [ranges[first::count] for first in range(count)]
    for done in submitit.helpers.as_completed(executor.map_array(partial(_write_all, job), shares)):
        yield from done.result()


@contextmanager
def _reaching(cluster: Cluster) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise fail("unavailable", f"no scheduler answers at {cluster.address}: {reason}") from None


def _write_all(job: Job, ranges: Sequence[int]) -> list[int]:
    return [job.write(index) for index in ranges]


def _begin(job: Job) -> None:
    """A worker makes little that outlives a range: it looks for garbage between them only."""
    import gc

    global _job
    _job = job
    gc.freeze()
    gc.disable()


def _write(index: int) -> int:
    import gc

    assert _job is not None
    try:
        _job.write(index)
    except SystemExit:  # the pool stops its workers, and takes what a call raises for its result
        os._exit(1)
    gc.collect()
    return index


ENGINES: dict[str, Engine] = {"processes": in_processes, "dask": on_dask, "ray": on_ray, "slurm": on_slurm}
