"""No file makes archdsl act: each attack is answered, within its limits, and nothing else happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from attacks import MISDEEDS, TOPICS, attacks_of
from attacks.__main__ import SECRET
from attacks.case import Attack
from attacks.misdeeds import DEEDS
from support import TESTS, samples

pytestmark = pytest.mark.slow

ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{TESTS}:{TESTS.parent}", "PYTHONWARNINGS": "ignore"}
ENVIRONMENT["PYTHONDONTWRITEBYTECODE"] = "1"  # nothing is written but what an attack writes
LONGEST_REPORT = 20_000  # characters
HANGS_S = 300
WHOLE = slice(None)
QUARTERS = [slice(part, None, 4) for part in range(4)]
# The texts are many, and what a smaller one costs is counted in frontend/test_linear.py, for another quarter of them.
MANY = ["texts", "editing"]
ALONE = "torch_files"
OTHERS = [topic for topic in TOPICS if topic not in (*MANY, ALONE)]
BATCHES = [
    *[(OTHERS[::2], WHOLE), (OTHERS[1::2], WHOLE), ([ALONE], WHOLE)],
    *[([topic], part) for part in QUARTERS for topic in MANY],
]


def named(topics: Sequence[str], *, keras: bool = False) -> dict[str, Attack]:
    """The attacks of some topics, as topic/name."""
    pairs = [(f"{topic}/{attack.name}", attack) for topic in topics for attack in attacks_of(topic)]
    return {name: attack for name, attack in pairs if attack.keras is keras}


def outcomes(attacks: Sequence[str]) -> list[dict[str, Any]]:
    """What came of each attack. One that ends its process is told by how, and the others go on in a new one."""
    command = [sys.executable, "-m", "attacks", *attacks]
    try:
        ended = subprocess.run(command, env=ENVIRONMENT, capture_output=True, timeout=HANGS_S, check=False)
        status, printed, errors = str(ended.returncode), ended.stdout, ended.stderr
    except subprocess.TimeoutExpired as late:
        status, printed, errors = "hangs", late.stdout or b"", late.stderr or b""
    found = [json.loads(line) for line in printed.splitlines() if line.startswith(b"{")]
    if len(found) == len(attacks):
        return found
    told = errors.decode(errors="replace")[-2_000:]
    last = {"how": f"ended the process: {status}", "told": told}
    rest = attacks[len(found) + 1 :]
    return [*found, last, *(outcomes(rest) if rest else [])]


def harm(attack: Attack, outcome: dict[str, Any]) -> list[str]:
    """What an attack has done that it must not do."""
    how, told = outcome["how"], outcome["told"]
    if how not in {None: ("refused", "done"), "": ("done",)}.get(attack.answer, ("refused",)):
        return [f"{how}: {told[-2_000:]}"]
    facts = {
        f"answered without '{attack.answer}': {told[:1_000]}": (attack.answer or "") not in told,
        f"does {outcome['seen'][:5]}": outcome["seen"],
        f"leaves {outcome['left'][:5]}": outcome["left"],
        f"takes {outcome['seconds']:.1f} s of {attack.seconds}": outcome["seconds"] > attack.seconds,
        f"takes {outcome['mebibytes']:.0f} MiB of {attack.mebibytes}": outcome["mebibytes"] > attack.mebibytes,
        "tells a secret": SECRET in told,
        f"prints {len(told):,} characters": len(told) > LONGEST_REPORT,
    }
    return [fact for fact, is_so in facts.items() if is_so]


def check(attacks: dict[str, Attack]) -> None:
    found = outcomes([*attacks])
    harmed = {name: harm(attacks[name], outcome) for name, outcome in zip(attacks, found, strict=True)}
    report = [f"{name}: {fact}" for name, facts in harmed.items() for fact in facts]
    assert not report, "\n".join(report)


@pytest.mark.parametrize(
    "batch",
    samples.sampled(BATCHES, BATCHES[: -3 * len(MANY)]),
    ids=lambda batch: f"{batch[0][0]} {batch[1].start or 0}",
)
def test_an_attack_is_answered_and_nothing_else_happens(batch: tuple[list[str], slice]) -> None:
    topics, part = batch
    check(dict([*named(topics).items()][part]))


@pytest.mark.keras
def test_an_attack_with_keras_is_answered_and_nothing_else_happens() -> None:
    """All in one process, since the import of Keras takes longer than most of them."""
    check(named(TOPICS, keras=True))


@pytest.fixture(scope="module")
def committed() -> dict[str, list[str]]:
    """What is seen of each misdeed."""
    attacks = named([MISDEEDS])
    found = zip(attacks.values(), outcomes([*attacks]), strict=True)
    return {attack.name: harm(attack, outcome) for attack, outcome in found}


@pytest.mark.parametrize("name", DEEDS)
def test_what_a_file_could_do_would_be_seen(name: str, committed: dict[str, list[str]]) -> None:
    assert DEEDS[name][0] in " ".join(committed[name])
