"""The file that a command writes: never one that it reads, and one that exists only with --force."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from archdsl.backends.atomic_write import check_place
from archdsl.diagnostics.problems import Mark, fail

PathLike = str | os.PathLike[str]


def check_output(path: PathLike, inputs: Iterable[PathLike] = (), force: bool = False) -> None:
    """Raise ArchError when `path` cannot be written, is one of `inputs` (also by a link), or exists without `force`."""
    output, mark = Path(path), Mark(str(path))
    check_place(output)
    if output.is_dir():
        raise fail("output", "is a folder; expected the name of a file", mark=mark)
    exists = output.exists()
    for source in inputs:
        if exists and os.path.exists(source) and os.path.samefile(output, source):  # noqa: PTH110, PTH121
            message = f"would overwrite the input '{os.fspath(source)}'"
            raise fail("output", message, mark=mark, hint="choose another name")
    if exists and not force:
        raise fail("output", "exists already", mark=mark, hint="choose another name, or add --force to replace it")
