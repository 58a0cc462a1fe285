"""Parquet files as results of a search, also those that somebody else wrote: nothing that they say is relied on."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyarrow as arrow
import pyarrow.parquet as parquet

from archdsl.diagnostics.problems import ArchError, Mark, fail
from archdsl.diagnostics.wording import first_line

MOST_ROWS = 2**24
"""Of a part: variants in the largest range."""
_BATCH = 2**16
_GROUPS = 1_000
_COLUMN_BYTES = 2**28  # of a group of rows, decompressed
_FOOTER_BYTES = 2**22

Kinds = Mapping[str, tuple[arrow.DataType, ...]]
"""The types that each column may have."""


def row_count(path: Path, kinds: Kinds) -> int:
    """How many rows a part has. Raises ArchError as batches does."""
    with _opened(path, kinds) as file:
        return int(file.metadata.num_rows)


def batches(path: Path, kinds: Kinds) -> Iterator[arrow.Table]:
    """The rows of a part, some at a time. Raises ArchError for a file that no search of these columns wrote."""
    with _opened(path, kinds) as file:
        missing = file.metadata.num_rows
        for batch in file.iter_batches(_BATCH, columns=list(kinds)):
            missing -= batch.num_rows
            if missing < 0 or any(column.null_count for column in batch.columns):
                raise _damaged(path, "has rows without a value, or more rows than it says")
            yield arrow.Table.from_batches([batch])
        if missing:
            raise _damaged(path, f"has {missing:,} rows fewer than it says")


@contextmanager
def _opened(path: Path, kinds: Kinds) -> Iterator[parquet.ParquetFile]:
    try:
        _check_file(path)
        with parquet.ParquetFile(path) as file:
            _check_size(path, file.metadata)
            _check_columns(path, file.schema_arrow, kinds)
            yield file
    except ArchError:
        raise
    except (arrow.ArrowException, OSError, ValueError) as error:  # of Arrow, which has OSError for damaged files too
        raise _damaged(path, f"cannot be read as Parquet: {first_line(error)[:200]}") from None


def _check_file(path: Path) -> None:
    """A regular file, whose description at its end is small."""
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))) as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode):
            raise fail("not-a-file", "not a regular file; expected a part of a search's results", mark=Mark(str(path)))
        file.seek(max(0, state.st_size - 8))
        length = int.from_bytes(file.read(4), "little")
    if length > min(state.st_size, _FOOTER_BYTES):
        raise _damaged(path, "cannot be read as Parquet")


def _check_size(path: Path, described: parquet.FileMetaData) -> None:
    if described.num_rows > MOST_ROWS or described.num_row_groups > _GROUPS:
        message = f"{described.num_rows:,} rows in {described.num_row_groups:,} groups; expected at most {MOST_ROWS:,}"
        raise fail("limit", f"{message} in {_GROUPS:,}", mark=Mark(str(path)))
    for group in map(described.row_group, range(described.num_row_groups)):
        for column in map(group.column, range(group.num_columns)):
            if column.total_uncompressed_size > _COLUMN_BYTES:
                message = f"{column.total_uncompressed_size:,} bytes in a column; expected at most {_COLUMN_BYTES:,}"
                raise fail("limit", message, mark=Mark(str(path)))


def _check_columns(path: Path, schema: arrow.Schema, kinds: Kinds) -> None:
    if sorted(schema.names) != sorted(kinds):
        other = sorted({*schema.names} ^ {*kinds})
        raise _damaged(path, f"has other columns than this search: {', '.join(other[:3]) or 'some twice'}")
    for name, expected in kinds.items():
        found = schema.field(name).type
        if found not in expected:
            raise _damaged(path, f"has {found} in column '{name}'; expected {' or '.join(map(str, expected))}")


def _damaged(path: Path, message: str) -> ArchError:
    hint = "remove the file, and search again: only what is missing is done"
    return fail("unreadable", message, mark=Mark(str(path)), hint=hint)
