"""SQL over the rows of a search, by DuckDB: a view `variants`, whose first column, `row`, is what --take takes."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pyarrow.dataset as dataset

from archdsl.diagnostics.packages import package
from archdsl.diagnostics.problems import fail
from archdsl.tools.search.parts import Results

MOST_ROWS = 100
"""Of the result of a query, that are returned."""
_VIEW = "CREATE VIEW variants AS SELECT row_number() OVER () - 1 AS row, * FROM {parts}"
_SETTINGS = {
    "enable_external_access": "false",  # no file, no extension
    "python_enable_replacements": "false",  # no variable of this program as a table
    "memory_limit": "1GiB",
    "temp_directory": "",
}


class Answer(NamedTuple):
    """The columns of the result of a query, its first rows, and whether there are more."""

    names: list[str]
    rows: list[tuple[Any, ...]]
    is_cut: bool


def view_of(results: Results) -> str:
    """The statement that makes the same view in any other client of DuckDB."""
    files = glob.escape(str(results.folder.absolute())) + "/part-*.parquet"
    return _VIEW.format(parts="read_parquet('{}')".format(files.replace("'", "''"))) + ";"


def ask(results: Results, query: str) -> Answer:
    """What a SELECT gives. Raises ArchError for what is wrong with it, and for any other statement.

    It cannot reach anything but the rows: DuckDB gets them from here, and may itself open nothing.
    """
    duckdb = package("duckdb")
    if not results.rows:  # which looks at every part too
        raise fail("empty", "no variant is within the budget")
    with _connected(duckdb, results) as connection:
        try:
            statements = connection.extract_statements(query)
            if [each.type for each in statements] != [duckdb.StatementType.SELECT]:
                raise fail("value", "expected one SELECT", hint="the rows are the view 'variants'")
            found = connection.execute(statements[0])
            rows = found.fetchmany(MOST_ROWS + 1)
        except duckdb.Error as error:
            said, *_ = str(error).split("\n\nLINE ")
            raise fail("value", "; ".join(said[:2_000].split("\n"))) from None
        return Answer([column[0] for column in found.description], rows[:MOST_ROWS], len(rows) > MOST_ROWS)


@contextmanager
def _connected(duckdb: Any, results: Results) -> Iterator[Any]:
    with duckdb.connect(":memory:", config=_SETTINGS) as connection:
        connection.register("parts", dataset.dataset([str(part) for part in results.parts], format="parquet"))
        connection.execute(_VIEW.format(parts="parts"))
        connection.execute("SET lock_configuration = true")
        yield connection
