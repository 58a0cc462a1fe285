"""From a place in a config to what is known of it, where it is defined and used; the outline of the text."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
import yaml
from support.cursor import MARK, Cursor, cursor, place
from support.steps import at_most

import archdsl
from archdsl.blocks import csp
from archdsl.blocks.registry import get_block
from archdsl.frontend.compose.config import load
from archdsl.frontend.compose.search_path import config_root
from archdsl.tools.editing.completion import complete
from archdsl.tools.editing.definition import define
from archdsl.tools.editing.document import Document
from archdsl.tools.editing.fixing import applied
from archdsl.tools.editing.hover import hover
from archdsl.tools.editing.markdown import escaped
from archdsl.tools.editing.rename import Renamed, prepare_rename, rename
from archdsl.tools.editing.surroundings import surroundings
from archdsl.tools.editing.symbols import Symbol, folds, symbols

PARENT = "defaults: [yolo_v8_s_backbone, neck: pan_c2f, _self_]\n"
FAMILY = config_root() / "family" / "yolo_v8.yaml"
BLOCK = """\
blocks:
  mine:
    arguments: {hidden: 64}
    layers:
      a: {block: conv, width: $hidden}
      b: {block: add, from: [a, input]}
stages:
  p1: {body: {block: mine, hidden: 3}, width: 8, down: {block: max_pool}}
"""


def said(text: str) -> str:
    found = hover(*cursor(text))
    return found.markdown if found else ""


# Hover


def test_a_block_has_its_signature_documentation_and_figures() -> None:
    found = said(f"{PARENT}stages:\n  p4: {{post: {{x: {{block: c§2f}}}}}}\n")
    assert "c2f(width, depth = 1, residual = true, expansion = 0.5, bottleneck_expansion = 1.0)" in found
    assert get_block("c2f").summary in found
    layer = next(
        each
        for each in archdsl.analyze({**_values(PARENT), "stages": {"p4": {"post": {"x": {"block": "c2f"}}}}}).layers
        if each.path == "stages.p4.post.x"
    )
    assert f"40 × 40 × 256 → **40 × 40 × 256**  \n{layer.params:,} parameters" in found


def _values(text: str) -> dict[str, object]:
    values: dict[str, object] = yaml.safe_load(text)
    return values


def test_a_value_is_explained_with_what_it_overrides_and_scaling() -> None:
    found = said(f"{PARENT}stages:\n  p4:\n    width: 5§00\n")
    assert "= `500`" in found
    assert "becomes **250**: 500 × scale.width 0.5 = 250" in found
    assert f"{escaped(str(FAMILY))}:20:15: `512`" in found
    assert "**/nowhere/net.yaml:4:12**: `500`" in found


def test_a_key_has_its_meaning() -> None:
    assert "Output channels of its layers, before scaling." in said(f"{PARENT}stages: {{p4: {{wid§th: 5}}}}\n")
    assert "Channels inside the block" in said(f"{PARENT}stages: {{p4: {{body: {{exp§ansion: 0.5}}}}}}\n")


def test_a_stage_has_its_figures_also_where_it_is_named() -> None:
    layers = [each for each in archdsl.analyze(_values(PARENT)).layers if each.path.startswith("stages.p4.")]
    figures = f"→ **40 × 40 × 256**  \n{sum(each.params for each in layers):,} parameters"
    assert figures in said(f"{PARENT}stages:\n  p§4: {{}}\n")
    assert figures in said(f"{PARENT}outputs: [p3, p4§]\n")


def test_a_preset_has_its_description_and_costs() -> None:
    found = said(f"defaults: [yolo_v8_s_back{MARK}bone, _self_]\n")
    assert "A small YOLOV8 backbone" in found
    assert "5,089,760 parameters, 6.22 G MACs for 640 × 640 × 3" in found
    assert "PANet" in said(f"defaults: [yolo_v8_s_backbone, neck: pan_{MARK}c2f, _self_]\n")


def test_a_preset_is_as_it_is_in_the_editor(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"{PARENT}description: on disk\n")
    other = f"{PARENT}description: in the editor\n"
    document = Document(NET, "defaults: [mine, _self_]\n", folder=tmp_path, others={str(file): other})
    found = hover(document, 1, 13)
    assert found
    assert "in the editor" in found.markdown


def test_figures_are_those_of_the_last_right_text_while_it_is_broken() -> None:
    right = Document("/nowhere/net.yaml", f"{PARENT}stages:\n  p4: {{width: 512}}\n")
    text = f"{PARENT}stages:\n  p4: {{width: 512\nneck: {{n3: {{depth: [}}}}\n"
    broken = Document("/nowhere/net.yaml", text, before=right)
    found = hover(broken, 3, 4)
    assert found and "→ **40 × 40 × 256**" in found.markdown
    assert "of the last text without a mistake" in found.markdown


def test_what_a_config_says_is_not_taken_for_markdown() -> None:
    text = "blocks: {b: {description: '<img src=x> [a](b) **c** `d`', layers: {l: {block: conv}}}}\n"
    found = said(f"{text}neck: {{x: {{block: b§}}}}\n")
    assert "\\<img src=x\\> \\[a\\](b) \\*\\*c\\*\\* `d`" in found
    assert escaped("`<b>") == "\\`\\<b\\>"
    fence, *_, last = said("neck: {x: {block: 'a```b§'}}\n").splitlines()
    assert (fence, last) == ("````python", "````")


# Definitions


def targets(text: str, folder: Path | None = None) -> list[tuple[str, int, int]]:
    return [each.target[:3] for each in define(*cursor(text, folder=folder))]


def line_of(path: Path, start: str) -> int:
    """The line of a file that begins so."""
    return 1 + next(number for number, line in enumerate(path.read_text().splitlines()) if line.startswith(start))


def test_parents_lead_to_their_files(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(PARENT)
    shipped = str(config_root() / "yolo_v8_s_backbone.yaml")
    assert targets(f"defaults: [yolo_v8_s_back{MARK}bone, _self_]\n") == [(shipped, 1, 1)]
    assert targets(f"defaults: [mi{MARK}ne, _self_]\n", tmp_path) == [(str(tmp_path / "mine.yaml"), 1, 1)]
    option = str(config_root() / "neck" / "pan_c2f.yaml")
    assert targets(f"defaults: [yolo_v8_s_backbone, neck: pan{MARK}_c2f, _self_]\n") == [(option, 1, 1)]
    assert targets(f"defaults: [../{MARK}etc/passwd, _self_]\n") == []


def test_a_family_has_the_parents_beside_it() -> None:
    file = config_root() / "family" / "repvgg.yaml"
    text = (config_root() / "family" / "mobileone.yaml").read_text().replace("[repvgg", f"[rep{MARK}vgg")
    at = cursor(text, str(file.with_name("mobileone.yaml")), config_root())
    assert [each.target[:3] for each in define(*at)] == [(str(file), 1, 1)]
    assert surroundings(at.document).inherited_range(("stages", "p4"))


def test_blocks_lead_to_python_or_to_yaml() -> None:
    ((file, line, _),) = targets(f"{PARENT}stages: {{p4: {{body: {{block: c2{MARK}f}}}}}}\n")
    assert Path(file) == Path(csp.__file__)
    assert any("def c2f" in text for text in Path(file).read_text().splitlines()[line - 1 : line + 2])
    assert targets(BLOCK.replace("block: mine", f"block: mi{MARK}ne")) == [("/nowhere/net.yaml", 2, 3)]
    family = config_root() / "family" / "nasnet.yaml"
    inherited = f"defaults: [family/nasnet, _self_]\nstages: {{p3: {{body: {{block: normal{MARK}}}}}}}\n"
    assert targets(inherited) == [(str(family), line_of(family, "  normal:"), 3)]


NET = "/nowhere/net.yaml"
TWO = f"{PARENT}stages:\n  p3: {{depth: 1}}\n  p4: {{post: {{x: {{block: conv}}}}, depth: "
DEFINED = {
    "an argument": (BLOCK.replace("$hidden", f"$hid{MARK}den"), [(NET, 3, 17)]),
    "a layer of a block": (BLOCK.replace("[a,", f"[a{MARK},"), [(NET, 5, 7)]),
    "a layer of the stage": (
        f"{PARENT}stages:\n  p4:\n    post:\n      x: {{block: conv}}\n      y: {{block: conv, from: x{MARK}}}\n",
        [(NET, 5, 7)],
    ),
    "a full name": (f"{TWO}3}}\noutputs: [p4_x{MARK}]\n", [(NET, 4, 15)]),
    "an inherited stage": (f"{PARENT}outputs: [p{MARK}3]\n", [(str(FAMILY), 19, 3)]),
    "a slot of stage_defaults": (f"{PARENT}outputs: [p3_bo{MARK}dy]\n", [(str(FAMILY), 16, 3)]),
    "one repeat of several": (f"{PARENT}outputs: [p3_body_bottlen{MARK}eck1]\n", [(str(FAMILY), 16, 3)]),
    "a reference": (f"{PARENT}stages: {{p4: {{width: '${{scale.wid{MARK}th}}'}}}}\n", [
        (str(config_root() / "yolo_v8_s_backbone.yaml"), line_of(config_root() / "yolo_v8_s_backbone.yaml", "scale"), 9)
    ]),
    "a relative one": (f"{TWO}'${{..p3{MARK}.depth}}'}}\n", [(NET, 3, 8)]),
    "a key of a parent": (f"{PARENT}stages:\n  p4: {{wid{MARK}th: 5}}\n", [(str(FAMILY), 20, 8)]),
    "a key of stage_defaults": (f"{PARENT}stages:\n  p4: {{body: {{blo{MARK}ck: csp}}}}\n", [(str(FAMILY), 16, 10)]),
    "its own definition": (f"{PARENT}stages:\n  p{MARK}9: {{}}\n", []),
    "weights": (
        f"{PARENT}head:\n  a: {{block: conv, filters: 8}}\n  b: {{block: conv, filters: 8, share: a{MARK}}}\n",
        [(NET, 3, 3)],
    ),
    "a word with an anchor": (f"{PARENT}outputs: [&a p{MARK}3]\n", [(str(FAMILY), 19, 3)]),
    "for each": (f"{PARENT}head:\n  a: {{block: conv, filters: 8, each: [p3, p{MARK}4]}}\n", [(str(FAMILY), 20, 3)]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), DEFINED.values(), ids=list(DEFINED))
def test_a_word_leads_to_where_it_is_defined(text: str, wanted: list[tuple[str, int, int]]) -> None:
    assert targets(text) == wanted


# Renaming


def renamed(text: str, name: str) -> str:
    """The text with another name for what is at the place, or why not."""
    at = cursor(text)
    found = rename(*at, name)
    return found.refused or applied(at.document.text, found.edits)


def test_a_layer_is_renamed_wherever_it_is_named() -> None:
    text = f"""\
{PARENT}stages:
  p4:
    post:
      si§de: {{block: conv, width: 512, kernel: 3}}
      next: {{block: conv, width: "${{stages.p4.post.side.width}}", from: side}}
      side2: {{block: conv, width: 512, after: side}}
      sum: {{block: add, from: [p4_side, side, side2, next]}}
head:
  x: {{block: conv, filters: 8, from: p4_side}}
  "y": {{block: conv, filters: 8, kernel: 3, from: 'p4_side'}}
outputs: {{side: p4_side, x: x, y: "y", z: p4_side2, top: n5}}
"""
    wanted = (
        text.replace(MARK, "")
        .replace("side:", "branch:", 1)
        .replace("post.side.", "post.branch.")
        .replace("from: side}", "from: branch}")
        .replace("after: side}", "after: branch}")
        .replace("[p4_side, side, side2, next]", "[p4_branch, branch, side2, next]")
        .replace("from: p4_side}", "from: p4_branch}")
        .replace("'p4_side'", "'p4_branch'")
        .replace("side: p4_side,", "side: p4_branch,")
    )
    assert renamed(text, "branch") == wanted
    used = text.replace(MARK, "").replace("from: p4_side}", f"from: p4_{MARK}side}}")
    assert renamed(used, "branch") == wanted


def test_a_stage_is_renamed_with_the_names_of_its_layers() -> None:
    text = f"""\
{PARENT}stages:
  mid§dle: {{width: 64, stride: 1, depth: 2, after: p3, down: null, post: {{x: {{block: conv, from: body}}}}}}
  p4: {{after: middle}}
outputs: [p3, middle, middle_body, middle_x, p4]
freeze: [p2, middle]
"""
    assert renamed(text, "between") == text.replace(MARK, "").replace("middle", "between")


def test_every_way_to_write_a_name_is_renamed() -> None:
    text = f"""\
{PARENT}head:
  l§at: {{block: conv, filters: 8, from: &a p3}}
  b: {{block: concat, from: [&b lat, &c 'lat']}}
  c:
    block: conv
    filters: "${{head[lat].filters}}"
    from: &d lat
description: |
  ${{head.lat.filters}} channels of lat
outputs: [b, c, n5]
"""
    assert renamed(text, "x") == text.replace(MARK, "").replace("lat", "x").replace("of x", "of lat")


def test_results_for_each_of_several_are_named_after_them() -> None:
    text = """\
defaults: [resnet50_backbone, _self_]
neck:
  l§3: {block: conv, filters: 64, from: p3}
  l4: {block: conv, filters: 64, from: p4}
head:
  tower: {block: conv, filters: 64, each: [l3, l4]}
  classes: {block: conv, filters: 80, each: tower}
  one: {block: conv, filters: 8, from: tower_l3}
outputs: {a: classes_l3, b: classes_l4, c: one}
"""
    assert renamed(text, "fine") == text.replace(MARK, "").replace("l3", "fine")


REFUSED = {
    "an inherited stage": (f"{PARENT}outputs: [p{MARK}3]\n", "x", "'p3' is defined in"),
    "a stage that is only changed": (f"{PARENT}stages:\n  p{MARK}4: {{depth: 1}}\n", "x", "this text only changes it"),
    "a slot": (f"{PARENT}stages:\n  p4: {{bo{MARK}dy: {{}}}}\n", "x", "not a stage or a layer"),
    "a key": (f"{PARENT}sca{MARK}le: {{width: 1.0}}\n", "x", "not a stage or a layer"),
    "a number": (f"{PARENT}scale: {{width: 1.{MARK}0}}\n", "x", "is not the name of a stage or a layer"),
    "nothing": (f"{PARENT}\n{MARK}\n", "x", "there is no name here"),
    "a bad name": (f"{PARENT}head: {{a{MARK}: {{block: conv, filters: 8}}}}\n", "A b", "is not a name"),
    "a name that is taken": (
        f"{PARENT}head: {{a{MARK}: {{block: conv, filters: 8}}, b: {{block: conv, filters: 8}}}}\n",
        "b",
        "there is 'b' already",
    ),
    "a broken text": (f"{PARENT}head: {{a{MARK}: {{block: conf, filters: 8}}}}\n", "b", "the text has errors"),
    "a level that is an output": (
        "stages:\n  p1: {down: {block: max_pool}}\n  p§2: {down: {block: max_pool}}\n",
        "x",
        "the network would change",
    ),
    "a level that it is not": (
        "stages:\n  p1: {down: {block: max_pool}}\n  x§: {down: {block: max_pool}}\n",
        "p3",
        "the text would have an error",
    ),
}


@pytest.mark.parametrize(("text", "name", "why"), REFUSED.values(), ids=list(REFUSED))
def test_renaming_is_refused_with_a_reason(text: str, name: str, why: str) -> None:
    found = rename(*cursor(text), name)
    assert not found.edits
    assert why in found.refused


SAMPLE = ("yolo_v8_s_detect", "nasnet_mobile_backbone", "retinanet_resnet50_v2_detect", "hrnet_w18_backbone", "unet")


@pytest.mark.slow
@pytest.mark.parametrize("preset", SAMPLE)
def test_every_stage_and_layer_of_a_preset_can_be_renamed(preset: str) -> None:
    text = yaml.safe_dump(load(preset).resolved, sort_keys=False, default_flow_style=None, width=120)
    document = Document(NET, text)
    costs = [(each.params, each.macs, each.shape) for each in archdsl.analyze(_values(text)).layers]
    entries = [each for each in document.index.entries.values() if each.path and type(each.path[-1]) is str]
    found = {}
    for entry in entries:
        at = (document, *place(text, entry.key_start))
        if not isinstance(prepare_rename(*at), str):
            found[entry.path] = rename(*at, "another_name")
    levels = {path for path in found if path[0] == "neck" and re.fullmatch(r"n\d", str(path[-1]))}  # go by their names
    assert {path for path, each in found.items() if each.refused} <= levels
    assert len(found) >= len(archdsl.analyze(_values(text)).layers) / 4
    for edits in random.Random(0).sample([each.edits for path, each in found.items() if path not in levels], 8):
        after = archdsl.analyze(_values(applied(text, edits)))
        assert [(each.params, each.macs, each.shape) for each in after.layers] == costs


# The outline


def test_the_outline_has_sections_stages_and_layers() -> None:
    text = "stages:\n  p4:\n    body: {block: c2f}\n    post:\n      x: {block: conv}\nneck:\n  up: {block: upsample}\n"
    assert [outlined(each) for each in symbols(Document(NET, text))] == [
        ("stages", "section", "", [("p4", "stage", "", [
            ("body", "layer", "c2f", []), ("post", "section", "", [("x", "layer", "conv", [])])])]),
        ("neck", "section", "", [("up", "layer", "upsample", [])]),
    ]  # fmt: skip
    stages = symbols(Document(NET, text))[0]
    assert (stages.range[1:], stages.name_range[1:]) == ((1, 1, 5, 23), (1, 1, 1, 7))


def outlined(symbol: Symbol) -> tuple[str, str, str, list[object]]:
    return symbol.name, symbol.kind, symbol.detail, [outlined(each) for each in symbol.children]


def test_what_goes_over_several_lines_can_be_folded() -> None:
    text = "# one\n# two\nstages:\n  p4:\n    width: 5\n  p5: {width: 5,\n    depth: 1}\nname: x\n"
    assert folded(text) == [(3, 7), (4, 5), (6, 7), (1, 2)]
    assert folded("description: |\n  # a\n  # b\n\nname: x\n") == [(1, 3)]
    assert folded("name: x\x0b\n# a\n# b\n") == [(2, 3)]


def folded(text: str) -> list[tuple[int, int]]:
    return [(each.line, each.end_line) for each in folds(Document(NET, text))]


# Broken texts

BROKEN = ["yolo_v8_s_detect", "family/nasnet", "neck/pan_c2f", "unet"]
PUT_IN = ["", "{", "[", '"', "'", "\n", "- ", ": ", ",", "${", "$", "#", "|", "&a ", "\t", "  "]


def asked(at: Cursor) -> None:
    """Everything that an editor asks at a place."""
    for ask in (complete, hover, define, prepare_rename):
        ask(*at)
    assert isinstance(rename(*at, "another_name"), Renamed)


@pytest.mark.parametrize("name", BROKEN)
def test_every_beginning_of_a_config_can_be_asked_about(name: str) -> None:
    text = (config_root() / f"{name}.yaml").read_text()
    chance = random.Random(name)
    for end in chance.sample(range(len(text)), 12):
        document = Document(NET, text[:end])
        symbols(document), folds(document)
        for offset in (end, chance.randint(0, end)):
            asked(Cursor(document, *place(text, offset)))


@pytest.mark.parametrize("name", BROKEN)
def test_a_config_with_a_slip_in_it_can_be_asked_about(name: str) -> None:
    text = (config_root() / f"{name}.yaml").read_text()
    chance = random.Random(name)
    for _ in range(12):
        cut, word = chance.randrange(len(text)), chance.choice(PUT_IN)
        broken = text[:cut] + word + text[cut + chance.choice([1, 1, 5]) :]
        document = Document(NET, broken)
        symbols(document), folds(document)
        for offset in (cut, min(len(broken), cut + len(word))):
            asked(Cursor(document, *place(broken, offset)))


@pytest.mark.slow
def test_an_answer_takes_few_steps() -> None:
    text = yaml.safe_dump(load("yolo_v8_s_detect").resolved, sort_keys=False, default_flow_style=None, width=120)
    places = [place(text, offset) for offset in range(0, len(text), 40)]
    for at in places:  # what is imported and kept for all texts takes longer once
        asked(Cursor(Document(NET, text), *at))
    for at in places:
        document = Document(NET, text)
        for ask in (complete, hover, define, prepare_rename):
            surroundings.cache_clear()
            with at_most(40_000):
                ask(document, *at)
        with at_most(60_000):
            rename(document, *at, "another_name")
        with at_most(40_000):
            symbols(document), folds(document)


HOSTILE = {
    "parents that are not there": f"defaults: [{MARK}{'x, ' * 1_000}_self_]\n",
    "a long name": f"{PARENT}outputs: [a{'_' * 100_000}{MARK}]\n",
    "many names": f"{PARENT}outputs: [{'p3_body, ' * 1_000}{MARK}]\n",
    "many references": f"{PARENT}description: '{'${scale.width} ' * 1_000}{MARK}'\n",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))
def test_a_hostile_text_takes_few_steps_too(text: str) -> None:
    at = cursor(text)
    with at_most(600_000):
        asked(at)


@pytest.mark.full
@pytest.mark.parametrize("name", BROKEN)
def test_every_place_of_every_beginning_can_be_asked_about(name: str) -> None:
    text = (config_root() / f"{name}.yaml").read_text()
    for end in range(len(text) + 1):
        document = Document(NET, text[:end])
        for offset in range(0, end + 1, max(1, end // 20)):
            asked(Cursor(document, *place(text, offset)))
