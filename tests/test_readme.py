"""What the README prints is what archdsl prints."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support import REPOSITORY

import archdsl

README = (REPOSITORY / "README.md").read_text()
MISTAKES = """\
defaults: [yolo_v8_s_backbone, _self_]
stages:
  p4: {body: {block: c2ff}}
  p5: {widht: 512}
"""


def code_blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def agrees(printed: str, shown: str) -> bool:
    """Whether every shown line is printed, in order; an ellipsis stands for anything."""
    lines = iter(printed.splitlines())
    patterns = [".*".join(map(re.escape, line.split("…"))) + r"\s*" for line in shown.splitlines()]
    return all(any(re.fullmatch(pattern, line) for line in lines) for pattern in patterns)


@pytest.mark.parametrize("text", code_blocks("yaml"), ids=lambda text: text.splitlines()[0])
def test_every_config_in_it_compiles(text: str, write: Callable[[str, str], Path]) -> None:
    assert archdsl.analyze(write("config.yaml", text)).params > 500_000


def test_its_outputs_are_real(
    run: Callable[..., subprocess.CompletedProcess[str]], write: Callable[[str, str], Path]
) -> None:
    write("tiny_objects.yaml", code_blocks("yaml")[0])
    write("my_net.yaml", MISTAKES)
    show, mistakes = (block.partition("\n")[2] for block in code_blocks("console"))
    assert agrees(run("show", "tiny_objects.yaml").stdout, show)
    assert agrees(run("show", "my_net.yaml").stderr, mistakes)


def test_its_figures_are_real() -> None:
    report = archdsl.analyze("yolo_v8_s_backbone", ["scale.width=0.375"], input_shape=(640, 640, 3))
    assert f"# {report.params}, …, {report.outputs['P3']}" in README
