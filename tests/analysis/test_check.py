"""`archdsl check`: every answer is a fact with its numbers and place, and a change that makes the finding go away."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from support import samples
from support.drawn_configs import drawn_configs

import archdsl
from archdsl.analysis.lint import CHECKS, WARNINGS, Design, Question, changed_config, examine, suggestions
from archdsl.frontend.compose.config import load
from archdsl.tools.cli import cli

Write = Callable[[str, str], Path]
Run = Callable[..., CompletedProcess[str]]

YOLO = "yolo_v8_s_backbone"
BROAD = "++stages.p3.width=2048"


def checked(config: str, *words: str) -> list[dict[str, Any]]:
    """The findings of `archdsl check CONFIG WORD… --json`."""
    result = CliRunner().invoke(cli, ["check", config, *words, "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    findings: list[dict[str, Any]] = json.loads(result.stdout)["findings"]
    return findings


def found(config: str, *words: str, code: str = "") -> list[dict[str, Any]]:
    """Those that are not ok, of one code or of all."""
    return [each for each in checked(config, *words) if each["verdict"] != "ok" and code in ("", each["code"])]


# Each question, answered no: the words that cause it, what is said, and where.
FINDINGS: dict[str, tuple[str, list[str], str, list[str]]] = {
    "a level is no output": (
        "levels",
        [YOLO, "outputs=[p4,p5]"],
        "<override 1>",
        ["P3 of stride 8 missing among the outputs: P4, P5", "outputs=[p3,p4,p5]"],
    ),
    "there is no stage for a level": (
        "levels",
        [YOLO, "~stages.p5"],
        "family/yolo_v8.yaml",
        [
            "P5 of stride 32 missing among the outputs: P3, P4; there is no stage for P5",
            "+stages.p5={width: 512, depth: 6}",
        ],
    ),
    "two levels are missing": (
        "levels",
        [YOLO, "outputs=[p2,p3]", "~stages.p5"],
        "<override 1>",
        ["P4 of stride 16 and P5 of stride 32 missing", "outputs=[p2,p3,p4,p5]"],
    ),
    "other levels are asked for": (
        "levels",
        [YOLO, "--levels", "p2,p3,p6"],
        "family/yolo_v8.yaml",
        ["P2 of stride 4 and P6 of stride 64 missing", "outputs=[p2,p3,p4,p5,p6]"],
    ),
    "channels are no multiples of 8": (
        "neck",
        [YOLO, "scale.width=0.33"],
        "family/yolo_v8.yaml",
        ["P3, P4, P5 have 84, 169, 338", "+scale.divisor=8"],
    ),
    "channels differ": (
        "neck",
        [YOLO, "--neck", "equal"],
        "family/yolo_v8.yaml",
        ["P3, P4, P5 have 128, 256, 512", "outputs=[p3_lateral,p4_lateral,p5_lateral]"],
    ),
    "channels of a ResNet differ": ("neck", ["resnet50_v2", "--neck", "equal"], "resnet_v2", ["256, 512, 1024, 2048"]),
    "SPPF stays where it was": (
        "pyramid-pooling",
        [YOLO, "+stages.p6={width: 1024, depth: 3}"],
        "family/yolo_v8.yaml",
        ["not at the top, P6", "~stages.p5.post.sppf", "+stages.p6.post.sppf={block: sppf, kernel: 5}"],
    ),
    "SPP in front of the body stays": (
        "pyramid-pooling",
        ["csp_darknet_tiny", "+stages.p6={width: 1024}"],
        "family/csp_darknet.yaml",
        ["not at the top, P6", "~stages.p5.pre.spp"],
    ),
    "there is no SPP": (
        "pyramid-pooling",
        ["resnet50_v2"],
        "family/resnet_v2",
        ["one pixel of P5 sees 259 px", "+stages.p5.post.sppf={block: sppf}"],
    ),
    "objects of one pixel": (
        "tiny-objects",
        [YOLO, "--min-object", "8px"],
        "family/yolo_v8.yaml",
        ["an object of 8 px covers 1 px of P3", "expected at least 2", "outputs=[p2,p3,p4,p5]"],
    ),
    "objects too small for any stage": (
        "tiny-objects",
        [YOLO, "--min-object", "5", "--size", "320"],
        "family/yolo_v8.yaml",
        ["an object of 5 px covers 0.625 px of P3", "outputs=[p2,p3,p4,p5] --size 640x640 --min-object 10"],
    ),
    "branches": (
        "unfused",
        ["yolo_v9_s_backbone"],
        "yolo_v9_s_backbone.yaml",
        ["--fuse", "deploy what `archdsl build --fuse` makes of it"],
    ),
    "a size with a rest": (
        "input-size",
        [YOLO, "--size", "500x640"],
        "<image size>",
        ["500x640 is no multiple of the stride of P5, 32", "--size 512x640"],
    ),
    "a size under the stride": (
        "input-size",
        [YOLO, "+stages.p6={width: 64}", "--size", "32"],
        "<image size>",
        ["32x32 is smaller than the stride of P6, 64", "--size 64x64"],
    ),
    "a depth between two": (
        "depth-rounded",
        [YOLO, "scale.depth=0.25", "stages.p2.depth=5", "stages.p5.depth=4", "stages.p3.depth=8", "stages.p4.depth=8"],
        "<override 2>",
        ["depth 5 × scale.depth 0.25 is 1.25, rounded to 1, in stages.p2", "stages.p2.depth=4"],
    ),
    "half a depth": (
        "depth-rounded",
        [YOLO, "scale.depth=0.5"],
        "<override 1>",
        [
            "depth 3 × scale.depth 0.5 is 1.5, rounded to 2, in stages.p2, stages.p5",
            "stages.p2.depth=4 stages.p5.depth=4",
        ],
    ),
    "a depth under one": (
        "depth-rounded",
        [YOLO, "stages.p5.depth=2"],
        "<override 1>",
        ["depth 2 × scale.depth 0.33 is 0.66, rounded to 1, in stages.p5", "stages.p5.depth=3"],
    ),
    "a width over the cap": (
        "width-cut",
        [YOLO, BROAD],
        "<override 1>",
        [
            "width 2048 is cut to scale.max_width 1024, which gives 512 channels, in stages.p3",
            "stages.p3.width=1024",
        ],
    ),
    "a cap under widths": (
        "width-cut",
        [YOLO, "scale.max_width=512"],
        "<override 1>",
        ["width 1024 is cut"],
    ),
    "a width that scaling made odd": (
        "odd-width",
        [YOLO, "scale.width=0.33"],
        "<override 1>",
        ["5 of 5 widths", "stem.conv 21, stages.p2 42, stages.p3 84, stages.p4 169, stages.p5 338", "+scale.divisor=8"],
    ),
    "a width that is odd itself": (
        "odd-width",
        ["resnet18_v2", "stages.p3.width=100"],
        "<override 1>",
        ["width 100 is not a multiple of 8", "stages.p3.width=104"],
    ),
    "a stage after the last output": (
        "unused-stage",
        [YOLO, "outputs=[p3,p4]"],
        "<override 1>",
        [
            "no output is computed from P5, which has 3.68 M of the 5.09 M parameters",
            "~stages.p5",
            "outputs=[p3,p4,p5]",
        ],
    ),
    "two stages after the last output": (
        "unused-stage",
        ["resnet18_v2", "outputs=[p3]"],
        "<override 1>",
        ["no output is computed from P4, P5 and the tail, which have", "~stages.p4 ~stages.p5"],
    ),
}


@pytest.mark.parametrize("name", FINDINGS)
def test_an_answer_says_the_fact_and_the_place_and_its_change_mends_it(name: str) -> None:
    code, words, place, texts = FINDINGS[name]
    before = found(*words, code=code)
    text = "\n".join([each["message"] + "\n" + " ".join(each["change"]) + "\n" + each["advice"] for each in before])
    for expected in texts:
        assert expected in text
    assert place in f"{before[0]['file']}:{before[0]['line']}:{before[0]['column']}"
    assert before[0]["path"]
    for finding in before:
        after = found(*words, *finding["change"], code=code)
        assert (finding["path"], finding["message"]) not in [(each["path"], each["message"]) for each in after]
    assert not found(*words, *[word for finding in before for word in finding["change"]], code=code)


def test_every_check_is_tried_above_and_answers_about_every_config() -> None:
    assert {code for code, *_ in FINDINGS.values()} == set(CHECKS)
    assert [each["code"] for each in checked(YOLO, "--min-object", "16")] == list(CHECKS)
    assert set(WARNINGS) <= set(CHECKS)


def test_yolo_v8_has_nothing_to_change() -> None:
    for size in "xs", "s":
        assert not found(f"yolo_v8_{size}_backbone"), size
    for size in "m", "l", "xl":  # their widths are cut as published, which is no fault
        (cut,) = found(f"yolo_v8_{size}_backbone")
        assert (cut["code"], cut["verdict"]) == ("width-cut", "note")


TASKS = ("_detect", "_segment", "_pose", "_obb")


@pytest.mark.parametrize("preset", samples.presets())
def test_every_change_for_a_preset_mends_what_it_is_for(preset: str) -> None:
    question = Question(levels=("p2", "p3", "p4", "p5", "p6"), neck="equal", min_object=8)
    joins = preset.startswith(("hrnet", "unet", "yolo_12")) or preset.endswith(TASKS)  # maps that are doubled, areas
    size = (512, 640) if joins else (480, 650)
    assert_changes_mend(load(preset).with_size(*size), question)


@settings(deadline=None, max_examples=40, derandomize=True, suppress_health_check=list(HealthCheck))
@given(drawn_configs())
def test_every_change_for_a_drawn_config_mends_what_it_is_for(config: dict[str, Any]) -> None:
    assert_changes_mend(load(config), Question(neck="equal", min_object=16))


def assert_changes_mend(config: archdsl.frontend.compose.config.Config, question: Question) -> None:
    for finding in suggestions(Design(config, question)):
        overrides = [word for word in finding.change if "=" in word or word.startswith("~")]
        if overrides and len(overrides) == len(finding.change):
            changed = examine(Design(changed_config(config, overrides), question), [finding.code])
            assert (finding.path, finding.message) not in [(each.path, each.message) for each in changed]


def test_networks_of_tokens_are_not_asked_for_what_only_maps_have(run: Run) -> None:
    for name in ("vit_tiny_patch16_classify", "vit_tiny_patch16_backbone"):
        assert not [each for each in found(name) if each["code"] in ("neck", "pyramid-pooling")]
        assert all("  " not in each["message"] for each in checked(name))
    assert "try one" not in run("check", "vgg16_classify").stdout  # which has a note, and no change for it


def test_a_neck_of_equal_channels_gets_them_without_a_change_of_the_backbone() -> None:
    (finding,) = found(YOLO, "--neck", "equal", code="neck")
    before, after = archdsl.analyze(YOLO), archdsl.analyze(YOLO, finding["change"])
    assert {info.channels for info in after.outputs.values()} == {128}
    assert [info.stride for info in after.outputs.values()] == [8, 16, 32]
    kept = {node.name for node in before.nodes}
    assert [node for node in after.nodes if node.name in kept] == [node._replace(levels=()) for node in before.nodes]


def test_what_fusing_saves_is_counted_by_hand() -> None:
    """A RepConv of 8 channels: of 9 × 8 + 8 inputs a channel and three batch norms, 9 × 8 and a bias are left."""
    body = {"block": "rep_conv", "width": 8}
    config = {"input": {"shape": [32, 32, 8]}, "stages": {"only": {"body": body}}, "outputs": ["only"]}
    (finding,) = examine(Design(load(config), Question()), ["unfused"])
    params = 8 * (9 * 8 + 8) + 3 * 4 * 8
    assert f"{params - 8 * 9 * 8 - 8} of {params} parameters" in finding.message
    assert f"{32 * 32 * 8 * 8 / 1000:.1f} k of {32 * 32 * 8 * 8 * 10 / 1000:.0f} k MACs" in finding.message


def test_pooling_of_a_larger_stride_is_no_pyramid() -> None:
    branches = (
        "+stages.p6={width: 256, down: null, pre: {pool: {block: max_pool}, conv: {block: conv_bn_act, from: p5, "
    )
    branches += "kernel: 3, stride: 2}, both: {block: concat, from: [pool, conv]}}}"
    (finding,) = found("yolo_v9_s_backbone", branches, code="pyramid-pooling")
    assert "there is no spatial pyramid pooling" in finding["message"]


def test_the_coarsest_stage_that_is_fine_enough_is_asked_for() -> None:
    (finding,) = found("darknet53_backbone", "--min-object", "8", code="tiny-objects")
    assert finding["change"] == ["outputs=[p2,p3,p4,p5]"]
    (finding,) = found("darknet53_backbone", "--min-object", "4", code="tiny-objects")
    assert finding["change"] == ["outputs=[p1,p3,p4,p5]"]


def test_objects_large_enough_and_sizes_that_fit_are_fine() -> None:
    assert not found(YOLO, "--min-object", "16 px", code="tiny-objects")
    assert not found("yolo_v8_s_p2_backbone", "--min-object", "8px", code="tiny-objects")
    assert not found(YOLO, "--size", "any", code="input-size")
    assert not found(YOLO, "--size", "96x1248", code="input-size")


def test_a_factor_that_stands_for_a_fraction_rounds_as_meant() -> None:
    assert not found("yolo_v5_n_backbone", code="depth-rounded")  # 0.33 of 3, 6 and 9 are 0.99, 1.98 and 2.97


def test_a_file_is_pointed_at_and_its_own_size_is_taken(write: Write) -> None:
    path = write("mine.yaml", f"defaults: [{YOLO}, _self_]\ninput: {{shape: [300, 320, 3]}}\n")
    (finding,) = found(str(path))
    assert (finding["file"], finding["line"], finding["column"]) == (str(path), 2, 16)
    assert "300x320" in finding["message"]
    assert finding["change"] == ["input.shape=[320,320,3]"]
    assert not found(str(path), *finding["change"])
    (finding,) = found(str(path), "--size", "300x320")
    assert (finding["file"], finding["change"]) == ("<image size>", ["--size", "320x320"])


def test_a_change_that_would_break_the_config_is_not_suggested() -> None:
    """The top-down stage reads p5, which could not be taken out."""
    top_down = "+stages.up={pre: {up: {block: upsample, from: p5}}, down: null, body: null}"
    assert all("~stages.p5" not in each["change"] for each in found(YOLO, top_down, "outputs=[p3,up]"))
    beside = "+stages.side={pre: {a: {block: identity, from: p4}}, down: null, body: null}"
    tail = "+tail={sum: {block: concat, from: [p5_sppf, p5]}}"
    findings = found(YOLO, beside, tail, "outputs=[p3,p4,side]", code="unused-stage")
    assert [each["change"] for each in findings] == [[]]


def test_the_same_fact_in_two_places_is_two_findings_with_a_change_each(write: Write) -> None:
    path = write("mine.yaml", "stages:\n  a: {width: 12, body: {block: conv}}\n  b: {width: 12, body: {block: conv}}\n")
    findings = found(str(path), code="odd-width")
    assert [(each["path"], each["line"], each["change"]) for each in findings] == [
        ("stages.a.width", 2, ["stages.a.width=16"]),
        ("stages.b.width", 3, ["stages.b.width=16"]),
    ]


def test_levels_are_added_where_stages_have_no_defaults(write: Write) -> None:
    text = """
stages:
  p2: {width: 16, down: {block: conv_bn_act, kernel: 3, stride: 4}}
  p3: {width: 32, down: {block: conv_bn_act, kernel: 3, stride: 2}}
"""
    path = str(write("mine.yaml", text))
    (finding,) = found(path, code="levels")
    assert "there is no stage for P4 and P5" in finding["message"]
    assert finding["change"][0] == "+stages.p4={width: 32, down: {block: conv_bn_act, kernel: 3, stride: 2}}"
    assert not found(path, *finding["change"], code="levels")


def test_what_all_stages_share_is_told_once() -> None:
    (finding,) = found("yolo_v7_backbone", "stage_defaults.depth=3", "scale.depth=0.5", code="depth-rounded")
    assert finding["message"].endswith("in stages.p2, stages.p3, stages.p4, stages.p5")
    assert finding["file"] == "<override 1>"
    assert finding["change"] == [f"+stages.p{number}.depth=4" for number in (2, 3, 4, 5)]


def test_widths_of_blocks_in_yaml_are_looked_at_too(write: Write) -> None:
    blocks = """
blocks:
  mine:
    arguments: {width: null, hidden: 100}
    layers:
      wide: {block: conv_bn_act, width: $hidden}
      narrow: {block: conv_bn_act, width: 20}
      fuse: {block: c2f, width: $width}
stages:
  p1: {width: 16, down: {block: max_pool}, body: {block: mine}}
  p2: {width: 16, down: {block: max_pool}, body: {block: mine, hidden: 12}}
"""
    findings = found(str(write("mine.yaml", blocks)), code="odd-width")
    assert {each["path"]: each["change"] for each in findings} == {
        "blocks.mine.arguments.hidden": ["blocks.mine.arguments.hidden=104"],
        "blocks.mine.layers.narrow.width": ["blocks.mine.layers.narrow.width=24"],
        "stages.p2.body.hidden": ["stages.p2.body.hidden=16"],
    }
    assert not found(findings[0]["file"], *[word for each in findings for word in each["change"]], code="odd-width")


def test_configs_without_outputs_or_sizes_are_answered_too() -> None:
    plain = {"stages": {"only": {"width": 12, "body": {"block": "conv_bn_act"}}}}
    codes = {each.code: each.verdict for each in suggestions(Design(load(plain), Question(min_object=4)))}
    assert codes["levels"] == "change"
    assert codes["input-size"] == "ok"


# The command line


def test_strict_fails_for_changes_and_not_for_notes(run: Run) -> None:
    assert run("check", "resnet18_v2").returncode == 0
    assert run("check", "resnet18_v2", "--strict").returncode == 0
    assert run("check", YOLO, "outputs=[p3,p4]").returncode == 0
    assert run("check", YOLO, "outputs=[p3,p4]", "--strict").returncode == 2


def test_explain_knows_the_codes_of_check_too(run: Run) -> None:
    assert "multiple of 8" in run("explain", "odd-width").stdout
    listed = [line.split()[0] for line in run("explain").stdout.splitlines()]
    assert set(CHECKS) <= set(listed)


def test_check_prints_verdict_fact_place_and_words_to_copy(run: Run) -> None:
    lines = run("check", YOLO, "outputs=[p3,p4]").stdout.splitlines()
    first = lines.index("change  levels: P5 of stride 32 missing among the outputs: P3, P4")
    assert lines[first + 1 : first + 3] == [
        "        at <override 1>:1:9: outputs",
        "        change: 'outputs=[p3,p4,p5]'",
    ]
    assert lines[-1].startswith("2 changes")
    assert run("check", YOLO).stdout.splitlines()[-1] == "nothing to change"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--levels", "p3,x"], "'p3,x' is not a list of levels"),
        (["--min-object", "tiny"], "'tiny' is not a size in pixels"),
        (["--min-object", "0"], "'0' is not a size in pixels"),
        (["--neck", "round"], "'round' is not one of"),
        (["stages.p9=1"], "error[override]"),
    ],
)
def test_a_wrong_question_is_an_error(run: Run, words: list[str], expected: str) -> None:
    result = run("check", YOLO, *words)
    assert result.returncode == 2
    assert expected in result.stderr
    assert not result.stdout


# In show


def test_show_warns_of_what_the_user_wrote_in_a_line_each(run: Run, write: Write) -> None:
    write("mine.yaml", f"defaults: [{YOLO}, _self_]\nscale: {{width: 0.33}}\noutputs: [p3, p4]\n")
    result = run("show", "mine.yaml", "--size", "650")
    assert [line.split(": ")[:2] for line in result.stderr.splitlines()] == [
        ["<image size>", "warning[input-size]"],
        ["mine.yaml:2:16", "warning[odd-width]"],
        ["mine.yaml:3:10", "warning[unused-stage]"],
        ["  hint", "`archdsl check`, with the same arguments, shows what to change"],
    ]
    assert "warning" not in result.stdout


def test_show_is_silent_about_presets_and_in_json(run: Run, write: Write) -> None:
    for preset in "yolo_v8_m_backbone", "csp_darknet_xl":
        assert found(preset)
        assert run("show", preset).stderr == ""
    write("mine.yaml", "defaults: [csp_darknet_xl, _self_]\nconventions: {activation: relu}\n")
    assert run("show", "mine.yaml").stderr == ""
    result = run("show", YOLO, "outputs=[p3]", "--json")
    assert list(json.loads(result.stdout)["outputs"]) == ["P3"]
    assert result.stderr == ""


def test_widths_that_are_not_chosen_are_not_judged(write: Write) -> None:
    """A squeeze of one pixel, a map of 255 channels that nothing reads, a depth that cannot be less."""
    text = """
input: {shape: [64, 64, 3]}
scale: {depth: 0.33}
stages:
  p1: {width: 16, depth: 1, body: {block: conv_bn_act, stride: 2}}
  p2: {width: 32, down: {block: conv_bn_act, stride: 2}, post: {gate: {block: squeeze_excite}}}
tail: {boxes: {block: conv, width: 255}}
"""
    path = write("mine.yaml", text)
    assert found(str(path), code="odd-width") == []
    assert found(str(path), code="depth-rounded") == []
