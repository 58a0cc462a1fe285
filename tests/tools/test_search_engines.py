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
from functools import partial
from pathlib import Path
from textwrap import dedent

import psutil
import pytest
from conftest import Run

pytestmark = pytest.mark.slow

SPACE = """
config: yolo_v8_s_backbone
choices: {scale.width: 'range(0.2, 0.5, 0.01)', stages.p3.depth: 'range(1, 101)'}
within: {params: 4e6}
"""
"""3,000 variants, in six ranges."""


def search(space: Path, folder: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "archdsl", "search", str(space), "--all", "-o", str(folder), *options]
    heeding = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # which a shell has its background ignore
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, preexec_fn=heeding)


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


def test_an_interrupted_search_stops(tmp_path: Path) -> None:
    """After the ranges that its workers are at, and not after all of them."""
    space = tmp_path / "space.yaml"
    space.write_text(SPACE.replace("'range(1, 101)'}", "'range(1, 101)', stages.p4.depth: 'range(1, 201)'}"))
    process = search(space, tmp_path / "found", "--workers", "2")
    for _ in range(6_000):
        if parts(tmp_path / "found"):
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == 130
    assert len(parts(tmp_path / "found")) < 100  # of 1,200


SLURM = {
    "sbatch": """
        file, (last,) = sys.argv[1], re.findall(r"--array=0-(\\d+)%", open(sys.argv[1]).read()) or ["0"]
        if "--partition=none" in open(file).read():
            sys.exit("sbatch: error: invalid partition specified: none")
        shutil.copy(file, os.path.join(os.path.dirname(__file__), "job.sh"))
        for number in range(int(last) + 1):
            start(f"42_{number}")
        print("Submitted batch job 42")
    """,
    "scontrol": "start(sys.argv[2])",  # requeue
    "srun": """
        words = sys.argv[1:]
        while words[0].startswith("--"):
            del words[: 1 if words[0] == "--unbuffered" else 2]
        os.execvp(words[0], words)
    """,
    "sacct": "print('JobID|State|NodeList')",
}
"""What submitit calls, in place of a cluster: jobs are processes of this machine, which run what `sbatch` was given."""
_START = """
def start(job):
    array, _, number = job.partition("_")
    known = {"SLURM_JOB_ID": array, "SLURM_ARRAY_JOB_ID": array, "SLURM_ARRAY_TASK_ID": number}
    script = os.path.join(os.path.dirname(__file__), "job.sh")
    with open(script.replace("job.sh", "log"), "a") as log:
        subprocess.Popen(["bash", script], env={**os.environ, **known}, start_new_session=True, stdout=log, stderr=log)
"""


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of Slurm's commands; `job.sh` is there once there is a job."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    for name, text in SLURM.items():
        file = folder / name
        file.write_text(f"#!{sys.executable}\nimport os, re, shutil, subprocess, sys\n{_START}\n{dedent(text)}")
        file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def test_slurm_gets_an_array_of_jobs_that_are_queued_again(
    serial: tuple[Path, dict[str, bytes]], tmp_path: Path, slurm: Path
) -> None:
    """A job that must leave goes on where it was; the options of the command are those of sbatch."""
    space, expected = serial
    found = tmp_path / "found"
    options = ["--engine", "slurm", "--scheduler", "fast", "--workers", "2"]
    own = ["--slurm", "time=240", "--slurm", "mem=4G", "--slurm", "--cpus-per-task=2", "--slurm", "exclusive"]
    process = search(space, found, *options, *own)
    for _ in range(6_000):
        if parts(found):
            break
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.01)
    pids = [each for each in psutil.process_iter() if f"_submit {found}" in command_of(each) and each.children() == []]
    pids[0].send_signal(signal.SIGUSR2)  # Slurm's, before it ends a job
    assert process.wait(timeout=120) == 0, process.stderr and process.stderr.read()
    assert parts(found) == expected
    given = {line.removeprefix("#SBATCH --") for line in (slurm / "job.sh").read_text().splitlines()}
    assert {"array=0-1%2", "partition=fast", "time=240", "mem=4G", "cpus-per-task=2", "exclusive"} <= given
    assert "Requeued job 42_" in (slurm / "log").read_text()


def test_what_slurm_refuses_is_told(
    serial: tuple[Path, dict[str, bytes]], tmp_path: Path, slurm: Path, run: Run
) -> None:
    options = ["--all", "--engine", "slurm", "-o", str(tmp_path / "found")]
    refused = run("search", str(serial[0]), *options, "--scheduler", "none")
    assert refused.returncode == 2 and "Slurm: sbatch: error: invalid partition" in refused.stderr, refused.stderr
    (slurm / "srun").unlink()
    missing = run("search", str(serial[0]), *options)
    assert missing.returncode == 2 and 'Could not detect "srun"' in missing.stderr, missing.stderr
    wrong = run("search", str(serial[0]), *options, "--slurm", "time=2:00:00")
    assert wrong.returncode == 2 and "expected minutes" in wrong.stderr


def test_workers_in_another_folder_write_into_that_of_the_command(
    serial: tuple[Path, dict[str, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space, expected = serial
    (tmp_path / "theirs").mkdir()
    (tmp_path / "ours").mkdir()
    monkeypatch.chdir(tmp_path / "theirs")
    with dask_of_two() as (address, _):
        monkeypatch.chdir(tmp_path / "ours")
        process = search(space, Path("found"), "--engine", "dask", "--scheduler", address)
        assert process.wait(timeout=120) == 0, process.stderr and process.stderr.read()
    assert parts(tmp_path / "ours" / "found") == expected
