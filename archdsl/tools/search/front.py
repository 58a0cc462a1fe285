"""The rows of a search that no other is better than."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from archdsl.tools.search.parts import Results

SHOWN = 20


def front(results: Results, most: int = 1_000) -> list[int]:
    """Numbers of the rows of the Pareto front, the first objective's best first; with one objective, of the best rows.

    Of rows with equal figures the first counts.
    """
    objectives = results.space.objectives
    names, signs = [each.figure for each in objectives], np.array([each.sign for each in objectives])
    numbers, values, before = np.empty(0, np.int64), np.empty((0, len(names))), 0
    for table in results.tables():
        own = np.stack([table[name].to_numpy() for name in names], axis=1) * signs
        numbers = np.concatenate([numbers, before + np.arange(len(own))])
        values = np.concatenate([values, own])
        kept = _best(values, most) if len(names) == 1 else undominated(values)
        numbers, values, before = numbers[kept], values[kept], before + len(own)
    order = np.lexsort((numbers, *values.T[::-1]))
    return [int(number) for number in numbers[order]][:most]


def _best(values: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    return np.argsort(values[:, 0], kind="stable")[:most]


def undominated(values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Positions of the rows for which no other is at most as large everywhere, and smaller somewhere or earlier."""
    order = np.lexsort(values.T[::-1])  # what comes later is not better in the first column
    if values.shape[1] == 2:
        return np.sort(order[_falls(values[order, 1])])
    kept: list[int] = []
    best = np.empty_like(values)
    for position in order:
        if not (best[: len(kept)] <= values[position]).all(axis=1).any():
            best[len(kept)] = values[position]
            kept.append(int(position))
    return np.array(sorted(kept), np.intp)


def _falls(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where a value is less than all before it."""
    least = np.fmin.accumulate(values)
    return np.concatenate([[True], values[1:] < least[:-1]])[: len(values)]
