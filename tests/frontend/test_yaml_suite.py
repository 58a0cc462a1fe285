"""The YAML Test Suite: every text is read as the suite says or refused, and what is no YAML is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from support import TESTS

import archdsl
from archdsl.frontend.yaml.parser import read_text

CASES: list[dict[str, Any]] = json.loads((TESTS / "yaml_suite" / "cases.json").read_text())

# libyaml reads these otherwise than YAML 1.2: `?foo` and `&an:chor` as two words, a last line of blanks as text.
MISREAD = {"652Z/1", "Y2GN/1", "L24T/2"}


def read(case: dict[str, Any]) -> dict[str, Any] | archdsl.ArchError:
    """The values of a text, or why it is refused."""
    try:
        return read_text(case["yaml"], "case.yaml").values
    except archdsl.ArchError as error:
        return error


def pyyaml_refuses(text: str) -> bool:
    try:
        list(yaml.parse(text, Loader=yaml.CSafeLoader))
    except yaml.YAMLError:
        return True
    return False


def test_the_suite_is_whole() -> None:
    assert len(CASES) == 402
    assert sum(case["must_fail"] for case in CASES) == 94


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_text_is_read_as_the_suite_says_or_refused_with_a_reason(case: dict[str, Any]) -> None:
    found = read(case)
    if isinstance(found, archdsl.ArchError):
        assert all(problem.message for problem in found.problems)
    else:
        assert not case["must_fail"]
        assert (found == case["json"]) is (case["id"] not in MISREAD)


def test_a_valid_mapping_of_plain_data_is_read() -> None:
    """Of those that PyYAML can read, only tags, keys that are no text, merge keys and aliases for keys are refused."""
    valid = [case for case in CASES if "json" in case and not case["must_fail"] and not pyyaml_refuses(case["yaml"])]
    refused = {case["id"]: found.problems for case in valid if isinstance(found := read(case), archdsl.ArchError)}
    codes = {problem.code for problems in refused.values() for problem in problems}
    assert codes <= {"tag", "key", "documents", "leading-zero", "encoding"}, refused
    assert len(valid) - len(refused) > 75


def test_layout_is_looked_at_where_pyyaml_does_not() -> None:
    lax = [case for case in CASES if case["must_fail"] and not pyyaml_refuses(case["yaml"])]
    assert len(lax) == 16
    assert all(isinstance(read(case), archdsl.ArchError) for case in lax)
