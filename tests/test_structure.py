"""The shape of the code itself: who may import whom, and what importing costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import archdsl

PACKAGE = Path(archdsl.__file__).parent

ORDER = """
registration
printable
codes
characters
nearest
errors
budget
ir
ops
receptive_field
conventions
registry
trials
keras_layers
blocks
plugins
files
archive
carried
source
reading
composition
loader
language
spec
arguments
composite
layers
resolver
hydra_plugin
found_by_hydra
scale
provenance
costs
compiler
passes
report
checks
expect
presets
keras_cv
saved
emit
fusion
weights
pretrained
models
keras_file
api
pictures
features
__init__
cli
hydra_job
sweep
hydra_app
__main__
""".split()  # noqa: SIM905 (one to a line)


def module_of(path: Path) -> str:
    """`blocks` for archdsl/blocks/conv.py, `loader` for archdsl/loader.py."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported_modules(path: Path) -> set[str]:
    """First part below archdsl of everything that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"archdsl.{alias.name}" for alias in node.names] if node.module == "archdsl" else [node.module]
        parts = [name.split(".") for name in names if name.split(".")[0] == "archdsl"]
        found |= {part[1] if len(part) > 1 else "__init__" for part in parts}
    return found


def test_a_file_imports_only_from_files_above_it() -> None:
    for path in PACKAGE.rglob("*.py"):
        module = module_of(path)
        allowed = set(ORDER[: ORDER.index(module)]) | {module if path.parent != PACKAGE else "", "__init__"}
        if module == "emit":
            allowed |= {"pretrained"}  # Backbone.save_to_preset, imported when it is called
        if module == "__init__":
            allowed = set(ORDER[: ORDER.index(module)]) | {"emit"}
        assert imported_modules(path) <= allowed, path


def test_only_emission_imports_keras_and_nothing_imports_it_early() -> None:
    program = """
import sys, archdsl
archdsl.analyze("yolo_v8_s_backbone", ["scale.width=0.375"])
archdsl.list_presets()
assert not {"keras", "tensorflow", "numpy", "matplotlib"} & set(sys.modules), "imported too early"
"""
    subprocess.run([sys.executable, "-c", program], check=True)
