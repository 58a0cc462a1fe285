"""The text that a problem is about, read once more to show it or to find where what is wrong ends."""

from __future__ import annotations

import re
import stat
from pathlib import Path

LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # what YAML takes for one
_MAX_FILE_BYTES = 1 << 20


def text_of(file: str) -> str:
    """The text of a small regular file, else nothing: what is read again may have changed since."""
    path = Path(file)
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode) or state.st_size > _MAX_FILE_BYTES:
            return ""
        return path.read_bytes().decode("utf-8-sig", "replace")
    except (OSError, ValueError):
        return ""
