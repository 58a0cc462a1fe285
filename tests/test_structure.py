"""The shape of the code itself: who may import whom, and what importing costs."""

from __future__ import annotations

import ast
import importlib
import json
import os
import shutil
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from support import REPOSITORY

import archdsl

PACKAGE = Path(archdsl.__file__).parent

PACKAGES = """
lazy
diagnostics
schemas
ir
blocks
frontend
backends
analysis
weights
models
api
__init__
tools
hydra_app
__main__
""".split()  # noqa: SIM905 (one to a line)
FRONTEND = """
source
sections
budget
values
yaml
compose
sema
scope
budget_check
graph_check
lower
presets
importers
""".split()  # noqa: SIM905


def imported_files(path: Path) -> set[Path]:
    """The files of archdsl that a file imports from, wherever in it, in annotations too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "archdsl":
            found |= {file_of(f"{node.module}.{alias.name}") or file_of(node.module) for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {file_of(alias.name) for alias in node.names if alias.name.split(".")[0] == "archdsl"}
    return {file for file in found if file}


def file_of(module: str) -> Path | None:
    """archdsl/ir/graph.py for archdsl.ir.graph, archdsl/ir/__init__.py for archdsl.ir."""
    place = PACKAGE.joinpath(*module.split(".")[1:])
    return next((file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()), None)


def part_of(path: Path, folder: Path) -> str:
    """The entry of a folder that a file is, or is in."""
    return path.relative_to(folder).with_suffix("").parts[0]


@pytest.mark.parametrize(("folder", "order"), [(PACKAGE, PACKAGES), (PACKAGE / "frontend", FRONTEND)])
def test_a_file_imports_only_from_its_own_part_or_one_above_it(folder: Path, order: list[str]) -> None:
    for path in folder.rglob("*.py"):
        if path == folder / "__init__.py" and folder != PACKAGE:
            continue
        own = part_of(path, folder)
        allowed = order[: order.index(own) + 1]
        used = {part_of(file, folder) for file in imported_files(path) if file.is_relative_to(folder)}
        assert used <= set(allowed), path


def test_nothing_reaches_up_but_the_pictures_that_notebooks_show() -> None:
    calls = {
        (target.id, *[argument.value for argument in node.value.args if isinstance(argument, ast.Constant)])
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        for target in node.targets
        if isinstance(target, ast.Name) and ast.unparse(node.value.func) == "method_of"
    }
    assert calls == {
        ("_repr_svg_", "archdsl.tools.pictures.diagram", "svg_of"),
        ("_repr_html_", "archdsl.tools.pictures.notebook", "html_of"),
    }


def test_no_file_is_imported_by_what_it_imports() -> None:
    graph = {path: imported_files(path) - {path} for path in PACKAGE.rglob("*.py")}
    TopologicalSorter(graph).prepare()  # raises CycleError with the files of a circle


def test_what_takes_long_to_import_is_not_imported_early() -> None:
    program = """
import sys, archdsl
archdsl.analyze("yolo_v8_s_backbone", ["scale.width=0.375"])
archdsl.list_presets()
try:
    archdsl.analyze("yolo_v8_s_backbone", ["scale.width=x", "stages.p4.width=0", "stem.conv.width=0"])
except archdsl.ArchError as error:
    assert len(error.problems) == 3
slow = {"keras", "tensorflow", "numpy", "matplotlib", "pydantic", "importlib.metadata"}
assert not slow & set(sys.modules), "imported too early"
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_config_imports_the_families_and_operations_that_it_uses() -> None:
    program = """
import sys, archdsl
archdsl.analyze("yolo_v8_s_backbone")
print(*sorted(name for name in sys.modules if name.startswith(("archdsl.blocks.", "archdsl.ir.ops."))))
"""
    found = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert {"archdsl.blocks.csp", "archdsl.ir.ops.convolution"} <= set(found)
    unused = (
        "blocks.anchor_heads blocks.attention blocks.heads blocks.tokens ir.ops.anchors ir.ops.detection ir.ops.tokens"
    )
    assert not {f"archdsl.{module}" for module in unused.split()} & set(found)


@pytest.mark.parametrize("package", ["archdsl.blocks", "archdsl.ir.ops"])
def test_every_name_of_a_lazy_package_is_where_its_annotations_import_it_from(package: str) -> None:
    path = file_of(package)
    assert path
    module = importlib.import_module(package)
    stated = {
        alias.asname: getattr(importlib.import_module(node.module), alias.name)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
        if alias.asname
    }
    public = {name for name in dir(module) if not name.startswith("__")}
    assert all(getattr(module, name) is not None for name in public)
    if package != "archdsl.ir.ops":  # which has stars
        assert {name: getattr(module, name) for name in public} == stated


BLOCK = '''"""A family of its own."""

from archdsl.blocks.registry import Width, block
from archdsl.ir.node import Node
from archdsl.ir.ops import Conv2D


@block
def brand_new(x: Node, *, width: Width) -> Node:
    """One convolution. (H, W, C) -> (H, W, width)."""
    return Conv2D(width)(x)
'''
PRESET = "stages: {p1: {width: 8, stride: 2, down: {block: max_pool}, body: {block: brand_new}}}\n"


def test_a_block_and_a_preset_are_a_file_each(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "archdsl", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(REPOSITORY / "configs", tmp_path / "configs")
    (tmp_path / "archdsl" / "blocks" / "new_family.py").write_text(BLOCK)
    (tmp_path / "configs" / "new_preset.yaml").write_text(PRESET)
    command = [sys.executable, "-m", "archdsl", "show", "new_preset", "--json"]
    shown = subprocess.run(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": ""}, capture_output=True, check=True)
    assert json.loads(shown.stdout)["params"] == 3 * 8


def test_only_a_problem_has_a_message_and_a_hint() -> None:
    found = {
        node.name
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
        and {"message", "hint"}
        <= {ast.unparse(field.target) for field in node.body if isinstance(field, ast.AnnAssign)}
    }
    assert found == {"Problem"}
