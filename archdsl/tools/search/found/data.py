"""What a page shows of the results of a search, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pyarrow as arrow

from archdsl.diagnostics.unicode import printable
from archdsl.frontend.compose.search_path import preset_names
from archdsl.tools.search.front import SHOWN, front
from archdsl.tools.search.parts import Results
from archdsl.tools.search.space import Space

MOST_POINTS = 3_000
MOST_CELLS = 36_000
"""Of points, in their columns: those of 3,000 points in twelve."""
BYTES = ("activation_bytes", "activation_memory", "file_bytes")


class Shown(NamedTuple):
    """Rows of the results in a page: their numbers and values, those of the front first."""

    numbers: Sequence[int]
    rows: Sequence[Mapping[str, Any]]
    in_front: int


def shown_of(results: Results) -> Shown:
    """The front, and a random sample of the others that is the same each time.

    With one objective the front is the best rows; without any it is the first.
    """
    count, objectives = results.rows, len(results.space.objectives)
    best = front(results) if objectives > 1 else front(results, SHOWN) if objectives else list(range(min(count, SHOWN)))
    most = min(MOST_POINTS, MOST_CELLS // len(results.kinds))
    others = sorted({*Random(0).sample(range(count), min(count, most))} - {*best})[: max(0, most - len(best))]
    numbers = [*best, *others]
    return Shown(numbers, results.taken(numbers), len(best))


def data_of(results: Results, shown: Shown) -> dict[str, Any]:
    """All that a page shows but configs and diagrams, as JSON can have it."""
    space = results.space
    return {
        "folder": printable(str(results.folder)),
        "config": printable(space.config),
        "reference": printable(_reference(space)),
        "given": [*map(printable, space.overrides)],
        "size": space.size,
        "variants": space.variants,
        "count": results.rows,
        "bounds": [[each.figure, _plain(each.least), _plain(each.most)] for each in space.bounds],
        "latency": printable(space.latency_text),
        "objectives": [list(each) for each in space.objectives],
        "columns": [*map(_column(results), results.kinds)],
        "rows": [[number, *map(_plain, row.values())] for number, row in zip(shown.numbers, shown.rows, strict=True)],
        "in_front": shown.in_front,
    }


def _reference(space: Space) -> str:
    """What commands call the config."""
    return space.config if space.config in preset_names() else str(Path(space.folder, space.config))


def _column(results: Results) -> Any:
    choices = {choice.key for choice in results.space.choices}

    def described(name: str) -> dict[str, Any]:
        kinds = results.kinds[name]
        unit = "bytes" if name in BYTES else ""
        is_real = kinds == (arrow.float64(),)
        return {"name": name, "choice": name in choices, "text": arrow.string() in kinds, "real": is_real, "unit": unit}

    return described


def _plain(value: Any) -> Any:
    """JSON has no infinite number, which is a text then; what is no number at all is nothing."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, float) and not isfinite(value):
        return None if value != value else "∞" if value > 0 else "−∞"
    return value
