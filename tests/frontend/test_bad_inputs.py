"""Whatever a user gives: one clear report with a place and a fix, on every path, in no time."""

from __future__ import annotations

import datetime
import decimal
import enum
import json
import math
import os
import resource
import subprocess
import sys
import types
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bad_inputs import CASES, NETWORKS, REFERENCES
from bad_inputs.case import NET, Case
from omegaconf import OmegaConf
from support import TESTS, samples, warm

import archdsl
from archdsl.frontend.compose.config import load
from archdsl.frontend.yaml.parser import read_text
from archdsl.tools.cli import main

ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{TESTS}:{TESTS.parent}"}
DANGEROUS = [case for case in CASES if case.dangerous]


def of(config: Any, *overrides: str) -> list[archdsl.Problem]:
    """The problems of a config; no other error, no result."""
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.compile_config(config, overrides)
    return caught.value.problems


def verdict(problems: list[archdsl.Problem]) -> set[tuple[str, str, str, str]]:
    """A report without its places."""
    return {(problem.path, problem.code, problem.message, problem.hint) for problem in problems}


def place_of(case: Case, name: str) -> str:
    """Where the report must point, as it is printed."""
    if case.at:
        file, line, column = case.at
        return f"{file}:{line}:{column}" if line else f"{file}"
    if case.overrides and not case.text:
        return "<override 1>:1:"  # and the column of the key or the value
    return f"{name}:{case.place[0]}:{case.place[1]}" if case.place else ""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and this process in it."""
    inside = tmp_path / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    return inside


def test_every_spelling_of_a_trap_is_a_case() -> None:
    assert len(CASES) > 900
    assert len({case.number for case in CASES}) > 100


@pytest.mark.parametrize("case", [case for case in CASES if case.code], ids=lambda case: case.id)
def test_a_bad_input_is_reported_with_its_place_and_fix(case: Case, folder: Path) -> None:
    name = case.prepare(folder)
    problems = of(name, *case.overrides)
    wanted = place_of(case, name)
    assert [
        problem
        for problem in problems
        if (problem.code, case.message in problem.message, case.hint in problem.hint) == (case.code, True, True)
        and (str(problem.mark).startswith(wanted) if case.overrides else str(problem.mark).endswith(wanted))
    ], "\n".join(map(str, problems))
    assert len(problems) == 1 or case not in NETWORKS
    for problem in problems:
        assert problem.message.strip()
        assert len(problem.message) < 1_000
        assert len(problem.path) < 1_000


# Every spelling is reported above; these are tried in other ways as well.
TRIED = [*{case.number: case for case in CASES}.values(), *CASES[::4], *[case for case in CASES if not case.code]]


@pytest.mark.parametrize("case", samples.sampled(CASES, TRIED), ids=lambda case: case.id)
def test_the_command_line_reports_it_and_exits_with_2(
    case: Case, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = case.prepare(folder)
    with pytest.raises(SystemExit) as caught:
        main(["show", name, *case.overrides, *case.options])
    printed = capsys.readouterr()
    assert caught.value.code == 2
    assert "Traceback" not in printed.err
    assert not printed.out
    assert case.message.partition("\n")[0] in printed.err
    assert (f"error[{case.code}]" if case.code else "rror") in printed.err


COMMANDS = {
    "validate": ["validate", "net.yaml"],
    "resolve": ["resolve", "net.yaml"],
    "diff": ["diff", "net.yaml", "resnet18_v2"],
    "diff the other way": ["diff", "resnet18_v2", "net.yaml"],
    "build": ["build", "net.yaml", "-o", "net.keras"],
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("text", ["stages: [", "stages: {p1: {widht: 8}}\n", "a: !!python/name:os.system\n", "", "\0"])
def test_every_command_reports_the_same(
    command: str, text: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "net.yaml").write_text(text)
    with pytest.raises(SystemExit) as caught:
        main(COMMANDS[command])
    assert caught.value.code == 2
    assert str(of("net.yaml")[0]).splitlines()[0] in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["net.yaml"]


@pytest.mark.slow
def test_the_whole_table_costs_little_and_imports_no_framework() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "bad_inputs"], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    figures = json.loads(run.stdout)
    assert figures["with a place"] == figures["with text to point at"] > 400
    assert figures["most_calls"] < 3_000_000, figures
    assert figures["peak_mib"] < 200
    assert figures["imported"] == []


@pytest.mark.parametrize("case", DANGEROUS, ids=lambda case: case.id)
def test_what_could_eat_the_machine_is_refused_in_a_small_process(case: Case, folder: Path) -> None:
    name = case.prepare(folder)
    limits = {resource.RLIMIT_CPU: 5, resource.RLIMIT_DATA: 200 << 20}
    ended = warm.run("archdsl", "show", name, *case.overrides, folder=folder, limits=limits)
    assert ended.returncode == 2, ended.stderr
    assert f"error[{case.code}]" in ended.stderr
    assert "Traceback" not in ended.stderr


# The same text, however it is given.


def readable(case: Case) -> dict[str, Any] | None:
    """The values of a case that is wrong in what it says, not in how it is written."""
    if not isinstance(case.text, str) or not case.text or case.files or case.make or case.options:
        return None
    try:
        values = read_text(case.data.decode(), "net.yaml").values
    except (archdsl.ArchError, UnicodeDecodeError):
        return None
    return None if "defaults" in values else values  # a dict has no folder for parents


SURVIVORS = [case for case in CASES if readable(case) is not None and case.number != 135]


def test_many_cases_can_be_given_as_a_dict() -> None:
    assert len(SURVIVORS) > 250


@pytest.mark.parametrize("case", samples.sampled(SURVIVORS, TRIED), ids=lambda case: case.id)
def test_a_file_a_dict_and_a_dict_config_have_the_same_verdict(case: Case, folder: Path) -> None:
    values = readable(case)
    assert values is not None
    expected = verdict(of(case.prepare(folder)))
    assert verdict(of(values)) == expected
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.build_from_config(values)
    assert verdict(caught.value.problems) == expected
    if case not in REFERENCES:  # OmegaConf reads those itself
        assert verdict(of(OmegaConf.create(values))) == expected


@pytest.mark.parametrize("name", samples.presets())
def test_a_shipped_config_gives_one_graph_on_every_path(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = str(archdsl.compile_config(name))
    values = load(name).resolved
    assert str(archdsl.compile_config(values)) == graph
    assert str(archdsl.compile_config(OmegaConf.create(values))) == graph
    child = folder / "child.yaml"
    child.write_text(f"defaults: [{name}, _self_]\nname: {name}\n")
    assert str(archdsl.compile_config(child)) == graph
    if archdsl.compile_config(name).image.height is None:
        main(["show", str(child), "--graph", "--size", "any"])
        assert capsys.readouterr().out.strip() == graph.strip()


# What only Python can give.


class Activation(enum.StrEnum):
    RELU = "relu"


class Colour(enum.Enum):
    RED = 1


def with_(**changes: Any) -> dict[str, Any]:
    return {**read_text(NET, "net.yaml").values, **changes}


ACCEPTED = {
    "numpy integer": with_(scale={"max_width": np.int64(8)}),
    "numpy float": with_(scale={"width": np.float32(0.5)}),
    "numpy double": with_(scale={"width": np.float64(0.5)}),
    "numpy truth": with_(input={"rescale": np.True_}),
    "numpy text": with_(description=np.str_("a text")),
    "tuple": with_(input={"shape": (None, None, 3)}),
    "enumeration of texts": with_(conventions={"activation": Activation.RELU}),
    "ordered dict": OrderedDict(with_()),
    "read-only mapping": types.MappingProxyType(with_()),
    "list of tuples": with_(outputs=("p1",)),
}


@pytest.mark.parametrize("config", ACCEPTED.values(), ids=list(ACCEPTED))
def test_python_values_are_taken_for_what_they_mean(config: Any) -> None:
    assert archdsl.compile_config(config).levels["P1"].channels == (4 if config.get("scale", {}).get("width") else 8)
    values = load(config).values
    assert json.loads(json.dumps(values)) == values  # nothing but plain data is left


CYCLE: dict[str, Any] = {}
CYCLE["scale"] = CYCLE
# value of `description`, or the whole config: code, part of the message, part of the hint
REFUSED: dict[str, tuple[Any, str, str, str]] = {
    "bytes": (b"text", "type", "expected plain data, got a Python bytes", "write .decode()"),
    "bytearray": (bytearray(b"text"), "type", "got a Python bytearray", ""),
    "set": ({1}, "type", "got a Python set", "write list(…)"),
    "frozenset": (frozenset((1,)), "type", "got a Python frozenset", "write list(…)"),
    "range": (range(3), "type", "got a Python range", "write list(…)"),
    "generator": ((n for n in ()), "type", "got a Python generator", "write list(…)"),
    "date": (datetime.date(2024, 1, 1), "type", "got a Python date", "write str(…)"),
    "datetime": (datetime.datetime(2024, 1, 1), "type", "got a Python datetime", "write str(…)"),
    "decimal": (decimal.Decimal("0.5"), "type", "got a Python Decimal", "write float(…)"),
    "complex": (1j, "type", "got a Python complex", ""),
    "path": (Path("a"), "type", "got a Python PosixPath", "write str(…)"),
    "array": (np.zeros(3), "type", "got a Python ndarray", "write .tolist()"),
    "numpy date": (np.datetime64("2024-01-01"), "type", "got a Python date", ""),
    "enumeration": (Colour.RED, "type", "got a Python Colour", ""),
    "function": (len, "type", "got a Python builtin_function_or_method", ""),
    "class": (int, "type", "got a Python type", ""),
    "module": (math, "type", "got a Python module", ""),
    "object": (object(), "type", "got a Python object", ""),
    "ellipsis": (..., "type", "got a Python ellipsis", ""),
    "half a surrogate pair": ("\ud800", "encoding", "U+D800", "take it out"),
    "control character": ("a\x1b[31m", "encoding", "U+001B", "take it out"),
    "NUL": ("a\0b", "encoding", "U+0000", "take it out"),
    "long text": ("x" * 10_001, "limit", "a text of 10001 characters", ""),
    "number in place of text": (5, "type", "expected text, got the number 5", "in quotes"),
    "huge number": (10**5_000, "range", "a number of about 5000 digits", ""),
}
REFUSED_WHOLE: dict[str, tuple[Any, str, str, str]] = {
    "nan": (with_(scale={"width": math.nan}), "range", "expected a finite number, got the number nan", ""),
    "inf": (with_(scale={"width": math.inf}), "range", "expected a finite number, got the number inf", ""),
    "numpy nan": (with_(scale={"width": np.float32("nan")}), "range", "expected a finite number", ""),
    "huge integer": (with_(scale={"max_width": 10**30}), "range", "expected a value ≤ 65536", ""),
    "float for an integer": (with_(scale={"max_width": 8.0}), "type", "expected a whole number", "write 8"),
    "truth for an integer": (with_(scale={"max_width": True}), "type", "expected a whole number, got true", ""),
    "text for an integer": (with_(scale={"max_width": "8"}), "type", "expected a whole number", "without quotes"),
    "number as key": ({1: 2}, "key", "a key must be text, got the number 1", ""),
    "huge number as key": ({10**5_000: 2}, "key", "a number of about 5000 digits", ""),
    "None as key": ({None: 2}, "key", "a key must be text, got nothing (null)", ""),
    "truth as key": ({True: 2}, "key", "a key must be text, got true", ""),
    "tuple as key": ({("a", "b"): 2}, "key", "a key must be text, got a list of 2", ""),
    "bytes as key": ({b"stages": 2}, "key", "a key must be text, got a Python bytes", ""),
    "long key": ({"k" * 201: 2}, "limit", "a key of 201 characters", ""),
    "key with a dot": (with_(**{"scale.width": 1}), "unknown-key", "'scale.width'", "write scale: {width: …}"),
    "key of another alphabet": (with_(nаme="x"), "unknown-key", "unknown key", "U+0430"),
    "a mapping in itself": (CYCLE, "depth", "nested deeper than 64", ""),
    "an empty dict": ({}, "missing-key", "the config needs 'stages'", ""),
    "a list": ([1], "type", "expected a preset name, a path or a mapping, got a list of 1", ""),
    "None": (None, "type", "expected a preset name, a path or a mapping, got nothing (null)", ""),
    "a number": (5, "type", "expected a preset name, a path or a mapping, got the number 5", ""),
    "a set as a whole": ({"stages"}, "type", "expected a preset name, a path or a mapping", ""),
}


@pytest.mark.parametrize("name", [*REFUSED, *REFUSED_WHOLE])
def test_python_values_that_no_file_holds_are_refused(name: str) -> None:
    config, code, message, hint = REFUSED_WHOLE.get(name) or REFUSED[name]
    problems = of(config if name in REFUSED_WHOLE else with_(description=config))
    assert [
        problem for problem in problems if problem.code == code and message in problem.message and hint in problem.hint
    ], problems


def test_all_problems_of_a_dict_are_reported_in_one_run() -> None:
    assert len(of(with_(name={1}, description=b"", source=1j))) == 3
