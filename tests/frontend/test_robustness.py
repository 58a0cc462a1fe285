"""Whatever a config holds, it compiles or is refused with what is wrong and where; nothing else ever happens."""

from __future__ import annotations

import heapq
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support import TESTS, fuzz, mutation
from support.fuzz import check_problems

import archdsl
from archdsl.tools.cli import main

PRESET = "yolo_v8_s_backbone"
SHAPES = (None, (64, 64, 3), (640, 640, 3))


# Mutants of shipped configs


def outcome(config: Any, seed: int) -> str:
    """The code of the first problem, or "compiled"."""
    try:
        archdsl.compile_config(config, (), SHAPES[seed % len(SHAPES)])
    except archdsl.ArchError as error:
        return check_problems(error.problems, config if isinstance(config, Path) else None)
    return "compiled"


def outcome_of_values(seed: int, folder: Path) -> str:
    return outcome(mutation.value_mutant(seed), seed)


def outcome_of_text(seed: int, folder: Path) -> str:
    path = folder / f"mutant_{seed % 8}.yaml"
    path.write_bytes(mutation.text_mutant(seed).encode())
    return outcome(path, seed)


OUTCOMES = {"values": outcome_of_values, "text": outcome_of_text}


def sweep(kind: str, seeds: range, folder: Path) -> Counter[str]:
    """What came of every mutant. Fails with the seed of the first that raised anything else."""
    outcomes: Counter[str] = Counter()
    slowest = (0.0, 0)
    for seed in seeds:
        start = time.perf_counter()
        try:
            outcomes[OUTCOMES[kind](seed, folder)] += 1
        except Exception as error:
            mutant = mutation.value_mutant(seed) if kind == "values" else mutation.text_mutant(seed)
            pytest.fail(f"{kind} mutant of seed {seed}: {type(error).__name__}: {error}\n{mutant!r}")
        slowest = max(slowest, (time.perf_counter() - start, seed))
    refused = sum(outcomes.values()) - outcomes["compiled"]
    print(f"{kind}: {outcomes['compiled']} compiled, {refused} refused, slowest {slowest}; {outcomes}")
    return outcomes


@pytest.mark.slow
@pytest.mark.parametrize("kind", OUTCOMES)
def test_a_mutant_compiles_or_is_refused(kind: str, tmp_path: Path) -> None:
    outcomes = sweep(kind, range(150), tmp_path)
    assert outcomes["compiled"]
    assert len(outcomes) > 5


@pytest.mark.full
@pytest.mark.parametrize("kind", OUTCOMES)
def test_thousands_of_mutants_compile_or_are_refused(kind: str, tmp_path: Path) -> None:
    sweep(kind, range(150, 5_150), tmp_path)


COMMANDS = [
    ["validate", "FILE"],
    ["validate", "--format", "json", "FILE"],
    ["validate", "--format", "github", "FILE"],
    ["show", "FILE"],
    ["check", "FILE"],
    ["resolve", "FILE"],
    ["explain", "FILE", "stages.p3.width"],
    ["diff", "FILE", PRESET],
    ["blocks", "--config", "FILE"],
]


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_answers_a_mutant_with_0_or_2(command: list[str], tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    answers = set()
    for seed in range(40):
        path.write_bytes(mutation.text_mutant(seed).encode())
        answers.add(answer([str(path) if word == "FILE" else word for word in command]))
    assert answers == {0, 2}


def answer(arguments: list[str]) -> Any:
    """The exit code of a command that runs in this process, which prints what it has to say."""
    try:
        main(arguments)
    except SystemExit as ended:
        return ended.code
    return 0


# Texts from YAML's grammar


def fuzzed(first: int, count: int, folder: Path, nice: int = 0) -> dict[str, Any]:
    """What came of so many texts, in a process of its own: a crash of the parser would end it."""
    command = [
        "nice",
        f"-n{nice}",
        sys.executable,
        str(TESTS / "support" / "fuzz.py"),
        str(first),
        str(count),
        str(folder),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        seed = int((folder / "seed").read_text())
        text = fuzz.text_of(seed)
        pytest.fail(f"seed {seed} ended the process ({result.returncode}): {text!r}\n{result.stderr[-2000:]}")
    report: dict[str, Any] = json.loads(result.stdout)
    assert not report["failures"], "\n".join(report["failures"][:3])
    assert sum(report["verdicts"].values()) == count
    return report


@pytest.mark.slow
def test_a_text_from_the_grammar_compiles_or_is_refused(tmp_path: Path) -> None:
    verdicts = fuzzed(0, 2_000, tmp_path)["verdicts"]
    assert verdicts["compiled"] > 20
    assert {"syntax", "tag", "alias", "merge-key", "depth", "reference", "duplicate-key", "encoding"} <= set(verdicts)


def test_a_text_that_ends_the_process_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fuzzer = str(TESTS / "support" / "fuzz.py")
    crash = "import os, sys, archdsl; archdsl.compile_config = lambda *_: os.abort(); "
    crash += f"sys.argv = ['fuzz.py', '7', '2', {str(tmp_path)!r}]; exec(open({fuzzer!r}).read())"
    run = subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda command, **kwargs: run([sys.executable, "-c", crash], **kwargs))
    with pytest.raises(pytest.fail.Exception, match="seed 7 ended the process"):
        fuzzed(7, 2, tmp_path)


@pytest.mark.full
def test_many_texts_from_the_grammar_compile_or_are_refused(tmp_path: Path) -> None:
    total: Counter[str] = Counter()
    slowest: list[tuple[float, int]] = []
    for first in range(5_000, 205_000, 5_000):
        report = fuzzed(first, 5_000, tmp_path, nice=10)
        total.update(report["verdicts"])
        slowest = heapq.nlargest(fuzz.SLOWEST, [*slowest, *map(tuple, report["slowest"])])
    print(
        f"{total['compiled']} compiled, {sum(total.values()) - total['compiled']} refused, slowest {slowest}; {total}"
    )


# Overrides


SIGNS = ". . . = = + ++ ~ , , : : { } [ ] ( ) ' \" \\ / @ $"
PIECES = [*fuzz.KEYS, *fuzz.WORDS, *fuzz.REFERENCES, *SIGNS.split()]
keys = st.sampled_from(
    ["scale.width", "stages.p4", "stages.p4.depth", "outputs", "outputs.0", "stages.p5.post.sppf", "a", "a.b"]
)
leaves = st.one_of(
    st.sampled_from([*fuzz.WORDS, *fuzz.REFERENCES, "'a b'", '"x"', "int(3)", "glob(*)"]), st.integers().map(str)
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]"),
        st.lists(st.tuples(st.sampled_from(fuzz.KEYS), inner), max_size=3).map(
            lambda items: "{" + ",".join([f"{key}:{value}" for key, value in items]) + "}"
        ),
    ),
    max_leaves=6,
)
written = st.builds("{}{}={}".format, st.sampled_from(["", "", "+", "++", "~"]), keys, values)
soup = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(written, written, soup, st.text(max_size=40)), min_size=1, max_size=3))
@example(["~stages.p4", "stages.p4.width=${stages.p5}"])
@example(["stages.p4=${stages}"])
def test_any_overrides_give_a_config_or_an_arch_error(overrides: list[str]) -> None:
    try:
        archdsl.compile_config(PRESET, overrides)
    except archdsl.ArchError as error:
        check_problems(error.problems)
