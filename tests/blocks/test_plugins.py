"""Blocks of a user's own: from a file, a module, an installed distribution."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import archdsl
from archdsl.blocks import registry

Write = Callable[[str, str], Path]

PLUGIN = '''
from archdsl import block
from archdsl.blocks import Conv2D


@block
def narrow(x, *, ratio: float = 0.5):
    """Fewer channels. (H, W, C) -> (H, W, ratio C)."""
    return Conv2D(int(x.channels * ratio))(x)
'''
CONFIG = "input: {shape: [8, 8, 4]}\nstages: {a: {body: {block: narrow}}}\n"


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Blocks that a test registers are gone after it."""
    monkeypatch.setattr(registry, "_blocks", dict(registry.all_blocks()))
    registry._load_installed.cache_clear()
    yield
    registry._load_installed.cache_clear()


def test_a_file_brings_its_blocks(write: Write) -> None:
    config, plugin = write("net.yaml", CONFIG), write("my_blocks.py", PLUGIN)
    with pytest.raises(archdsl.ArchError, match="no block 'narrow'"):
        archdsl.analyze(config)
    assert archdsl.compile_config(config, plugins=[plugin]).output.channels == 2
    again = archdsl.analyze(config, input_shape=(8, 8, 4), plugins=[str(plugin)])  # not defined twice
    assert again.params == 8


def test_a_block_of_a_file_that_is_not_imported_yet_is_not_replaced(
    write: Write, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    write("net.yaml", "stages: {a: {width: 8, body: {block: conv_bn_act}}}\n")
    write("my_blocks.py", PLUGIN.replace("def narrow", "def transformer"))
    refused = run("show", "net.yaml", "--plugin", "my_blocks.py")
    assert refused.returncode == 2
    assert "block 'transformer' is defined twice, in " in refused.stderr
    assert refused.stderr.index("tokens.py") < refused.stderr.index("my_blocks.py")


def test_a_block_of_a_config_is_not_called_as_one_of_a_file_that_is_not_imported_yet(
    write: Write, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    own = "blocks: {transformer: {layers: {only: {block: conv_bn_act, width: 8}}}}\n"
    write("net.yaml", own + "stages: {a: {width: 8, body: {block: conv_bn_act}}}\n")
    refused = run("show", "net.yaml")
    assert refused.returncode == 2
    assert "there is a block 'transformer' already, defined in " in refused.stderr


def test_a_misspelt_block_is_compared_with_those_of_every_file(
    write: Write, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    write("net.yaml", "stages: {a: {width: 8, body: {block: transformr}}}\n")
    refused = run("show", "net.yaml")
    assert refused.returncode == 2
    assert "transformer" in refused.stderr.partition("hint")[2]


@pytest.mark.parametrize("command", [["show", "net.yaml"], ["resolve", "net.yaml"], ["validate", "net.yaml"]])
def test_the_command_line_takes_plugins(
    command: list[str], write: Write, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    write("net.yaml", CONFIG), write("my_blocks.py", PLUGIN)
    assert run(*command, "--plugin", "my_blocks.py").returncode == 0
    assert "no block 'narrow'" in run(*command).stderr


def test_an_installed_distribution_brings_its_blocks(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(write("installed_blocks.py", PLUGIN).parent)
    installed = [EntryPoint("mine", "installed_blocks", "archdsl.blocks")]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: installed if group == "archdsl.blocks" else [])
    assert archdsl.compile_config(write("net.yaml", CONFIG)).output.channels == 2


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("def broken(:\n", "SyntaxError"),
        (PLUGIN.replace("narrow", "c2f"), "block 'c2f' is defined twice"),
    ],
)
def test_a_plugin_that_fails_says_why(text: str, fact: str, write: Write) -> None:
    with pytest.raises(archdsl.ArchError, match=fact):
        archdsl.analyze("resnet18_v2", plugins=[write("bad.py", text)])


def test_a_plugin_that_takes_a_name_is_told_where_it_is_alone(
    write: Write, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    write("net.yaml", CONFIG), write("my_blocks.py", PLUGIN.replace("narrow", "c2f"))
    answer = run("show", "net.yaml", "--plugin", "my_blocks.py")
    assert (answer.returncode, "csp.py" in answer.stderr, "my_blocks.py:6" in answer.stderr) == (2, True, True)


ENTRY_POINTS = "[archdsl.blocks]\nmine = trap_installed\n[pydantic]\nmine = trap_pydantic\n"


@pytest.mark.parametrize(
    "command", [["archdsl", "blocks"], ["archdsl.hydra_app", "--config-name", "resnet18_v2", "hydra.run.dir=."]]
)
def test_nothing_is_imported_from_the_current_folder(command: list[str], write: Write, tmp_path: Path) -> None:
    traps = ["typing", "click", "yaml", "colorama", "trap_installed", "trap_pydantic", "hydra_plugins/trap"]
    for module in traps:
        write(f"{module}.py", f"open({str(tmp_path / 'sprung')!r}, 'a').write({module + ' '!r})\n")
    write("trap-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: trap\nVersion: 1\n")
    write("trap-1.dist-info/entry_points.txt", ENTRY_POINTS)
    environment = {**os.environ, "PYTHONPATH": str(Path(archdsl.__file__).parents[1])}
    ended = subprocess.run([sys.executable, "-m", *command], cwd=tmp_path, env=environment, capture_output=True)
    assert ended.returncode == 0, ended.stderr.decode()
    assert not (tmp_path / "sprung").exists(), (tmp_path / "sprung").read_text()


def test_a_missing_plugin_is_named() -> None:
    with pytest.raises(archdsl.ArchError, match=r"none\.py: error\[missing-file\]"):
        archdsl.analyze("resnet18_v2", plugins=["none.py"])
    with pytest.raises(archdsl.ArchError, match="no_such_module"):
        archdsl.analyze("resnet18_v2", plugins=["no_such_module"])
