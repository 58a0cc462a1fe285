"""`archdsl explain`: where a value comes from, key by key, checked against the files themselves."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import samples

import archdsl
from archdsl.analysis.explain import Explanation, explain
from archdsl.frontend.compose.config import load
from archdsl.frontend.compose.search_path import config_root, preset_names
from archdsl.frontend.sema.scale import scaling
from archdsl.frontend.sema.spec import Scale
from archdsl.frontend.source import ABSENT

Run = Callable[..., subprocess.CompletedProcess[str]]
Write = Callable[[str, str], Path]

FAMILY = "yolo_v8.yaml"
MINE = """
defaults: [yolo_v8_s_backbone, _self_]
stages:
  p4: {depth: 9, body: {expansion: 0.25}}
  p5: {body: {block: csp, residual: false}, post: null}
"""
SOME = ["yolo_v8_s_backbone", "csp_darknet_tiny", "resnet50_v2"]


@pytest.fixture
def mine(write: Write) -> Path:
    return write("mine.yaml", MINE)


def told(found: Explanation) -> list[tuple[str, Any, bool]]:
    """(file, value, whether it wins) of every statement."""
    return [(Path(said.mark.file).name, said.value, said.wins) for said in found.statements]


def single_values(values: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    items = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    if not items:
        yield ".".join(path), values
    for key, item in items:
        yield from single_values(item, (*path, str(key)))


@cache
def texts_by_place(file: str) -> dict[tuple[int, int], str]:
    """PyYAML's own reading of where each single value of a file stands, and its text."""
    pending = [yaml.compose(Path(file).read_text(), Loader=yaml.SafeLoader)]
    found = {}
    while pending:
        node = pending.pop()
        if isinstance(node, yaml.MappingNode):
            pending += [item for pair in node.value for item in pair]
        elif isinstance(node, yaml.SequenceNode):
            pending += node.value
        else:
            found[node.start_mark.line + 1, node.start_mark.column + 1] = node.value
    return found


@pytest.mark.parametrize("preset", samples.sampled(preset_names(), SOME))
def test_the_winner_of_every_key_is_the_composed_value_and_stands_where_it_says(preset: str) -> None:
    keys = dict(single_values(load(preset).values))
    assert len(keys) > 10
    for key, value in keys.items():
        (winner,) = [said for said in explain(preset, key).statements if said.wins]
        assert (winner.value, explain(preset, key).value) == (value, value), key
        text = texts_by_place(winner.mark.file)[winner.mark.line, winner.mark.column]
        assert text == value or yaml.safe_load(text) == value or float(text) == value, key


def test_files_and_overrides_stand_in_their_order_and_the_last_wins(mine: Path) -> None:
    found = explain(mine, "stages.p4.depth", ["stages.p4.depth=3", "scale.width=0.25", "stages.p4.depth=4"])
    assert told(found) == [
        (FAMILY, 6, False),
        ("mine.yaml", 9, False),
        ("<override 1>", 3, False),
        ("<override 3>", 4, True),
    ]
    assert found.value == 4
    assert found.statements[1].mark == (str(mine), 4, 15)


def test_a_value_from_stage_defaults_says_so(mine: Path) -> None:
    (said,) = explain(mine, "stages.p4.body.block").statements
    assert (said.path, said.value, said.wins) == (("stage_defaults", "body", "block"), "c2f", True)


def test_what_another_block_does_not_take_from_stage_defaults_does_not_win(mine: Path) -> None:
    overrides = ["+stage_defaults.body.expansion=0.75"]
    assert told(explain(mine, "stages.p3.body.expansion", overrides)) == [("<override 1>", 0.75, True)]
    found = explain(mine, "stages.p5.body.expansion", overrides)
    assert told(found) == [("<override 1>", 0.75, False)]
    assert (found.value, found.default) == (0.5, "the default of block 'csp'")


@pytest.mark.parametrize(
    ("key", "value", "default"),
    [
        ("scale.divisor", 1, "the default of the language"),
        ("conventions.slope", 0.1, "the default of the language"),
        ("stages.p4.body.residual", True, "the default of block 'c2f'"),
        ("stages.p4.body.width", 512, "given by stages.p4"),
    ],
)
def test_a_value_that_nobody_wrote_is_a_default(mine: Path, key: str, value: object, default: str) -> None:
    found = explain(mine, key)
    assert (found.value, found.default, found.statements) == (value, default, ())


def test_what_is_taken_away_says_where(mine: Path) -> None:
    found = explain(mine, "stages.p5.post.sppf.kernel", ["~stages.p5"])
    assert found.value is ABSENT
    assert told(found) == [(FAMILY, 5, False), ("mine.yaml", ABSENT, False)]
    assert told(explain(mine, "stages.p5.width", ["~stages.p5"]))[-1] == ("<override 1>", ABSENT, False)
    deleted = explain(mine, "stages.p4", ["~stages.p4"])  # not null, which would be a value
    assert deleted.value is ABSENT
    assert told(deleted)[-1] == ("<override 1>", ABSENT, False)


def test_a_mapping_shows_what_each_file_says_of_it(mine: Path) -> None:
    found = explain(mine, "stages.p4", ["stages.p4.width=300", "stages.p4.depth=2"])
    assert [(name, value) for name, value, _ in told(found)] == [
        (FAMILY, {"down": {"block": "conv_bn_act", "kernel": 3, "stride": 2}, "body": {"block": "c2f"}}),
        (FAMILY, {"width": 512, "depth": 6}),
        ("mine.yaml", {"depth": 9, "body": {"expansion": 0.25}}),
        ("<override 1>", {"width": 300}),
        ("<override 2>", {"depth": 2}),
    ]
    assert [wins for _, _, wins in told(found)] == [True, False, True, True, True]
    assert found.value["body"] == {"expansion": 0.25, "block": "c2f"}


def test_lists_in_a_mapping_are_shown_whole_and_their_items_by_number() -> None:
    said = [value for _, value, _ in told(explain("yolo_v8_s_backbone", "input", ["input.shape.0=64"]))]
    assert said == [{"shape": [None, None, 3], "rescale": True}, {"shape": {0: 64}}]


def test_a_mapping_takes_the_place_of_a_list(mine: Path) -> None:
    found = explain({"stages": {"p1": {"width": 8, "body": {"block": "conv"}}}}, "outputs")
    assert found.value is None
    named = mine.with_name("named.yaml")
    named.write_text("defaults: [mine, _self_]\noutputs: {small: p3}\n")
    assert [said.wins for said in explain(named, "outputs").statements] == [False, True]
    assert told(explain(named, "outputs.small")) == [("named.yaml", "p3", True)]


def test_an_item_of_a_list_is_a_key(mine: Path) -> None:
    overrides = ["outputs.0=p2"]
    assert told(explain(mine, "outputs.0", overrides)) == [(FAMILY, "p3", False), ("<override 1>", "p2", True)]
    assert told(explain(mine, "outputs.1", overrides)) == [(FAMILY, "p4", True)]
    assert explain(mine, "outputs", overrides).value == ["p2", "p4", "p5"]


@pytest.mark.parametrize(
    ("preset", "key", "becomes", "scaling"),
    [
        ("yolo_v8_s_backbone", "stages.p4.depth", 2, "6 × scale.depth 0.33 = 1.98, rounded"),
        ("yolo_v8_s_backbone", "stages.p4.width", 256, "512 × scale.width 0.5 = 256"),
        ("yolo_v8_m_backbone", "stages.p5.width", 576, "min(1024, scale.max_width 768) × scale.width 0.75 = 576"),
        ("yolo_v8_s_backbone", "stem.conv.width", 32, "64 × scale.width 0.5 = 32"),
        ("resnet50_v2", "stages.p3.width", None, ""),
        ("yolo_v8_s_backbone", "stem.conv.kernel", None, ""),
    ],
)
def test_scaling_says_what_a_width_or_depth_becomes(preset: str, key: str, becomes: int | None, scaling: str) -> None:
    found = explain(preset, key)
    assert (found.becomes, found.scaling) == (becomes, scaling)


@pytest.mark.parametrize(
    ("factors", "depth", "words"),
    [
        (Scale(depth=0.5), 1, "1 × scale.depth 0.5 = 0.5, rounded, at least 1"),
        (Scale(depth=0.5), 3, "3 × scale.depth 0.5 = 1.5, rounded"),
        (Scale(depth=0.3, depth_rounding="up"), 1, "1 × scale.depth 0.3 = 0.3, rounded up"),
    ],
)
def test_scaling_says_where_the_least_depth_is_what_remains(factors: Scale, depth: int, words: str) -> None:
    assert scaling("depth", depth, factors) == words


def test_a_default_of_a_block_in_python_is_not_scaled() -> None:
    overrides = ["scale.depth=3", "~stages.p4.depth"]
    found = explain("yolo_v8_s_backbone", "stages.p4.body.depth", overrides)
    assert (found.value, found.becomes) == (1, None)
    layers = archdsl.analyze("yolo_v8_s_backbone", overrides).layers
    assert next(layer.block for layer in layers if layer.path == "stages.p4.body") == "c2f"


def test_numbers_of_a_block_in_yaml_are_scaled_where_they_are_written(write: Write) -> None:
    inside = "{x: {block: conv, width: $hidden}, y: {block: c2f, depth: $deep, width: 64}}"
    block = f"{{arguments: {{hidden: 100, deep: 7}}, layers: {inside}}}"
    text = MINE.replace("post: null", "post: {m: {block: mine}}")
    path = write("block.yaml", text + f"blocks: {{mine: {block}}}\n")
    keys = ("blocks.mine.arguments.hidden", "blocks.mine.arguments.deep", "blocks.mine.layers.y.width")
    assert [explain(path, key).becomes for key in keys] == [50, 2, 32]
    assert explain(path, "blocks.mine.layers.y.depth").becomes is None
    assert (explain(path, "stages.p5.post.m.hidden").value, explain(path, "stages.p5.post.m.hidden").becomes) == (
        100,
        50,
    )


def test_a_reference_stands_where_it_is_written_and_has_the_value_it_leads_to(write: Write) -> None:
    path = write(
        "refers.yaml", MINE.replace("stages:", "stages:\n  p3: {depth: '${stages.p4.depth}'}") + "tail: ${stem}\n"
    )
    found = explain(path, "stages.p3.depth")
    assert (found.value, found.becomes) == (9, 3)
    assert told(found)[-1] == ("refers.yaml", "${stages.p4.depth}", True)
    found = explain(path, "tail.conv.width")
    assert (found.value, told(found)) == (64, [("refers.yaml", "${stem}", True)])
    assert found.statements[0].path == ("tail",)


def test_what_scaling_says_is_what_the_graph_has() -> None:
    graph = archdsl.compile_config("yolo_v8_m_backbone", ["++scale.divisor=24"])
    for level, node in graph.levels.items():
        assert (
            node.channels
            == explain("yolo_v8_m_backbone", f"stages.{level.lower()}.width", ["++scale.divisor=24"]).becomes
        )


def test_a_dict_is_explained_like_a_file() -> None:
    config = {"stages": {"p1": {"width": 8, "down": {"block": "conv", "stride": 2}}}}
    assert told(explain(config, "stages.p1.width", ["stages.p1.width=16"])) == [
        ("<dict>", 8, False),
        ("<override 1>", 16, True),
    ]


def test_values_of_a_config_with_mistakes_can_be_explained(write: Write) -> None:
    broken = write("broken.yaml", MINE + "outputs: [p9]\nconventions: {slope: much}\n")
    assert explain(broken, "stages.p4.depth").value == 9
    assert explain(broken, "conventions.slope").value == "much"


def test_inside_an_alias_a_value_stands_where_the_alias_does(write: Write) -> None:
    write("parent.yaml", MINE + "stem: &a {x: {block: conv, width: 8}}\ntail: *a\n")
    child = write("child.yaml", "defaults: [parent, _self_]\ntail: {x: {width: 16}}\n")
    assert told(explain(child, "tail.x.block")) == [("parent.yaml", "conv", True)]
    assert told(explain(child, "tail.x.width")) == [("parent.yaml", 8, False), ("child.yaml", 16, True)]


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("stages.p4.dpeth", "did you mean 'stages.p4.depth'?"),
        ("scael.width", "did you mean 'scale.width'?"),
        ("scale.divsor", "did you mean 'scale.divisor'?"),
        ("output", "did you mean 'outputs'?"),
        ("stages.p4.depth.more", "did you mean 'stages.p4.depth'?"),
        ("outputs.7", "did you mean 'outputs.0'"),
        ("", ""),
        (".", ""),
        ("\x1b[31m", ""),
        ("²", ""),
        ("9" * 5000, ""),
    ],
)
def test_an_unknown_key_has_the_nearest_one(mine: Path, key: str, hint: str) -> None:
    with pytest.raises(archdsl.ArchError) as caught:
        explain(mine, key)
    (problem,) = caught.value.problems
    assert problem.code == "unknown-key"
    assert hint in problem.hint


# The command


def test_explain_prints_each_place_and_marks_the_winner(run: Run, mine: Path) -> None:
    lines = run("explain", "mine.yaml", "stages.p4.depth").stdout.splitlines()
    family = config_root() / "family" / FAMILY
    assert lines[0] == "stages.p4.depth = 9"
    assert lines[1].split() == [f"{family}:20:27", "6"]
    assert lines[2].split() == ["*", "mine.yaml:4:15", "9"]
    assert lines[3] == "  becomes 3: 9 × scale.depth 0.33 = 2.97, rounded"


def test_explain_prints_json(run: Run, mine: Path) -> None:
    data = json.loads(run("explain", "mine.yaml", "stages.p4.depth", "stages.p4.depth=12", "--json").stdout)
    assert (data["key"], data["value"], data["becomes"]) == ("stages.p4.depth", 12, 4)
    assert data["statements"][1:] == [
        {"file": "mine.yaml", "line": 4, "column": 15, "key": "stages.p4.depth", "value": 9, "wins": False},
        {"file": "<override 1>", "line": 1, "column": 17, "key": "stages.p4.depth", "value": 12, "wins": True},
    ]


def test_explain_without_a_key_is_about_codes(run: Run) -> None:
    codes = run("explain").stdout
    assert "\nunknown-block " in codes
    entry = run("explain", "shape").stdout
    assert "from: [p4_body, p3]" in entry
    wrong = run("explain", "shpae")
    assert wrong.returncode == 2
    assert "did you mean 'shape'?" in wrong.stderr


def test_numbers_that_json_does_not_have_are_texts(run: Run, write: Callable[[str, str], Path]) -> None:
    write("odd.yaml", "scale: {width: .inf, depth: -.inf}\nconventions: {slope: .nan}\nstages: {p1: {width: 8}}\n")

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    for key, text in (("scale.width", ".inf"), ("scale.depth", "-.inf"), ("conventions.slope", ".nan")):
        data = json.loads(run("explain", "odd.yaml", key, "--json").stdout, parse_constant=refuse)
        assert data["value"] == data["statements"][0]["value"] == text
