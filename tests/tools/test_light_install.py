"""`pip install archdsl` without an extra: what works, and what is said where a package is not there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from support import REPOSITORY

from archdsl.diagnostics.packages import EXTRAS
from archdsl.tools.cli import COMMANDS

PHOTO = str(REPOSITORY / "examples" / "photo.jpg")
NET = "csp_darknet_tiny"
PROGRAM = """
import contextlib, io, json, sys

class Absent:
    def find_spec(self, name, *rest):
        if name.split(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
from archdsl.tools.cli import main

for call in {calls!r}:
    code, out, err = 0, io.TextIOWrapper(io.BytesIO()), io.TextIOWrapper(io.BytesIO())
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(call)
        except SystemExit as stop:
            code = stop.code or 0
    print(json.dumps([code, *[each.buffer.getvalue().decode() for each in (out, err) if not each.flush()]]))
"""
FRONT_END = [
    ["list", "yolo_v8"],
    ["show", NET],
    ["show", NET, "--graph", "--fuse"],
    ["show", NET, "--json", "stages.p4.body={block: csp}"],
    ["check", NET],
    ["explain", NET, "stages.p4.width"],
    ["diff", NET, "csp_darknet_s"],
    ["resolve", NET],
    ["blocks", "c2f"],
    ["schema"],
    ["validate", str(REPOSITORY / "configs" / f"{NET}.yaml")],
]
NEEDS = [
    (["build", NET, "-o", "a.keras"], "tensorflow"),
    (["features", NET, PHOTO, "-o", "a.png"], "tensorflow"),
    (["detect", NET, PHOTO, "-o", "a.png"], "tensorflow"),
    (["import", "a.pt", "-o", "a.safetensors"], "weights"),
    (["export", NET, "-o", "a.onnx"], "onnx"),
    (["export", NET, "-o", "a.xml"], "openvino"),
    (["export", NET, "-o", "a.tflite"], "tensorflow"),
    (["bench", NET, "--runtime", "onnx"], "onnxruntime"),
    (["bench", NET, "--runtime", "openvino"], "openvino"),
    (["bench", NET, "--runtime", "keras"], "tensorflow"),
    (["bench", NET, "--runtime", "jax"], "jax"),
    (["bench", NET, "--runtime", "torch"], "torch"),
]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str, str]]:
    """Exit code, output and errors of every call, in a process that finds no package of any extra."""
    calls = [*FRONT_END, *[call for call, _ in NEEDS], *[[name, "--help"] for name in COMMANDS]]
    program = PROGRAM.format(absent=sorted(EXTRAS), calls=calls)
    folder = tmp_path_factory.mktemp("light")
    (folder / "a.pt").write_bytes(b"PK\x03\x04")
    done = subprocess.run([sys.executable, "-c", program], check=True, cwd=folder, capture_output=True, text=True)
    found = [tuple(json.loads(line)) for line in done.stdout.splitlines()]
    return {" ".join(call): answer for call, answer in zip(calls, found, strict=True)}


@pytest.mark.parametrize("call", FRONT_END, ids=" ".join)
def test_the_front_end_needs_no_extra(answers: dict[str, Any], call: list[str]) -> None:
    code, output, errors = answers[" ".join(call)]
    assert (code, errors) == (0, "")
    assert output.strip()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_tells_its_options(answers: dict[str, Any], name: str) -> None:
    code, output, errors = answers[f"{name} --help"]
    assert (code, errors) == (0, "")
    assert "Usage:" in output


@pytest.mark.parametrize(("call", "extra"), NEEDS, ids=lambda value: value if isinstance(value, str) else value[0])
def test_what_needs_an_extra_names_it(answers: dict[str, Any], call: list[str], extra: str) -> None:
    code, _, errors = answers[" ".join(call)]
    assert code == 2
    assert errors.count("error[missing-package]") == 1
    assert f"pip install 'archdsl[{extra}]'" in errors
    assert "Traceback" not in errors


def installed_by(extra: str) -> set[str]:
    """The distributions that an extra of pyproject.toml installs, those of its own extras among them."""
    project = tomllib.loads(Path(REPOSITORY, "pyproject.toml").read_text())["project"]["optional-dependencies"]
    names = [re.match(r"[\w-]+(?:\[([\w,-]+)\])?", each) for each in project[extra]]
    inner = [other for found in names if found and found[1] for other in found[1].split(",")]
    return {found[0] for found in names if found and not found[1]}.union(*map(installed_by, inner))


def test_an_extra_has_what_its_name_is_told_for() -> None:
    distributions = {"PIL": "pillow", "ai_edge_litert": "ai-edge-litert", "lsprotocol": "pygls"}  # pygls requires it
    for package, extra in EXTRAS.items():
        assert distributions.get(package, package) in installed_by(extra), package


def test_the_extra_of_tensorflow_has_all_that_models_need() -> None:
    models = {"h5py", "keras", "matplotlib", "numpy", "pillow", "safetensors", "tensorflow"}
    assert models == installed_by("tensorflow")
    assert models <= installed_by("dev")
