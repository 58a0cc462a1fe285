"""What no file may make archdsl do, done on purpose, and a word of what must be seen of it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attacks.case import Attack
from attacks.watch import SECRET_VARIABLE


def allocate(folder: Path) -> None:
    bytearray(b"x") * (400 << 20)


def compute(folder: Path) -> None:
    while True:
        pass


def raise_from_none(folder: Path) -> None:
    raise KeyError("a parser")


DEEDS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "read": ("open", lambda folder: Path("/etc/hostname").read_bytes()),
    "read the secret": ("open", lambda folder: (folder.parent / "secret.txt").read_text()),
    "read through a link": ("open", lambda folder: (linked(folder, "/etc/hostname")).read_bytes()),
    "write": ("open", lambda folder: (folder.parent / "new.txt").write_text("x")),
    "remove": ("os.remove", lambda folder: (folder.parent / "secret.txt").unlink()),
    "list": ("listdir", lambda folder: list(Path("/").iterdir())),
    "import": ("import", lambda folder: __import__("pytest")),
    "exec": ("exec", lambda folder: exec("1")),
    "compile": ("compile", lambda folder: compile("1", "x", "eval")),
    "system": ("os.system", lambda folder: os.system("true")),
    "subprocess": ("subprocess", lambda folder: subprocess.run(["true"], check=True)),
    "socket": ("socket", lambda folder: socket.socket().close()),
    "environment": ("environment", lambda folder: os.environ[SECRET_VARIABLE]),
    "whole environment": ("environment", lambda folder: dict(os.environ)),
    "leave a file": ("leaves", lambda folder: (folder.parent / "temporary" / "x").touch()),
    "tell the secret": ("secret", lambda folder: print(os.environ[SECRET_VARIABLE])),
    "print much": ("characters", lambda folder: print("x" * 25_000)),
    "raise": ("traceback", raise_from_none),
    "memory": ("MiB", allocate),
    "time": ("ended the process: -24", compute),
    "crash": ("ended the process: -11", lambda folder: os.kill(os.getpid(), signal.SIGSEGV)),
}


def linked(folder: Path, target: str) -> Path:
    link = folder / "link"
    link.symlink_to(target)
    return link


ATTACKS = [Attack(word, lambda folder: None, deed, seconds=1.0) for word, (_, deed) in DEEDS.items()]
