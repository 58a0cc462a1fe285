"""Folders of results of a search that somebody else made."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb  # noqa: F401
import numpy.ma  # noqa: F401  (what importing it compiles is not of a file)
import pyarrow as arrow
import pyarrow.dataset
import pyarrow.parquet as parquet

from archdsl.tools.cli import search_command  # noqa: F401  (importing them compiles data classes)
from archdsl.tools.search import engines, front, planning, query, trials  # noqa: F401
from archdsl.tools.search.found import page  # noqa: F401
from attacks.case import Attack, command

SPACE = """config: csp_darknet_tiny
size: 64
choices: {scale.width: [0.5, 1.0], stages.p3.body.block: [csp, c2f]}
minimize: macs
"""
COLUMNS: Mapping[str, list[Any]] = {
    "scale.width": [0.5],
    "stages.p3.body.block": ["csp"],
    **{name: [1] for name in ("params", "trainable_params", "macs", "activation_bytes")},
}
PART, STATE = "found/part-000000.parquet", "found/search.json"


def folder_with(make: Callable[[Path], object]) -> Callable[[Path], object]:
    """A whole folder of results of one row, then what is wrong with it."""

    def made(folder: Path) -> None:
        (folder / "found").mkdir()
        (folder / "found/space.yaml").write_text(SPACE)
        (folder / STATE).write_text(json.dumps({"folder": str(folder)}))
        parquet.write_table(arrow.table(COLUMNS), folder / PART)
        make(folder)

    return made


def part(**columns: Any) -> Callable[[Path], object]:
    """The part with other columns; None leaves one out. Names have `_` for a dot."""
    made = {name: values for name, values in {**COLUMNS, **columns}.items() if values is not None}
    return folder_with(lambda folder: parquet.write_table(arrow.table(made), folder / PART))


def part_of(data: bytes) -> Callable[[Path], object]:
    return folder_with(lambda folder: (folder / PART).write_bytes(data))


def cut(folder: Path) -> None:
    """The description of the rows is whole, and of the rows nothing."""
    data = (folder / PART).read_bytes()
    half = len(data) // 3
    (folder / PART).write_bytes(b"PAR1" + b"\xff" * (half - 4) + data[half:])


def long(count: int, **options: Any) -> Callable[[Path], object]:
    """Many equal rows in few bytes."""

    def make(folder: Path) -> None:
        schema = arrow.table(COLUMNS).schema
        rows = 2**18
        columns = [arrow.array([value], field.type) for (value,), field in zip(COLUMNS.values(), schema, strict=True)]
        table = arrow.table([arrow.repeat(each[0], rows) for each in columns], schema=schema)
        with parquet.ParquetWriter(folder / PART, schema, compression="zstd", **options) as file:
            for _ in range(count // rows):
                file.write_table(table)

    return folder_with(make)


def state(text: str) -> Callable[[Path], object]:
    return folder_with(lambda folder: (folder / STATE).write_text(text))


def instead_of(name: str, make: Callable[[Path], object]) -> Callable[[Path], object]:
    def replaced(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return folder_with(replaced)


def linked(path: Path) -> None:
    path.symlink_to("/dev/zero")


show = command("search", "found")


def asks(question: str) -> Callable[[Path], object]:
    return command("search", "found", "--sql", question)


NO_PARQUET, NOT_REGULAR, OTHER = "cannot be read as Parquet", "not a regular file", "has other columns"
TEXT = "stages.p3.body.block"
NO_FILES, ONE = "file system operations", "expected one SELECT"
NO_STATE = "is not what a search writes there"
ATTACKS = [
    Attack("as it should be", part(), show),
    Attack("a part of text", part_of(b"secret.txt" * 100), show, NO_PARQUET),
    Attack("an empty part", part_of(b""), show, NO_PARQUET),
    Attack("a part that says it is all description", part_of(b"PAR1" + b"\xff\xff\xff\x7fPAR1"), show, NO_PARQUET),
    Attack("a part of damaged rows", folder_with(cut), show, NO_PARQUET),
    Attack("a pipe as a part", instead_of(PART, lambda path: os.mkfifo(path)), show, NOT_REGULAR),
    Attack("a device as a part", instead_of(PART, linked), show, NOT_REGULAR, touches=("open",)),
    Attack("a folder as a part", instead_of(PART, lambda path: path.mkdir()), show, "cannot be read"),
    Attack("a part without a column", part(macs=None), show, OTHER),
    Attack("a part with another column", part(secret=[1]), show, OTHER),
    Attack("a part with texts for numbers", part(params=["1"]), show, "has string in column 'params'"),
    Attack("a part with nothing for a number", part(macs=arrow.array([None], "int64")), show, "without a value"),
    Attack("a part with lists", part(macs=[[1]]), show, "in column 'macs'"),
    Attack("a part of too many rows", long(2**24 + 2**18), show, "expected at most 16,777,216"),
    Attack("a part of a text of 300 MB", part(**{TEXT: ["x" * 300_000_000]}), show, "bytes in a column"),
    Attack("a part of a million equal rows", long(2**20), show),
    Attack(
        "a value that its key does not take",
        part(**{"scale.width": [-1.0]}),
        command("search", "found", "--take", "0", "-o", "mine.yaml"),
        "scale.width",
    ),
    Attack(
        "a page of a value that its key does not take",
        part(**{"scale.width": [-1.0]}),
        command("search", "found", "--report", "found.html"),
    ),
    Attack("search.json that is not JSON", state("{'folder': secret.txt"), show, NO_STATE),
    Attack("search.json of another shape", state("[1]"), show, NO_STATE),
    Attack("search.json of a deep list", state("[" * 100_000), show, NO_STATE),
    Attack("search.json of 10 MB", state('{"folder": "' + "x" * 10_000_000 + '"}'), show, "10000014 bytes"),
    Attack("search.json as a pipe", instead_of(STATE, lambda path: os.mkfifo(path)), show, "has no results"),
    Attack("a folder that is none", state('{"folder": "a\\u0000b"}'), show),
    Attack("a query that reads a file", part(), asks("SELECT * FROM read_text('../secret.txt')"), NO_FILES),
    Attack("a query that writes a file", part(), asks("COPY (SELECT 1) TO 'written.csv'"), ONE),
    Attack("a query that attaches a file", part(), asks("ATTACH 'written.db'"), ONE),
    Attack("a query that loads an extension", part(), asks("LOAD httpfs"), ONE),
    Attack("a query that asks for access", part(), asks("SET enable_external_access=true"), ONE),
    Attack("two queries", part(), asks("SELECT 1; SELECT 2"), ONE),
    Attack("a query of Python's variables", part(), asks("SELECT * FROM results"), "does not exist"),
    Attack("a query of ten billion rows", part(), asks("SELECT * FROM range(10_000_000_000)")),
]
