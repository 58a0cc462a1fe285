"""The values of a choice as Optuna suggests them: evenly spaced numbers in steps, intervals, else one of some texts."""

from __future__ import annotations

from functools import lru_cache
from math import isclose
from typing import Any, NamedTuple

from archdsl.diagnostics.packages import package
from archdsl.tools.search.choices import Choice
from archdsl.tools.search.parts import values_of


class _Steps(NamedTuple):
    """Evenly spaced numbers, and the positions of them in their choice."""

    low: float
    step: float
    positions: tuple[int, ...]


def distribution_of(choice: Choice) -> Any:
    """What Optuna is asked for."""
    distributions = package("optuna.distributions")
    if choice.is_interval:
        kind = distributions.IntDistribution if choice.is_whole else distributions.FloatDistribution
        return kind(choice.low, choice.high)
    steps = _steps(choice)
    if steps is None:
        return distributions.CategoricalDistribution(choice.texts)
    kind = distributions.IntDistribution if isinstance(steps.step, int) else distributions.FloatDistribution
    return kind(steps.low, steps.low + (choice.count - 1) * steps.step, step=steps.step)


def digit_of(choice: Choice, value: float | str) -> int:
    """The position of a value that Optuna suggested."""
    if isinstance(value, str):
        return choice.texts.index(value)
    if choice.is_interval:
        share = (value - choice.low) / ((choice.high - choice.low) or 1)
        return round(share * (choice.count - 1))
    steps = _steps(choice)
    assert steps is not None
    return steps.positions[round((value - steps.low) / steps.step)]


@lru_cache(maxsize=256)
def _steps(choice: Choice) -> _Steps | None:
    """None for values that are not evenly spaced numbers."""
    values = values_of(choice)
    if choice.count < 2 or not all(type(value) in (int, float) for value in values):
        return None
    order = sorted(range(choice.count), key=values.__getitem__)
    low, step = values[order[0]], (values[order[-1]] - values[order[0]]) / (choice.count - 1)
    if not all(isclose(values[each], low + index * step, abs_tol=1e-9 * step) for index, each in enumerate(order)):
        return None
    if isinstance(low, int) and step == int(step):
        return _Steps(low, int(step), tuple(order))
    return _Steps(float(f"{low:.12g}"), float(f"{step:.12g}"), tuple(order))
