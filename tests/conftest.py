"""Which tests run, and shared helpers: running the command line, files of keras_cv.

A test that needs Keras has the mark `keras`, one that looks at a page `browser`, one that takes seconds `slow`. The
others are the quick set: `-m "not keras and not browser and not slow"`. A module that imports Keras at its top has
`keras` as a whole. No other test imports Keras, so that a missing mark is an error. The exhaustive sweeps have the
mark `full` and run where `-m` asks for them.
"""

from __future__ import annotations

import fcntl
import gc
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from unittest import mock

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# On some processors oneDNN's gradient of a 1 × 1 convolution with stride 2 and few input channels ends the process.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
if "PYTEST_XDIST_WORKER" in os.environ:  # a worker a core: more threads would only wait for each other
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

from support import warm

import archdsl

Run = Callable[..., subprocess.CompletedProcess[str]]

KERAS = ("keras", "keras_cv", "tensorflow", "tf_keras")
AT_THE_TOP = re.compile(
    r"^(?:import|from) (?:keras|keras_cv|tensorflow|support\.oracle)\b|^from support import .*\boracle\b", re.MULTILINE
)


def pytest_configure(config: pytest.Config) -> None:
    """The quick set is collected as on a machine without Keras."""
    if "not keras" in config.option.markexpr:
        sys.modules.update(dict.fromkeys(KERAS))  # type: ignore[arg-type]  (None: what importing it raises)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A module that imports Keras at its top is not even imported for the quick set."""
    return True if "not keras" in config.option.markexpr and imports_keras(collection_path) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if imports_keras(item.path) or "keras_cv_files" in getattr(item, "fixturenames", ()):
            item.add_marker("keras")
    if "full" not in config.option.markexpr:
        sweeps = {item for item in items if item.get_closest_marker("full")}
        config.hook.pytest_deselected(items=[*sweeps])
        items[:] = [item for item in items if item not in sweeps]


def pytest_collection_finish() -> None:
    """What was collected stays to the end: looking through it for garbage takes a sixth of the quick set's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)  # one look for many layers of a model


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """A headless Chromium for all tests of a process, which have the mark `browser`."""
    from support.browser import chromium

    with chromium() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One with a config in it, for `archdsl play`."""
    from support.play import NET

    made = tmp_path / "nets"
    made.mkdir()
    (made / "net.yaml").write_text(NET)
    return made


@pytest.fixture
def server(folder: Path) -> Iterator[object]:
    """`archdsl play` with that config."""
    from support.play import served

    with served(folder, str(folder / "net.yaml")) as running:
        yield running


@cache
def imports_keras(path: Path) -> bool:
    return path.suffix == ".py" and AT_THE_TOP.search(path.read_text()) is not None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[object]:
    """A test without the mark `keras`, and a process that it starts, cannot import Keras; nor can its fixtures."""
    if item.get_closest_marker("keras"):
        return (yield)
    here = {name: sys.modules.pop(name) for name in KERAS if name in sys.modules}
    sys.modules.update(dict.fromkeys(KERAS))  # type: ignore[arg-type]  (None: what importing it raises)
    try:
        with mock.patch.dict(os.environ, KERAS_BACKEND="this_test_is_not_marked_keras"):
            return (yield)
    finally:
        for name in KERAS:
            del sys.modules[name]
        sys.modules.update(here)


@pytest.fixture
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """Runs `archdsl …` in an empty folder, as if in a process of its own."""
    return partial(warm.run, "archdsl", folder=tmp_path, keras=request.node.get_closest_marker("keras") is not None)


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


@pytest.fixture
def bare_hydra() -> Iterator[None]:
    """Hydra without its own settings, which are two thirds of what it composes and no part of the result."""
    from hydra.conf import HydraConf
    from hydra.core.config_store import ConfigStore

    store = ConfigStore.instance()
    settings = store.repo["hydra"]["config.yaml"]
    store.store(name="config", group="hydra", node=HydraConf(defaults=[]))
    yield
    store.repo["hydra"]["config.yaml"] = settings


@pytest.fixture(scope="session")
def keras_cv_files(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder for each sampled architecture, with keras_cv's weights in every layout and its output for them.

    The first worker that needs them writes them, for all.
    """
    from support.keras_cv_files import SAMPLE, SMALL, preset, write_files

    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "keras_cv"
    with (folder.parent / "keras_cv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            write_files(folder, {**SMALL, **{name: preset(name) for name in SAMPLE}})
    return folder
