"""The same files from every engine, also when one of its workers is killed in the middle."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.slow

SPACE = """
config: yolo_v8_s_backbone
choices: {scale.width: 'range(0.2, 0.5, 0.01)', stages.p3.depth: 'range(1, 101)'}
within: {params: 4e6}
"""
"""3,000 variants, in six ranges."""


def search(space: Path, folder: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "archdsl", "search", str(space), "--all", "-o", str(folder), *options]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)


def parts(folder: Path) -> dict[str, bytes]:
    return {part.name: part.read_bytes() for part in folder.glob("part-*.parquet")}


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """A space, and the files of a search in one process."""
    folder = tmp_path_factory.mktemp("serial")
    space = folder / "space.yaml"
    space.write_text(SPACE)
    process = search(space, folder / "found", "--workers", "1")
    assert process.wait() == 0, process.stderr and process.stderr.read()
    found = parts(folder / "found")
    assert len(found) == 6
    return space, found


def begun_by(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def command_of(process: psutil.Process) -> str:
    """Empty for one that has ended."""
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def dask_of_two() -> Iterator[tuple[str, Callable[[], list[int]]]]:
    """A real Dask cluster: a scheduler and two workers, processes of this machine; its address, its workers' ids."""
    from distributed import LocalCluster

    cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None)
    try:
        yield cluster.scheduler_address, lambda: [worker.process.pid for worker in cluster.workers.values()]
    finally:
        cluster.close()


@contextmanager
def ray_of_two() -> Iterator[tuple[str, Callable[[], list[int]]]]:
    """A real Ray cluster of one node with two workers; its address, the ids of the processes that run a task."""
    import ray

    port = free_port()
    command = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", f"--port={port}"]
    options = ["--num-cpus=2", "--include-dashboard=false", "--disable-usage-stats"]
    head = subprocess.Popen(
        [*command, *options], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    running = lambda: [each.pid for each in begun_by(head) if "ray::write" in command_of(each)]  # noqa: E731
    try:
        yield f"{ray.util.get_node_ip_address()}:{port}", running
    finally:
        for each in begun_by(head):
            each.kill()
        head.kill()
        head.wait()


@pytest.mark.parametrize("begun", [dask_of_two, ray_of_two], ids=["dask", "ray"])
def test_a_cluster_writes_the_same_when_a_worker_is_killed(
    begun: Callable[[], contextmanager[tuple[str, Callable[[], list[int]]]]],
    serial: tuple[Path, dict[str, bytes]],
    tmp_path: Path,
) -> None:
    space, expected = serial
    engine = begun.__name__.removesuffix("_of_two")
    with begun() as (address, workers):
        process = search(space, tmp_path / "found", "--engine", engine, "--scheduler", address)
        for _ in range(600):
            if (tmp_path / "found" / "search.json").exists() and workers():
                break
            assert process.poll() is None, process.stderr and process.stderr.read()
            time.sleep(0.1)
        os.kill(workers()[0], signal.SIGKILL)
        assert process.wait(timeout=120) == 0, process.stderr and process.stderr.read()
    assert parts(tmp_path / "found") == expected


def test_two_processes_go_on_when_one_is_killed(serial: tuple[Path, dict[str, bytes]], tmp_path: Path) -> None:
    space, expected = serial
    process = search(space, tmp_path / "found", "--workers", "2")
    for _ in range(600):
        spawned = [each for each in begun_by(process) if "spawn_main" in command_of(each)]
        if spawned:
            break
        time.sleep(0.05)
    spawned[0].kill()
    assert process.wait(timeout=120) == 0, process.stderr and process.stderr.read()
    assert parts(tmp_path / "found") == expected


def test_slurm_gets_an_array_of_jobs_with_a_share_of_the_ranges_each(
    serial: tuple[Path, dict[str, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In processes that submitit starts in Slurm's place: what they do is the same."""
    import submitit

    from archdsl.tools.search.engines import Cluster, on_slurm
    from archdsl.tools.search.parts import Job, begin
    from archdsl.tools.search.space import read_space
    from archdsl.tools.search.ways import Compiled

    monkeypatch.setattr(submitit, "AutoExecutor", lambda folder: submitit.LocalExecutor(folder))
    monkeypatch.setattr(submitit.LocalExecutor, "update_parameters", lambda self, **options: None)
    space = read_space(serial[0])
    figures = ["params", "trainable_params", "macs", "activation_bytes"]
    job = Job(space, Compiled(space, figures), tmp_path / "found")
    begin(job, "all")
    assert sorted(on_slurm(job, job.missing, Cluster(workers=2))) == [*range(6)]
    assert parts(tmp_path / "found") == serial[1]
