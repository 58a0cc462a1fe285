"""A measure of time that is the same on every machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def at_most(calls: int) -> Iterator[list[int]]:
    """Fails when the block calls more functions, in Python or C; gives their number so far."""
    count = [0]

    def counted(frame: Any, event: str, argument: Any) -> None:
        count[0] += event in ("call", "c_call")
        if count[0] > calls:
            sys.setprofile(None)
            raise AssertionError(f"more than {calls:,} calls")

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        yield count
    finally:
        sys.setprofile(before)
