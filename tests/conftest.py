"""Shared helpers: running the command line in this process or in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import archdsl

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs `archdsl …` in an empty folder, in a process of its own."""

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "archdsl", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    return command


@pytest.fixture
def problems_of() -> Callable[..., list[archdsl.Problem]]:
    """The problems that compiling a config raises."""

    def collect(config: archdsl.frontend.compose.config.ConfigLike, *overrides: str) -> list[archdsl.Problem]:
        with pytest.raises(archdsl.ArchError) as caught:
            archdsl.compile_config(config, overrides)
        return caught.value.problems

    return collect


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Writes a config file into an empty folder."""

    def create(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return create


@pytest.fixture(scope="session")
def keras_cv_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each sampled architecture, with keras_cv's weights in every layout and its output for them."""
    from support.keras_cv_files import SAMPLE, SMALL, preset, write_files

    folder = tmp_path_factory.mktemp("keras_cv")
    write_files(folder, {**SMALL, **{name: preset(name) for name in SAMPLE}})
    return folder
