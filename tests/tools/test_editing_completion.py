"""What may be written at a place of a config: only what fits there, in both styles, also while the text is broken."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.cursor import MARK, cursor

import archdsl
from archdsl.blocks.registry import all_blocks, get_block
from archdsl.diagnostics.fixes import Edit
from archdsl.frontend.compose.search_path import preset_names
from archdsl.frontend.sema.schema import ScaleSchema, StageSchema
from archdsl.frontend.sema.vocabulary import fields
from archdsl.tools.editing.completion import Completion, complete
from archdsl.tools.editing.fixing import applied

PARENT = "defaults: [yolo_v8_s_backbone, _self_]\n"
BLOCK = "blocks:\n  mine:\n    arguments: {width: null, hidden: 64}\n    inputs: [a, b]\n    layers:\n"


def offered(text: str, folder: Path | None = None) -> dict[str, Completion]:
    return {each.label: each for each in complete(*cursor(text, folder=folder))}


LAYER_KEYS = {"block", "after", "from", "each", "share"}
C2F = set(get_block("c2f").parameters)
STAGE_KEYS, SCALE_KEYS = set(fields(StageSchema)), set(fields(ScaleSchema))
STAGES = {"p2", "p3", "p4", "p5"}

EXACTLY = {
    "keys of a stage": (f"{PARENT}stages:\n  p4:\n    §\n", STAGE_KEYS),
    "in brackets": (f"{PARENT}stages: {{p4: {{§}}}}\n", STAGE_KEYS),
    "that are not there yet": (f"{PARENT}scale: {{width: 1, depth: 1, §}}\n", SCALE_KEYS - {"width", "depth"}),
    "and the one that is being written": (f"{PARENT}scale: {{wid§, depth: 1}}\n", SCALE_KEYS - {"depth"}),
    "in an open bracket": (f"{PARENT}scale: {{width: 1, §\nstages: {{}}\n", SCALE_KEYS - {"width"}),
    "inherited stages": (f"{PARENT}stages:\n  §\n", STAGES),
    "but for those that are there": (f"{PARENT}stages:\n  p4: {{}}\n  §\n", STAGES - {"p4"}),
    "inherited layers": (f"{PARENT}stages: {{p5: {{post: {{§}}}}}}\n", {"sppf"}),
    "arguments of an inherited block": (f"{PARENT}stages: {{p4: {{body: {{§}}}}}}\n", (LAYER_KEYS - {"after"}) | C2F),
    "of the first repeat": (f"{PARENT}stages: {{p4: {{first: {{§}}}}}}\n", C2F),
    "arguments of an own block": (
        f"{BLOCK}      c: {{block: conv}}\nneck:\n  x: {{block: mine, §}}\n",
        (LAYER_KEYS - {"block"}) | {"width", "hidden", "depth"},
    ),
    "keys of a layer in a block": (
        f"{BLOCK}      c: {{block: activation, §}}\n",
        {"after", "from", "when", "depth", *get_block("activation").parameters},
    ),
    "a relative number": (f"{BLOCK}      c: {{block: conv, width: {{of: a, §}}}}\n", {"times", "plus", "divisor"}),
    "an argument of the block": (f"{BLOCK}      c: {{block: conv, width: $§}}\n", {"$width", "$hidden"}),
    "when": (f"{BLOCK}      c: {{block: conv, when: [§]}}\n", {"$width", "$hidden", "fits"}),
    "layers of a block before it": (
        f"{BLOCK}      c: {{block: conv}}\n      d: {{block: add, from: [c, §]}}\n      e: {{block: add}}\n",
        {"a", "b"},
    ),
    "words": (f"{PARENT}scale: {{depth_rounding: §}}\n", {"nearest", "up"}),
    "true and false": (f"{PARENT}input:\n  rescale: §\n", {"true", "false"}),
    "words of a block": (f"{PARENT}stages: {{p4: {{body: {{residual: §}}}}}}\n", {"true", "false"}),
    "names of parts": (f"{PARENT}freeze: [p2, §]\n", {"stem", "p3", "p4", "p5"}),
    "stages to come after": (f"{PARENT}stages: {{p6: {{after: §}}}}\n", STAGES),
    "keys of a reference": (f"{PARENT}stages: {{p4: {{width: '${{scale.§}}'}}}}\n", {"width", "depth", "max_width"}),
    "in brackets that it breaks": (f"{PARENT}stages: {{p4: {{width: ${{scale.§}}}}\n", {"width", "depth", "max_width"}),
    "of a relative reference": (f"{PARENT}stages:\n  p4: {{width: '${{..§}}'}}\n", STAGES),
    "nothing in a comment": (f"{PARENT}# wid§\n", set()),
    "nothing for a number": (f"{PARENT}stages: {{p4: {{width: §}}}}\n", set()),
    "nothing in a description": (f"{PARENT}description: a §\n", set()),
    "nothing in several lines": (f"{PARENT}conventions:\n  activation: re§lu\n    silu\n", set()),
    "nothing after a value": (f"{PARENT}scale: {{width: 1}} §\n", set()),
    "of a reference that leads further out than there is": ("a: {b: '${...§}', c: 1}\n", {"a"}),
    "below long text": (f"{PARENT}scale:\n  width: 1\n  least: |\n    a\n\n  §\n", SCALE_KEYS - {"width", "least"}),
    "nothing deeper below it": (f"{PARENT}description: |\n  a\n\n  §\n", set()),
}


@pytest.mark.parametrize(("text", "labels"), EXACTLY.values(), ids=list(EXACTLY))
def test_what_may_stand_there_is_offered_and_nothing_else(text: str, labels: set[str]) -> None:
    assert set(offered(text)) == labels


def test_keys_of_the_top_have_their_meaning() -> None:
    found = offered(f"{PARENT}sta§\n")
    assert found["stage_defaults"].documentation == "Values for every stage that does not set its own."
    assert "defaults" not in found
    assert set(offered("§")) == {"defaults", *archdsl.frontend.sema.schema.ConfigSchema.model_fields}


def test_every_block_is_offered_with_its_arguments_and_first_line() -> None:
    found = offered(f"{BLOCK}      c: {{block: conv, width: $hidden}}\nneck:\n  x: {{block: §}}\n")
    assert set(found) == {"mine", *all_blocks()}
    assert found["c2f"].documentation == get_block("c2f").summary
    assert found["c2f"].detail.startswith("width, depth = 1, residual = true, expansion = 0.5")
    assert found["mine"].detail == "width, hidden = 64"
    assert "$hidden" in offered(f"{BLOCK}      c: {{block: §}}\n")


def test_arguments_have_their_default_and_meaning() -> None:
    found = offered(f"{PARENT}stages:\n  p4:\n    body:\n      §\n")
    assert (found["expansion"].detail, found["expansion"].text) == ("= 0.5", "expansion: ")
    assert found["residual"].documentation.startswith("Whether the input is added")


def test_another_block_has_other_arguments() -> None:
    found = offered(f"{PARENT}stages:\n  p4:\n    body: {{block: conv, §}}\n")
    assert set(get_block("conv").parameters) <= set(found)
    assert "expansion" not in found


def test_a_layer_can_read_what_runs_before_it() -> None:
    layers = "x: {block: conv}, y: {block: add, from: [x, §]}, z: {block: conv}"
    found = offered(f"{PARENT}stages:\n  p4: {{post: {{{layers}}}}}\n")
    assert list(found)[:3] == ["body", "down", "p3"]
    assert {"p2_body", "conv", "input"} <= set(found)
    assert {"x", "y", "z", "p4", "p5"}.isdisjoint(found)
    assert found["body"].detail == "c2f"


def test_layers_may_share_weights_and_be_outputs() -> None:
    text = f"{PARENT}neck:\n  a: {{block: conv, filters: 8}}\n  b: {{block: conv, filters: 8, share: §}}\noutputs: []\n"
    assert {"a", "true"} <= set(offered(text))
    assert {"a", "b", "p4", "p4_body"} <= set(offered(text.replace(MARK, "a").replace("[]", f"[{MARK}]")))


def test_parents_are_presets_files_beside_it_and_groups(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(PARENT)
    found = offered("defaults: [yolo_v8_s_backbone, §]\n", tmp_path)
    assert {"mine", "family/yolo_v8", "neck", "head", "_self_"} <= set(found)
    assert set(preset_names()) - set(found) == {"yolo_v8_s_backbone"}
    assert found["neck"].text == "neck: "
    assert offered("defaults: §\n")["yolo_v8_s_backbone"].text == "[yolo_v8_s_backbone, _self_]"
    assert {"fpn", "pan_c2f", "null"} <= set(offered("defaults: [yolo_v8_s_backbone, neck: §, _self_]\n"))
    assert {"fpn", "pan_c2f"} <= set(offered("defaults:\n  - yolo_v8_s_backbone\n  - neck: §\n"))


def test_a_file_of_a_group_holds_layers(tmp_path: Path) -> None:
    at = cursor("up: {block: upsample, §}\n", str(tmp_path / "neck" / "mine.yaml"))
    labels = {each.label for each in complete(*at)}
    assert {"from", "factor"} <= labels
    assert "stages" not in labels
    assert {each.label for each in complete(*cursor("§", str(tmp_path / "neck" / "mine.yaml")))} == {"defaults"}
    assert {"fpn"} <= {
        each.label for each in complete(*cursor("defaults: [§]\n", str(tmp_path / "neck" / "mine.yaml")))
    }


def test_a_parent_below_a_group_is_offered_while_it_is_written() -> None:
    found = offered("defaults: [neck: fpn, yolo_v8_s_b§, _self_]\n")
    assert {"yolo_v8_s_backbone", "unet"} <= set(found)
    assert "_self_" not in found
    assert "_self_" in offered("defaults: [unet, neck: fpn, _se§]\n")


def test_a_parent_that_does_not_exist_leaves_the_others() -> None:
    assert set(offered("defaults: [yolo_v8_s_backbone, nothing, _self_]\nstages:\n  §\n")) == STAGES


@pytest.mark.parametrize(
    ("text", "label", "after"),
    [
        (f"{PARENT}scale: {{wi§}}\n", "width", f"{PARENT}scale: {{width: }}\n"),
        (f"{PARENT}scale: {{wi§dt: 1}}\n", "width", f"{PARENT}scale: {{width: 1}}\n"),
        (f"{PARENT}sta§\n", "stages", f"{PARENT}stages:\n"),
        (f"{PARENT}outputs: [p3, p§]\n", "p4", f"{PARENT}outputs: [p3, p4]\n"),
        (
            f"{PARENT}stages: {{p4: {{width: '${{scale.wi§dt}}'}}}}\n",
            "width",
            f"{PARENT}stages: {{p4: {{width: '${{scale.width}}'}}}}\n",
        ),
        ("head:\n  x:\n    block:§\n", "csp", "head:\n  x:\n    block: csp\n"),
        ("head: {x: {block:§}}\n", "csp", "head: {x: {block: csp}}\n"),
        (f"{PARENT}outputs:\n  -§\n", "p4", f"{PARENT}outputs:\n  - p4\n"),
        (f"{PARENT}outputs: ['p§']\n", "p4", f"{PARENT}outputs: ['p4']\n"),
        (f'{PARENT}outputs: ["p§\n', "p4", f'{PARENT}outputs: ["p4\n'),
        (f"{PARENT}outputs: ['p3'§]\n", "p4", f"{PARENT}outputs: [p4]\n"),
        (f"{PARENT}'sc§ale': {{}}\n", "stages", f"{PARENT}'stages': {{}}\n"),
        ("defaults: 'unet§'\n", "unet", "defaults: [unet, _self_]\n"),
    ],
)
def test_what_is_taken_replaces_the_word(text: str, label: str, after: str) -> None:
    found = offered(text)[label]
    document = cursor(text).document
    assert applied(document.text, (Edit(found.range, found.text),)) == after
