"""The quick set, `-m "not keras"`, needs neither Keras nor TensorFlow; no sweep runs unless it is asked for."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest
from conftest import KERAS
from support import REPOSITORY

COLLECT = f"""
import sys, archdsl, pytest
sys.modules.update(dict.fromkeys({KERAS}))  # importing them fails
sys.exit(pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", "-m", "not keras"]))
"""


@pytest.mark.parametrize("name", KERAS)
def test_a_test_without_the_mark_cannot_import_keras(name: str) -> None:
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(name)


def test_nor_can_a_process_that_it_starts() -> None:
    assert subprocess.run([sys.executable, "-c", "import keras"], check=False, capture_output=True).returncode == 1


def test_the_quick_set_is_collected_without_keras() -> None:
    ended = subprocess.run([sys.executable, "-c", COLLECT], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-2000:]
    assert "tests/blocks/test_blocks.py" in ended.stdout
    assert "tests/models/test_keras_cv.py" not in ended.stdout
