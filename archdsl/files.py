"""Files and folders that are written whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from archdsl.errors import Mark, fail


@contextmanager
def written_whole(path: Path, hint: str = "") -> Iterator[Path]:
    """A temporary name beside `path` with the same suffixes; it gets its own name when the block ends well.

    Raises ArchError when the folder does not exist or cannot be written to; `hint` is what may help then.
    """
    _check_parent(path)
    partial = _beside(path)
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        raise fail("output", f"cannot be written: {error.strerror or error}", mark=Mark(str(path)), hint=hint) from None
    finally:
        with suppress(OSError):  # on a read-only disk even what is not there cannot be removed
            partial.unlink()


@contextmanager
def folder_written_whole(path: Path, files: Collection[str]) -> Iterator[Path]:
    """A new folder beside `path` that gets its name when the block ends well, with all that is in it by then.

    A folder that is there already is replaced only if it holds nothing but `files`. Raises ArchError for any
    other, and when nothing can be written.
    """
    path = path.absolute()
    _check_parent(path)
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise fail("output", "is in the way; expected a new folder", mark=Mark(str(path)))
    partial = _beside(path)
    try:
        foreign = sorted({found.name for found in path.iterdir()} - set(files)) if path.is_dir() else []
        if foreign:
            message = f"the folder holds '{foreign[0]}', which is no part of a preset; it is left as it is"
            raise fail("output", message, mark=Mark(str(path)), hint="choose a new folder")
        partial.mkdir()
        yield partial
        _replace_folder(path, partial)
    except OSError as error:
        raise fail("output", f"cannot be written: {error.strerror or error}", mark=Mark(str(path))) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def make_folder(path: Path, hint: str = "") -> None:
    """Make a folder and those it is in. Raises ArchError with `hint` when that cannot be done."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"the folder cannot be made: {error.strerror or error}"
        raise fail("output", message, mark=Mark(str(path)), hint=hint) from None


def _replace_folder(path: Path, partial: Path) -> None:
    if not path.is_dir():
        partial.rename(path)
        return
    before = _beside(path)
    path.rename(before)
    try:
        partial.rename(path)
    except OSError:
        before.rename(path)
        raise
    shutil.rmtree(before, ignore_errors=True)


def _beside(path: Path) -> Path:
    """A name that no other process takes, so that two can write the same file: the last one stays, whole."""
    return path.with_name(f".partial-{uuid4().hex[:8]}-{path.name}")


def _check_parent(path: Path) -> None:
    if not path.parent.is_dir():
        raise fail("output", f"there is no folder '{path.parent}'", mark=Mark(str(path)), hint="make it first")
