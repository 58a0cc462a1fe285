"""Results of a search in a folder: a Parquet file for each range of variants, which exists when the range is done."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as arrow
import pyarrow.parquet as parquet

import archdsl
from archdsl.backends.atomic_write import make_folder, written_whole
from archdsl.blocks.plugins import code_of, is_file, load_plugins
from archdsl.diagnostics.nearest import one_report
from archdsl.diagnostics.problems import Mark, fail
from archdsl.frontend.budget import Budget
from archdsl.frontend.compose.config import Config
from archdsl.frontend.source import Source
from archdsl.frontend.yaml.files import read_file
from archdsl.frontend.yaml.writing import yaml_document
from archdsl.tools.search.choices import Choice
from archdsl.tools.search.figures import ALWAYS
from archdsl.tools.search.part_files import Kinds, batches, row_count
from archdsl.tools.search.space import Space, space_data, space_of
from archdsl.tools.search.variants import Variants
from archdsl.tools.search.ways import Rows, Way

SPACE, STATE = "space.yaml", "search.json"
_NUMBER = re.compile(r"[+-]?[\d.][\d_.eE+-]*")
PARTIAL = ".partial-"  # begins the names of files that are being written


class Job(NamedTuple):
    """A search: what goes through which space, and where the results go. Goes to workers as a whole."""

    space: Space
    way: Way
    folder: Path
    plugins: tuple[str, ...] = ()

    def part(self, index: int) -> Path:
        return self.folder / f"part-{index:06d}.parquet"

    @property
    def anywhere(self) -> Job:
        """The same for a process in another folder."""
        plugins = [str(Path(each).absolute()) if is_file(each) else each for each in self.plugins]
        return self._replace(folder=self.folder.absolute(), plugins=tuple(plugins))

    @property
    def missing(self) -> list[int]:
        """The ranges that are not done."""
        there = {file.name for file in self.folder.glob("part-*.parquet")}
        return [index for index in range(self.way.ranges) if self.part(index).name not in there]

    def write(self, index: int) -> int:
        """Go through a range, unless that was done, and write its rows; returns the range."""
        load_plugins(self.plugins)  # a worker has none of the blocks that this process was given
        path = self.part(index)
        if not path.exists():
            table = table_of(self.space, self.way.rows(index))
            with written_whole(path) as partial:
                parquet.write_table(table, partial)
        return index


def begin(job: Job, kind: str) -> None:
    """Make the folder, or go on in it. Raises ArchError where it has results of another search.

    `kind` says which way it is gone, with what the rows depend on beside the space.
    """
    go_on_in(job.folder, job.space, {"kind": kind, "ranges": job.way.ranges})


def go_on_in(folder: Path, space: Space, about: Mapping[str, Any]) -> None:
    """The same for any search, which is another where its space or what is `about` it differs.

    Several processes may begin at once, and one that is killed goes on.
    """
    make_folder(folder)
    state = {**about, "archdsl": archdsl.__version__, "space": fingerprint(space), "folder": space.folder}
    path = folder / STATE
    there = [file.name for file in folder.iterdir() if PARTIAL not in file.name]
    if not path.exists():  # it comes first, so that what is there is not of a search
        if set(there) - {STATE}:
            raise fail("output", "is not empty", mark=Mark(str(folder)), hint="choose a new folder")
        with written_whole(path) as partial:
            partial.write_text(json.dumps(state, indent=2) + "\n")
    if read_file(path, _read_state).values != state:
        hint = "choose another folder, or remove this one"
        raise fail("output", "has results of another search", mark=Mark(str(folder)), hint=hint)
    if SPACE not in there:
        with written_whole(folder / SPACE) as partial:
            partial.write_text(yaml_document(dict(space_data(space))))


def fingerprint(space: Space) -> str:
    """What the results depend on: the space, and its config, the options of groups that are chosen from, its plugins'
    blocks and its machine as they are now."""
    config = space.base().resolved
    groups = [choice for choice in space.choices if choice.given(0).chooses]
    options = [space.base([each.override(digit)]).values for each in groups for digit in range(each.count)]
    machine = [asdict(space.machine)] if space.machine else []
    data = json.dumps([dict(space_data(space)), config, *options, *machine], sort_keys=True)
    return hashlib.sha256("\0".join([data, *code_of(data)]).encode()).hexdigest()


def table_of(space: Space, rows: Rows) -> arrow.Table:
    """A column for each choice, named by its key, and one for each figure."""
    columns = {choice.key: column(choice, rows.digits[:, position]) for position, choice in enumerate(space.choices)}
    return arrow.table({**columns, **{name: arrow.array(values) for name, values in rows.figures.items()}})


def column(choice: Choice, digits: np.ndarray[Any, Any]) -> arrow.Array:
    """Values of a choice: numbers where all are, else as overrides write them."""
    if choice.is_interval:
        numbers = [float(choice.written(digit)) for digit in digits.tolist()]
        return arrow.array(numbers, arrow.int64() if choice.is_whole else arrow.float64(), from_pandas=False)
    values = values_of(choice)
    kind = arrow.infer_type(values)
    return arrow.array(values, kind).take(arrow.array(digits, arrow.int64()))


def values_of(choice: Choice) -> Sequence[Any]:
    """The values of a choice: as plain numbers where all are, else as overrides write them."""
    if not all(map(_NUMBER.fullmatch, choice.texts)):
        return choice.texts
    for kind in (int, float):
        with suppress(ValueError):
            return [*map(kind, choice.texts)]
    return choice.texts


def kinds_of(space: Space) -> Kinds:
    """The columns of results, with the types that each may have."""
    none = np.empty(0, np.int64)
    figures = dict.fromkeys([*ALWAYS, *space.figures], (arrow.int64(), arrow.float64()))
    return {**{choice.key: (column(choice, none).type,) for choice in space.choices}, **figures}


class Results(NamedTuple):
    """The rows of a search that was begun, in the order of its variants, counted from 0."""

    folder: Path
    space: Space
    kinds: Kinds
    ranges: int
    """How many parts there are when all is done."""

    @property
    def parts(self) -> list[Path]:
        return sorted(self.folder.glob("part-*.parquet"))

    @property
    def rows(self) -> int:
        return sum([row_count(part, self.kinds) for part in self.parts])

    def tables(self) -> Iterator[arrow.Table]:
        """All rows, some at a time."""
        for part in self.parts:
            yield from batches(part, self.kinds)

    def taken(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        """The rows with these numbers. Raises ArchError where there are not so many."""
        wanted, found = np.array(sorted({*numbers}), np.int64), dict[int, dict[str, Any]]()
        before = 0
        for part in self.parts:
            end = before + row_count(part, self.kinds)
            if _between(wanted, before, end).size:
                for table in batches(part, self.kinds):
                    own = _between(wanted, before, before + len(table))
                    found.update(zip(own.tolist(), table.take(own - before).to_pylist(), strict=True))
                    before += len(table)
            before = end
        missing = [number for number in numbers if number not in found]
        if missing:
            hint = f"rows are counted from 0 to {before - 1:,}" if before else "no variant is within the budget"
            raise fail("value", f"there is no row {missing[0]:,}", mark=Mark(str(self.folder)), hint=hint)
        return [found[number] for number in numbers]

    def row(self, number: int) -> dict[str, Any]:
        """The row with this number. Raises ArchError where there are not so many."""
        return self.taken([number])[0]

    def choices(self, row: Mapping[str, Any]) -> list[str]:
        """The overrides that a row stands for."""
        return overrides_of(self.space, row)


def _between(numbers: np.ndarray[Any, Any], begin: int, end: int) -> np.ndarray[Any, Any]:
    return numbers[np.searchsorted(numbers, begin) : np.searchsorted(numbers, end)]


def overrides_of(space: Space, row: Mapping[str, Any]) -> list[str]:
    """The overrides that the values of the choices in a row stand for."""
    return [f"{choice.key}={_text(row[choice.key])}" for choice in space.choices]


class Configs:
    """The configs of rows of a space, from one that is composed already where the values of a row are its choices'."""

    def __init__(self, space: Space):
        self.variants = Variants(space)
        self._places = [
            {value: place for place, value in enumerate(values_of(choice))} if choice.texts else {}
            for choice in space.choices
        ]

    def of(self, row: Mapping[str, Any]) -> Config:
        """The config of a row. Raises ArchError for values that it does not take."""
        space = self.variants.space
        try:
            digits = [places[row[choice.key]] for choice, places in zip(space.choices, self._places, strict=True)]
        except KeyError:  # of an interval, or in a part that somebody else wrote
            return space.base(overrides_of(space, row))
        return self.variants.config(digits)


@one_report()
def results_in(folder: Path) -> Results:
    """What is in the folder of a search. Raises ArchError for another folder."""
    if not (folder / STATE).is_file():
        raise fail("input", "has no results of a search", mark=Mark(str(folder)), hint="archdsl search SPACE -o DIR")
    state = read_file(folder / STATE, _read_state).values
    space = space_of(read_file(folder / SPACE), Path(state["folder"]))
    return Results(folder, space, kinds_of(space), state.get("ranges", 0))


def _read_state(text: str, name: str, budget: Budget) -> Source:
    """What `begin` wrote. Raises ArchError for any other text."""
    try:
        state = json.loads(text)
    except (ValueError, RecursionError):
        state = None
    is_ours = isinstance(state, dict) and isinstance(state.get("folder"), str)
    if not is_ours or not isinstance(state.get("ranges", 0), int):
        raise fail("syntax", "is not what a search writes there", mark=Mark(name), hint="archdsl search SPACE -o DIR")
    return Source(name, state)


def _text(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value) if isinstance(value, float) else str(value)
