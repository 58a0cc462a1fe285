"""Config files in an editor: yaml-language-server, which VS Code and others use, with the schema that is committed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
from support.language_server import Connection, Json

from archdsl.blocks.registry import get_block
from archdsl.frontend.compose.search_path import config_root
from archdsl.frontend.sections import GROUPS
from archdsl.frontend.sema.json_schema import json_schema

pytestmark = pytest.mark.slow  # whole commands, one after the other

SERVER = Path(sys.prefix) / "node" / "node_modules" / ".bin" / "yaml-language-server"
SCHEMA = config_root() / "archdsl.schema.json"
GROUP_SCHEMA = config_root() / "group.schema.json"
SHIPPED = sorted(config_root().rglob("*.yaml"))
PATIENCE_S = 300


class Editor(Connection):
    """An editor with yaml-language-server."""

    def __init__(self, process: subprocess.Popen[bytes]):
        super().__init__(process)
        settings = {"yaml": {"schemaStore": {"enable": False}, "completion": True, "hover": True, "validate": True}}
        self.send("workspace/didChangeConfiguration", {"settings": settings})

    def problems(self, *paths: Path) -> dict[Path, list[Json]]:
        """The diagnostics of files."""
        for path in paths:
            self.open(path.as_uri(), path.read_text())
        found: dict[Path, list[Json]] = {}
        by_uri = {path.as_uri(): path for path in paths}
        for message in self.received():
            if message.get("method") == "textDocument/publishDiagnostics" and message["params"]["uri"] in by_uri:
                found[by_uri[message["params"]["uri"]]] = message["params"]["diagnostics"]
            if len(found) == len(paths):
                break
        return found

    def at(self, method: str, path: Path, word: str) -> Any:
        """What the server says of the place where `word` ends for the first time."""
        before = path.read_text().partition(word)[0] + word
        position = {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}
        return self.ask(f"textDocument/{method}", {"textDocument": {"uri": path.as_uri()}, "position": position})


@pytest.fixture(scope="module")
def editor() -> Iterator[Editor]:
    missing = f"install it: npm install --prefix {Path(sys.prefix) / 'node'} --no-save yaml-language-server"
    assert SERVER.exists(), f"there is no {SERVER}, which tests/run.sh installs; {missing}"
    process = subprocess.Popen([SERVER, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    watchdog = Timer(PATIENCE_S, process.kill)
    watchdog.start()
    yield Editor(process)
    watchdog.cancel()
    process.kill()
    process.communicate()


@pytest.fixture
def user_file(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a config that names the committed schema in its first line."""

    def create(text: str, schema: Path = SCHEMA) -> Path:
        path = tmp_path / "my_net.yaml"
        path.write_text(f"# yaml-language-server: $schema={schema}\n{text}")
        return path

    return create


def test_the_committed_schema_is_what_the_command_prints() -> None:
    assert SCHEMA.read_text() == json.dumps(json_schema(), indent=2) + "\n", (
        "run: archdsl schema > configs/archdsl.schema.json"
    )


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_file_leads_to_the_schema(path: Path) -> None:
    line = next(line for line in path.read_text().splitlines() if not line.startswith("# @"))
    schema = GROUP_SCHEMA if path.parent.name in GROUPS else SCHEMA
    assert (path.parent / line.removeprefix("# yaml-language-server: $schema=")).resolve() == schema


def test_no_shipped_file_has_findings(editor: Editor) -> None:
    assert editor.problems(*SHIPPED) == {path: [] for path in SHIPPED}


MISTAKES = {
    "a key": ("stages:\n  p4:\n    widht: 9\n", 3, "Property widht is not allowed."),
    "a key at the top": ("scal: {width: 1}\n", 1, "Property scal is not allowed."),
    "a block": ("stages: {p4: {body: {block: c2ff}}}\n", 1, 'Valid values: "a_conv"'),
    "an argument": (
        "stages:\n  p4:\n    body: {block: c2f, expansoin: 0.25}\n",
        3,
        "Property expansoin is not allowed.",
    ),
    "another block's argument": (
        "stages: {p4: {body: {block: c2f, kernel: 3}}}\n",
        1,
        "Property kernel is not allowed.",
    ),
    "a range": ("\n\nscale: {width: 100}\n", 3, "Value is above the maximum of 64."),
    "a kind": ("input: {rescale: 1}\n", 1, 'Incorrect type. Expected "boolean'),
    "a choice": ("conventions:\n  activation: swish\n", 2, 'Valid values: "silu", "relu"'),
}


GROUP_MISTAKES = {
    "a key": ("n:\n  block: conv\n  widht: 9\n", 3, "Property widht is not allowed."),
    "a block": ("n: {block: c2ff}\n", 1, 'Valid values: "a_conv"'),
}


@pytest.mark.parametrize(("text", "line", "message"), GROUP_MISTAKES.values(), ids=list(GROUP_MISTAKES))
def test_a_typo_in_a_file_of_a_group_is_marked(
    text: str, line: int, message: str, editor: Editor, user_file: Callable[..., Path]
) -> None:
    path = user_file(text, GROUP_SCHEMA)
    (found,) = editor.problems(path)[path]
    assert (found["range"]["start"]["line"], message in found["message"]) == (line, True), found


@pytest.mark.parametrize(("text", "line", "message"), MISTAKES.values(), ids=list(MISTAKES))
def test_a_typo_is_marked_where_it_is(
    text: str, line: int, message: str, editor: Editor, user_file: Callable[[str], Path]
) -> None:
    path = user_file(text)
    (found,) = editor.problems(path)[path]
    assert (found["range"]["start"]["line"], message in found["message"]) == (line, True), found


def test_what_archdsl_allows_is_not_marked(editor: Editor, user_file: Callable[[str], Path]) -> None:
    text = """\
defaults: [yolo_v8_s_backbone, neck: fpn, /head: null, _self_, override neck: pan_c2f]
scale: {depth: "${scale.width}"}
stages:
  p3: null
  p4:
    depth: ${..p5.depth}
    post:
      side: {block: depthwise_conv_bn_act, from: p4_down, kernel: "${input.shape[2]}"}
      sum: {block: add, from: [p4_body, side]}
  p5: {body: {expansion: 0.25}, post: {sppf: null}}
outputs: [p4, "${.0}"]
"""
    path = user_file(text)
    assert editor.problems(path)[path] == []


def test_the_arguments_of_a_block_are_offered_with_their_meaning(
    editor: Editor, user_file: Callable[[str], Path]
) -> None:
    path = user_file("stages:\n  p4:\n    body:\n      block: csp\n      tr\n")
    editor.problems(path)
    offered = {item["label"]: item["documentation"] for item in editor.at("completion", path, "\n      tr")["items"]}
    assert offered.keys() >= set(get_block("csp").parameters)
    assert offered["transition"] == "Whether a 1 × 1 convolution follows the bottlenecks."
    assert "kernel" not in offered


def test_blocks_and_activations_are_offered(editor: Editor, user_file: Callable[[str], Path]) -> None:
    path = user_file("conventions:\n  activation: s\nstages:\n  p4:\n    body:\n      block: c\n")
    editor.problems(path)
    labels = [item["label"] for item in editor.at("completion", path, "block: c")["items"]]
    assert {"c2f", "csp", "conv_bn_act"} <= set(labels)
    labels = [item["label"] for item in editor.at("completion", path, "activation: s")["items"]]
    assert {"silu", "sigmoid"} <= set(labels)


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        ("max_wid", "Cap of every width before it is scaled."),
        ("stri", "How many times smaller the stage makes the map"),
        ("resid", "Whether the input is added to the result, if its shape fits."),
        ("conven", "Activation, padding and normalisation"),
    ],
)
def test_a_key_says_what_it_means(word: str, meaning: str, editor: Editor, user_file: Callable[[str], Path]) -> None:
    text = "scale: {max_width: 512}\nconventions: {}\nstages: {p4: {stride: 2, body: {block: c2f, residual: false}}}\n"
    path = user_file(text)
    editor.problems(path)
    assert meaning in json.dumps(editor.at("hover", path, word)["contents"], ensure_ascii=False)
