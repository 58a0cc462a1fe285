"""What a text costs grows with its length and with nothing else. Nothing is timed here: calls are counted."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread

import adversarial
import pytest

import archdsl
from archdsl.composition.overrides import apply_overrides
from archdsl.errors import did_you_mean
from archdsl.nearest import LETTERS, one_report

# What hints may cost, and everything else for each character.
HINTS, STEPS = 6 * LETTERS, 60
LEAST_LETTERS = 10_000  # shorter texts may stand for long networks


def steps(call: Callable[[], object]) -> int:
    """Calls of functions, Python's own among them, and returns from them."""
    count = 0

    def step(*_: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(step)
    try:
        with suppress(archdsl.ArchError):
            call()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("idea", adversarial.IDEAS)
def test_twice_the_text_takes_about_twice_the_steps(idea: str, tmp_path: Path) -> None:
    counts = []
    for number in (400, 800):
        path = tmp_path / f"{number}.yaml"
        text = adversarial.text_of(idea, number)
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        counts.append(steps(lambda path=path: archdsl.analyze(path)))
    few, many = counts
    assert many < 3 * few
    assert many < HINTS + STEPS * max(len(text), LEAST_LETTERS)
