"""What the README prints is what archdsl prints, and its programs run as they are printed."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support import REPOSITORY, warm

import archdsl
from archdsl.frontend.compose.config import load
from archdsl.frontend.lower import compile_graph, outline
from archdsl.frontend.yaml.files import read_file
from archdsl.ir.graph import Graph
from archdsl.ir.node import Node
from archdsl.ir.passes import run_passes

TOUR = REPOSITORY / "README.md"
LANGUAGE = REPOSITORY / "configs" / "LANGUAGE.md"
MAP = REPOSITORY / "archdsl" / "README.md"
DOCUMENTS = [
    TOUR,
    LANGUAGE,
    MAP,
    REPOSITORY / "configs" / "COMMANDS.md",
    REPOSITORY / "configs" / "KERAS_CV.md",
    REPOSITORY / ".github" / "CONTRIBUTING.md",
    REPOSITORY / ".github" / "SECURITY.md",
]
LEVELS = {"classes": 20, "boxes": 4}
MISTAKES = """\
defaults: [yolo_v8_s_backbone, _self_]
stages:
  p4: {body: {block: c2ff}}
  p5: {widht: 512}
"""


def code_blocks(language: str, document: Path = TOUR) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", document.read_text(), re.DOTALL)


def agrees(printed: str, shown: str) -> bool:
    """Whether every shown line is printed, in order; an ellipsis stands for anything."""
    lines = iter(printed.splitlines())
    patterns = [".*".join(map(re.escape, line.split("…"))) + r"\s*" for line in shown.splitlines()]
    return all(any(re.fullmatch(pattern, line) for line in lines) for pattern in patterns)


def write_configs(folder: Path, document: Path) -> None:
    """The YAML blocks that begin with a comment are files of that name."""
    for text in code_blocks("yaml", document):
        if name := re.match(r"# (\S+\.yaml)\n", text):
            (folder / name[1]).write_text(text)


@pytest.mark.parametrize(
    "text", [*code_blocks("yaml"), *code_blocks("yaml", LANGUAGE)], ids=lambda text: text.splitlines()[0]
)
def test_every_config_compiles(text: str, write: Callable[[str, str], Path]) -> None:
    assert archdsl.analyze(write("config.yaml", text)).params > 500_000


@pytest.mark.parametrize(
    ("document", "part", "channels"),
    [
        (TOUR, "# levels.yaml", {f"{name}_n{level}": size for name, size in LEVELS.items() for level in (3, 4, 5)}),
        (TOUR, "# small_vit.yaml", {"classes": 10}),
        (LANGUAGE, "width: 512, depth: 3, residual: false", {"P3": 128, "fuse": 256, "classes": 80}),
        (LANGUAGE, "from: p4_body_6_spatial", {"stride_8": 64, "stride_16": 64, "top": 2048}),
        (LANGUAGE, "results: [high, low]", {"mix_high": 128, "mix_low": 256}),
    ],
)
def test_a_config_has_the_outputs_that_are_written_beside_it(
    document: Path, part: str, channels: dict[str, int], write: Callable[[str, str], Path]
) -> None:
    (text,) = [text for text in code_blocks("yaml", document) if part in text]
    outputs = archdsl.analyze(write("config.yaml", text)).outputs
    assert {name: info.channels for name, info in outputs.items()} == channels


def test_its_outputs_are_real(
    run: Callable[..., subprocess.CompletedProcess[str]], write: Callable[[str, str], Path], tmp_path: Path
) -> None:
    write_configs(tmp_path, TOUR)
    write("my_net.yaml", MISTAKES)
    show, mistakes = (block.partition("\n")[2] for block in code_blocks("console"))
    assert agrees(run("show", "tiny_objects.yaml").stdout, show)
    assert agrees(run("show", "my_net.yaml").stderr, mistakes)


def test_its_figures_are_real() -> None:
    report = archdsl.analyze("yolo_v8_s_backbone", ["scale.width=0.375"], input_shape=(640, 640, 3))
    assert f"# {report.params}, …, {report.outputs['P3']}" in TOUR.read_text()


@pytest.mark.keras
def test_every_python_block_runs_as_printed_and_in_order(tmp_path: Path) -> None:
    write_configs(tmp_path, TOUR)
    program = tmp_path / "program.py"
    lines = ["names = {}"]
    for number, text in enumerate(code_blocks("python"), start=1):
        (tmp_path / f"block_{number}.py").write_text(text)
        lines.append(f"exec(compile(open('block_{number}.py').read(), 'block_{number}.py', 'exec'), names)")
    program.write_text("\n".join(lines))
    ended = warm.run(program.name, folder=tmp_path, keras=True)
    assert ended.returncode == 0, ended.stderr
    assert "45 of 50 layers" in ended.stdout  # the last line: the partial load fits all but what is deeper


def test_the_values_of_the_pipeline_are_real(tmp_path: Path) -> None:
    write_configs(tmp_path, MAP)
    path = tmp_path / "my_net.yaml"
    source, config = read_file(path), load(path)
    layers, graph = outline(config), compile_graph(config)
    (call,) = [node for node in layers.nodes if node.name == "p4_body"]
    fused, _ = run_passes(graph)
    (costs,) = [layer for layer in archdsl.analyze(path).layers if layer.path == "stages.p4.body"]
    place = source.places["stages", "p4", "depth"].value
    values = [
        f"`{source.values['stages']}`, the 9 at `my_net.yaml:{place.line}:{place.column}`",
        f"`{config.values['stages']['p4']}`",
        f"`{call.name}`, one of {len(layers.nodes)} nodes, of {call.channels} channels",
        f"applied to `{call.inputs[0].name}`",
        f"`{named(graph)}`, one of {len(graph.nodes)} nodes, from `{named(graph).origin.path}`",
        f"{costs.params:,} parameters, {costs.macs:,} MACs",
        f"`{named(fused)}`, one of {len(fused.nodes)} nodes",
        str({"width": named(graph).channels, "depth": int(costs.block.split()[-1])}),
    ]
    text = MAP.read_text()
    assert [value for value in values if re.sub(r"  \?x\?x\d+`", "`", value) not in text] == []


def named(graph: Graph) -> Node:
    return next(node for node in graph.nodes if node.name == "p4_body_split_conv")


def test_the_map_has_every_package() -> None:
    packages = {path.parent.name for path in MAP.parent.glob("*/__init__.py")}
    assert {name.strip("/") for name in re.findall(r"^\| `(\w+/)` \|", MAP.read_text(), re.M)} == packages


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_to_a_file(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)\)", document.read_text())
    assert [link for link in links if "://" not in link and not (document.parent / link).exists()] == []


def test_it_is_a_tour() -> None:
    assert len(TOUR.read_text().splitlines()) <= 200
