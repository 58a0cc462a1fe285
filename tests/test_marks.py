"""The quick set, with neither of three marks, needs no Keras and no TensorFlow, and tries one preset of each."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterable

import pytest
from conftest import KERAS
from support import REPOSITORY
from support.samples import one_of_each_kind

from archdsl.frontend.compose.config import load
from archdsl.frontend.compose.search_path import config_root, preset_names

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


@pytest.mark.keras  # the quick set itself is collected so, see conftest.py
def test_the_quick_set_is_collected_without_keras() -> None:
    ended = subprocess.run([sys.executable, "-c", COLLECT], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-2000:]
    assert "tests/blocks/test_blocks.py" in ended.stdout
    assert "tests/models/test_keras_cv.py" not in ended.stdout


def test_every_family_neck_and_head_is_in_the_sample() -> None:
    def chosen(names: Iterable[str]) -> set[str]:
        """The files of which the presets consist, without those of a size."""
        return {source.file for name in names for source in load(name).history if source.file not in presets}

    presets = {str(config_root() / f"{name}.yaml") for name in preset_names()}
    assert len(one_of_each_kind()) < len(presets) / 2
    assert chosen(one_of_each_kind()) == chosen(preset_names())
