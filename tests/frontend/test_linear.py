"""What a text costs grows with its length and with nothing else. Nothing is timed here: calls are counted."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from support import adversarial, samples

import archdsl
from archdsl.analysis.explain import explain
from archdsl.diagnostics.nearest import LETTERS, one_report
from archdsl.diagnostics.problems import MAX_PROBLEMS, MAX_TEXT
from archdsl.diagnostics.wording import did_you_mean

# What hints may cost, and everything else for each character.
HINTS, STEPS = 6 * LETTERS, 60
TWICE = 2.2  # the most that was found is 1.9999
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


@pytest.mark.slow
@pytest.mark.parametrize("idea", samples.every_fourth(adversarial.IDEAS, start=2))
def test_twice_the_text_takes_about_twice_the_steps(idea: str, tmp_path: Path) -> None:
    counts = []
    for number in (200, 400):
        path = tmp_path / f"{number}.yaml"
        text = adversarial.text_of(idea, number)
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        counts.append(steps(lambda path=path: archdsl.analyze(path)))
    few, many = counts
    assert many < TWICE * few
    assert many < HINTS + STEPS * max(len(text), LEAST_LETTERS)


def test_the_hints_of_one_report_share_their_letters() -> None:
    """And a report that follows it, or stands beside it in another thread, has its own."""
    hint, known = "did you mean 'width'?", ["width"]
    long = ["depth" * 40] * (LETTERS // 200 // 2)
    with one_report():
        assert did_you_mean("widht", known) == hint
        did_you_mean("x", long)
        with one_report():
            did_you_mean("x", long)
        assert steps(lambda: did_you_mean("widht", long)) < 1_000
        assert did_you_mean("widht", known) == ""
        with ThreadPoolExecutor() as threads:
            assert threads.submit(did_you_mean, "widht", known).result() == hint
    with one_report():
        assert did_you_mean("widht", known) == hint


@pytest.mark.parametrize("idea", ["stages", "stages of many layers"])
def test_explaining_twice_the_text_takes_about_twice_the_steps(idea: str, tmp_path: Path) -> None:
    counts = []
    for number in (300, 600):
        path = tmp_path / f"{number}.yaml"
        path.write_text(adversarial.text_of(idea, number))
        counts.append(steps(lambda path=path: explain(path, "stages")))
    assert counts[1] < 3 * counts[0]


def test_a_message_is_short_however_long_what_it_quotes(tmp_path: Path) -> None:
    for idea in ("a parent of one word", "long unknown blocks", "a text of points for a number", "misspelt sources"):
        path = tmp_path / "net.yaml"
        path.write_text(adversarial.text_of(idea))
        with pytest.raises(archdsl.ArchError) as caught:
            archdsl.analyze(path)
        for problem in caught.value.problems:
            assert max(map(len, (problem.message, problem.hint, problem.path))) <= MAX_TEXT
        assert len(caught.value.problems) <= MAX_PROBLEMS
