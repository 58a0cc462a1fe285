"""Files written whole or not at all: with the mode that the umask gives; a stopped write leaves nothing."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import archdsl
from archdsl.backends.atomic_write import files_written_whole, folder_written_whole, written_whole
from archdsl.tools.output_file import check_output

NET = {"stages": {"p1": {"width": 4, "down": {"block": "conv", "stride": 2}}}}
WRITES = {
    "file": "with written_whole(pathlib.Path('a.txt')) as partial:\n    partial.write_text('half')\n    wait()",
    "folder": """
with folder_written_whole(pathlib.Path('a'), ['b.txt']) as partial:
    with written_whole(partial / 'b.txt') as inner:
        inner.write_text('half')
        wait()""",
}


@pytest.fixture(params=[0o022, 0o027, 0o002], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}


@pytest.mark.keras
def test_what_is_written_has_the_mode_of_any_new_file(umask: int, tmp_path: Path) -> None:
    model = archdsl.build_from_config(NET)
    archdsl.weights.save(model, tmp_path / "a.safetensors")
    archdsl.weights.save(model, tmp_path / "a.weights.h5")
    model.save_to_preset(tmp_path / "preset")
    found = modes(tmp_path)
    assert found.pop("preset") == 0o777 & ~umask
    assert len(found) == 5
    assert set(found.values()) == {0o666 & ~umask}


@pytest.mark.parametrize("write", [written_whole, files_written_whole])
@pytest.mark.parametrize("mode", [0o600, 0o755])
def test_a_file_that_is_replaced_keeps_its_mode(mode: int, write: Any, tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    (tmp_path / "a.txt").chmod(mode)
    with write(tmp_path / "a.txt") as partial:
        partial.write_text("new")
    assert modes(tmp_path) == {"a.txt": mode}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("kind", WRITES)
def test_a_write_that_is_stopped_leaves_nothing(kind: str, number: signal.Signals, tmp_path: Path) -> None:
    program = f"""
import pathlib, signal, sys, time
from archdsl.backends.atomic_write import folder_written_whole, written_whole

signal.signal({int(number)}, signal.SIG_DFL)  # under nohup a program ignores it, and so does one that it starts

def wait():
    print("ready", flush=True)
    time.sleep(60)

{WRITES[kind]}
"""
    with subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert list(tmp_path.iterdir())
        process.send_signal(number)
        assert process.wait() == 128 + number
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_program_that_handles_the_signal_itself_goes_on_doing_so(number: signal.Signals, tmp_path: Path) -> None:
    received: list[int] = []
    before = signal.signal(number, lambda number, frame: received.append(number))
    try:
        with written_whole(tmp_path / "a.txt") as partial:
            partial.write_text("whole")
            os.kill(os.getpid(), number)
    finally:
        signal.signal(number, before)
    assert received == [number]
    assert (tmp_path / "a.txt").read_text() == "whole"


def test_afterwards_the_signal_ends_the_process_as_before(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with written_whole(tmp_path / "a.txt") as partial:
        partial.write_text("whole")
    assert signal.getsignal(signal.SIGTERM) == before


WRITERS: Any = [written_whole, files_written_whole, lambda path: folder_written_whole(path, [])]


@pytest.mark.parametrize("write", WRITERS)
def test_a_pipe_or_a_device_is_never_replaced(write: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.txt")
    with pytest.raises(archdsl.ArchError, match="a device or a pipe is in the way"), write(tmp_path / "a.txt"):
        pass
    assert (tmp_path / "a.txt").is_fifo()
    with pytest.raises(archdsl.ArchError, match="a device or a pipe is in the way"):
        check_output(tmp_path / "a.txt", force=True)


@pytest.mark.parametrize("write", WRITERS)
def test_a_name_that_is_too_long_is_told(write: Any, tmp_path: Path) -> None:
    with pytest.raises(archdsl.ArchError, match="File name too long"), write(tmp_path / ("a" * 300)):
        pass
