"""A program on a terminal of its own."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path


def on_a_terminal(arguments: Sequence[str], folder: Path, columns: int = 0, **environment: str) -> str:
    """What a program prints on a terminal of so many columns; 0 for one that does not know."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    settings = {**os.environ, "TERM": "xterm-256color", **environment}
    with subprocess.Popen(arguments, stdout=theirs, stderr=theirs, cwd=folder, env=settings):
        os.close(theirs)
        printed = b""
        with suppress(OSError):  # which is how Linux tells the end
            while part := os.read(ours, 1 << 16):
                printed += part
    os.close(ours)
    return printed.decode().replace("\r\n", "\n")
