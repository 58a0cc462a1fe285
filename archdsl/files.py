"""Files that are written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from archdsl.errors import Mark, fail


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` with the same suffixes; it gets its own name when the block ends well.

    Raises ArchError when the folder does not exist or cannot be written to.
    """
    if not path.parent.is_dir():
        raise fail("output", f"there is no folder '{path.parent}'", mark=Mark(str(path)), hint="make it first")
    partial = path.with_name(f".partial-{path.name}")
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        raise fail("output", f"cannot be written: {error.strerror or error}", mark=Mark(str(path))) from None
    finally:
        partial.unlink(missing_ok=True)
