"""What a person asks at a place in an editor, over the protocol: lines count from 0, columns in units of UTF-16."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.language_server import ARCHDSL, Connection

from archdsl.blocks.registry import get_block
from archdsl.frontend.compose.search_path import config_root

NET = """\
# archdsl
defaults: [yolo_v8_s_backbone, _self_]
description: "𝔸 net"
stages:
  p4: {width: 500, post: {"x": {block: c2f}, sum: {block: add, from: [p4_body, x]}}}
neck: {extra: {block: conv, filters: 8, from: p4_x}}
outputs: {a: p3, b: p5, extra: extra}
"""


class Editing:
    """One text that is open."""

    def __init__(self, connection: Connection, path: Path):
        self.connection = connection
        self.uri = path.as_uri()
        self.version = 0

    def write(self, text: str) -> None:
        self.version += 1
        if self.version == 1:
            self.connection.open(self.uri, text)
        else:
            self.connection.change(self.uri, text, self.version)

    def at(self, method: str, line: int, character: int, **params: Any) -> Any:
        return self.connection.of_text(method, self.uri, position={"line": line, "character": character}, **params)


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    process = subprocess.Popen(ARCHDSL, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    yield Connection(process)
    process.kill()
    process.communicate()


@pytest.fixture(scope="module")
def editing(connection: Connection, tmp_path_factory: pytest.TempPathFactory) -> Editing:
    return Editing(connection, tmp_path_factory.mktemp("nets") / "net.yaml")


def span(line: int, start: int, end: int) -> dict[str, dict[str, int]]:
    return {"start": {"line": line, "character": start}, "end": {"line": line, "character": end}}


def test_a_word_is_completed_where_it_is(editing: Editing) -> None:
    editing.write(NET.replace("width: 500", "wi"))
    found = {each["label"]: each for each in editing.at("completion", 4, 9)}
    assert "post" not in found
    assert found["width"]["textEdit"] == {"range": span(4, 7, 9), "newText": "width: "}
    editing.write(NET.replace("block: c2f", "block: "))
    blocks = {each["label"]: each for each in editing.at("completion", 4, NET.splitlines()[4].index("c2f"))}
    assert blocks["c2f"]["documentation"]["value"] == get_block("c2f").summary


def test_columns_are_units_of_utf_16(editing: Editing) -> None:
    editing.write(NET.replace('description: "𝔸 net"', 'scale: {"𝔸": 1, wid: 0.5}'))
    found = {each["label"]: each for each in editing.at("completion", 2, 20)}
    assert found["width"]["textEdit"] == {"range": span(2, 17, 20), "newText": "width"}


def test_hover_is_markdown_with_figures(editing: Editing) -> None:
    editing.write(NET)
    found = editing.at("hover", 4, 16)
    assert found["range"] == span(4, 14, 17)
    assert found["contents"]["kind"] == "markdown"
    assert "becomes **250**: 500 × scale.width 0.5 = 250" in found["contents"]["value"]
    assert editing.at("hover", 2, 0) is not None
    assert editing.at("hover", 0, 3) is None


def test_definitions_are_in_other_files_too(editing: Editing) -> None:
    editing.write(NET)
    (parent,) = editing.at("definition", 1, 20)
    assert parent == {"uri": (config_root() / "yolo_v8_s_backbone.yaml").as_uri(), "range": span(0, 0, 0)}
    (key,) = editing.at("definition", 4, 9)
    family = config_root() / "family" / "yolo_v8.yaml"
    assert key["uri"] == family.as_uri()
    assert family.read_text().splitlines()[key["range"]["start"]["line"]].startswith("  p4: {width")
    (layer,) = editing.at("definition", 5, NET.splitlines()[5].index("p4_x"))
    assert layer == {"uri": editing.uri, "range": span(4, 26, 29)}


def test_a_layer_is_renamed_with_its_uses(editing: Editing) -> None:
    editing.write(NET)
    assert editing.at("prepareRename", 4, 27) == {"range": span(4, 26, 29), "placeholder": "x"}
    edits = editing.at("rename", 4, 27, newName="side")["changes"][editing.uri]
    x = NET.splitlines()[4].index("x]")
    p4_x = NET.splitlines()[5].index("p4_x")
    assert [(each["range"], each["newText"]) for each in edits] == [
        (span(4, 26, 29), '"side"'),
        (span(4, x, x + 1), "side"),
        (span(5, p4_x, p4_x + 4), "p4_side"),
    ]


@pytest.mark.parametrize(
    ("line", "character", "name", "why"),
    [(4, 3, "x", "this text only changes it"), (4, 27, "sum", "already"), (4, 27, "No", "not a name")],
)
def test_what_cannot_be_renamed_says_why(editing: Editing, line: int, character: int, name: str, why: str) -> None:
    editing.write(NET)
    with pytest.raises(AssertionError, match=why):
        editing.at("rename", line, character, newName=name)


def test_the_outline_and_what_can_be_folded(editing: Editing) -> None:
    editing.write(NET)
    found = editing.connection.of_text("documentSymbol", editing.uri)
    assert [each["name"] for each in found] == ["defaults", "description", "stages", "neck", "outputs"]
    (stage,) = found[2]["children"]
    assert [each["name"] for each in stage["children"]] == ["post"]
    folds = editing.connection.of_text("foldingRange", editing.uri)
    assert [(each["startLine"], each["endLine"]) for each in folds] == [(3, 4)]


def test_a_broken_text_is_answered_too(editing: Editing) -> None:
    editing.write(NET.replace("neck: {", "neck: {{").replace("outputs: {a: p3, b: p5, extra: extra}", "outputs: {a: p"))
    assert {"p3", "p4", "p4_x"} <= {each["label"] for each in editing.at("completion", 6, 14)}
    assert editing.at("definition", 1, 20)
