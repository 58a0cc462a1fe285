"""What `import archdsl` does to Keras and to Python's imports, each tried in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import archdsl

pytestmark = pytest.mark.keras

NET = "archdsl.build_from_config({'stages': {'p1': {'width': 8, 'down': {'block': 'conv', 'stride': 2}}}})"


def printed(program: str, **environment: str) -> str:
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.mark.parametrize(("setting", "hooks"), [("", 1), ("1", 1), ("0", 0)])
def test_the_import_hook_can_be_turned_off(setting: str, hooks: int) -> None:
    program = "import sys; before = len(sys.meta_path); import archdsl; print(len(sys.meta_path) - before)"
    assert printed(program, ARCHDSL_KERAS_HOOK=setting) == str(hooks)


@pytest.mark.parametrize(
    "imports",
    ["import archdsl.models.keras_cv", "import archdsl; archdsl.Backbone", "import keras, archdsl"],
)
def test_without_the_hook_the_models_are_registered_when_they_are_asked_for(imports: str) -> None:
    without = "import sys; sys.modules['tensorflow'] = None"  # importing it takes longer than all the rest
    shown = "import keras; print(keras.saving.get_registered_object('archdsl>YOLOV8Backbone').__name__)"
    program = f"{without}; {imports}; {shown}"
    assert printed(program, ARCHDSL_KERAS_HOOK="0", KERAS_BACKEND="numpy") == "YOLOV8Backbone"


def test_importing_archdsl_imports_none_of_what_makes_import_slow() -> None:
    program = """
import sys
before = set(sys.modules)
import archdsl
slow = {"importlib.abc", "click", "pydantic", "yaml", "keras"}
print(sorted(slow & set(sys.modules) - before))
"""
    assert printed(program) == "[]"


@pytest.mark.parametrize("module", ["frontend", "backends", "api", "ir", "tools", "diagnostics"])
def test_only_what_is_public_is_handed_out(module: str) -> None:
    program = f"import archdsl; print(hasattr(archdsl, '{module}'), '{module}' in dir(archdsl))"
    assert printed(program) == "False False"
    assert printed("import archdsl; print(archdsl.models.__name__, archdsl.weights.__name__)").split() == [
        "archdsl.models",
        "archdsl.weights",
    ]


def test_every_public_name_is_there() -> None:
    assert {*archdsl.__all__, "Backbone", "fuse", "models"} <= set(dir(archdsl))
    assert all(getattr(archdsl, name) is not None for name in dir(archdsl))


def test_models_hands_out_models_only() -> None:
    assert issubclass(archdsl.models.ResNet18V2Backbone, archdsl.Backbone)
    for name in ("PresetInfo", "Budget", "json", "load", "Nothing"):
        with pytest.raises(AttributeError, match=name):
            getattr(archdsl.models, name)


@pytest.mark.parametrize("make", [NET, "archdsl.Backbone"])
@pytest.mark.parametrize(
    ("missing", "backend", "words"),
    [
        ("tensorflow", "tensorflow", ["error[no-backend]", "tensorflow", "pip install 'archdsl[tensorflow]'"]),
        ("", "nonsense", ["error[no-backend]", "nonsense", "set KERAS_BACKEND to tensorflow, jax or torch"]),
    ],
)
def test_without_a_backend_the_error_says_so(make: str, missing: str, backend: str, words: list[str]) -> None:
    program = f"""
import sys
sys.modules[{missing!r}] = None
import archdsl
try:
    {make}
except archdsl.ArchError as error:
    print(error)
"""
    text = printed(program, KERAS_BACKEND=backend)
    assert all(word in text for word in words), text
