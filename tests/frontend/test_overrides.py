"""A bad override is an ArchError that names it and says what to do; the places of the config follow overrides."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

import archdsl
from archdsl.analysis.explain import explain
from archdsl.diagnostics.problems import ArchError
from archdsl.frontend.compose.config import load
from archdsl.frontend.compose.search_path import config_root
from archdsl.frontend.source import ABSENT
from archdsl.frontend.values import MAX_DEPTH, MAX_SCALAR

PRESET = "yolo_v8_s_backbone"

# override: the key path it is about, a part of the message, a part of the hint
MESSAGES = {
    "stages.p4.dept=9": ("stages.p4.dept", "there is no 'stages.p4.dept' in this config", "did you mean 'depth'?"),
    "stages.p4.dilation=2": ("stages.p4.dilation", "there is no", "to add it, write +stages.p4.dilation=…"),
    "stages.p4={dept:9}": ("stages.p4.dept", "there is no 'stages.p4.dept'", "did you mean 'depth'?"),
    "stage.p4.depth=9": ("stage", "there is no 'stage'", "did you mean 'stages'?"),
    "+stages.p4.depth=9": ("stages.p4.depth", "is there already", "change it with stages.p4.depth=…"),
    "scale.width.x=1": ("scale.width", "no 'x' in 'scale.width', which is the number 0.5", "write scale.width=…"),
    "outputs.7=p2": ("outputs.7", "no item 7 in 'outputs', which is a list of 3", "write the whole list: outputs=[…]"),
    "+outputs.3=p2": ("outputs.3", "no item 3", "write the whole list: outputs=[…]"),
    "outputs.last=p2": (
        "outputs.last",
        "no 'last' in 'outputs', which is a list of 3",
        "by its number, counted",
    ),
    "stages.p4=[1]": ("stages.p4", "is a mapping; a list of 1 cannot change it", "a value of the same kind"),
    "~stages.p5.dept": ("stages.p5.dept", "there is no 'stages.p5.dept' to delete", "did you mean 'depth'?"),
    "~nothing": ("nothing", "there is no 'nothing' to delete", "leave this override out"),
    "~outputs.0": ("outputs.0", "an item of a list cannot be deleted", "write the whole list: outputs=[…]"),
    "~stages.p5.depth=4": ("stages.p5.depth", "is the number 3, not the number 4", "write ~stages.p5.depth"),
    "stages.p4.depth": ("", "'stages.p4.depth' is not an override", "write key=value"),
    "stages.p4.depth = 9": ("", "is not an override", "write key=value"),
    "description=a=b": ("", "is not an override: mismatched input '='", "quotes around a value"),
    "=3": ("", "'=3' names no key", "write key=value"),
    "scale.width=0.5,1": ("", "is a sweep over several values", "lists are written [a,b]"),
    "family/yolo_v8=x": ("", "names a config group", "write a file with `defaults:`"),
    "+family@a=yolo_v8": ("", "names a config group", "write a file with `defaults:`"),
    "description=${scale.widht}": ("description", "no 'scale.widht' in this config", "did you mean 'scale.width'?"),
    "description=???": ("description", "'???' is not allowed", "write the value itself"),
    "+tail={1:2}": ("tail", "a key must be text, got the number 1", "begin with a letter"),
    "description='\x1b[31m'": ("", "the character U+001B is not allowed", "write plain text"),
    "description='\udc80'": ("", "the character U+DC80 is not allowed", "write plain text"),
    f"description={'x' * MAX_SCALAR}": ("", "the limit is 10000", "write a file"),
    f"+{'a.' * MAX_DEPTH}a=1": ("", "nested deeper than 64", "write a shorter key"),
}
# Read as they should be, and refused by what the key expects.
REFUSED_BY_THE_SCHEMA = {
    "stages.p4.depth=nine": "stages.p4.depth",
    "stages.p4=5": "stages.p4",
    "+scale.width.x=1": "scale.width",
    "outputs=[p9]": "outputs.0",
    f"+a={'{a:' * 50}1{'}' * 50}": "a",
    f"scale.max_width={'9' * 4000}": "scale.max_width",
    "+hydra.verbose=true": "hydra",
}


def problems(*overrides: Any) -> list[archdsl.Problem]:
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.compile_config(PRESET, overrides)
    return caught.value.problems


@pytest.mark.parametrize("override", MESSAGES, ids=lambda text: ascii(text)[:40])
def test_a_bad_override_is_named_with_a_fix(override: str) -> None:
    path, message, hint = MESSAGES[override]
    (problem,) = problems("archdsl=1", override)
    assert (problem.file, problem.path) == ("<override 2>", path)
    assert message in problem.message
    assert hint in problem.hint
    assert len(problem.message) < 300


@pytest.mark.parametrize(("override", "path"), REFUSED_BY_THE_SCHEMA.items(), ids=lambda text: text[:40])
def test_a_value_that_does_not_fit_is_reported_at_its_override(override: str, path: str) -> None:
    assert ("<override 1>", path) in [(problem.file, problem.path) for problem in problems(override)]


CLASSES = {"yolo_v8_s_detect": "head.class.classes", "mobilenet_v2_classify": "head.classes.units"}
SPOKEN = ["classes", "nc", "num_classes", "head.classes", "head.nc"]


@pytest.mark.parametrize(("preset", "key"), [*product(CLASSES, SPOKEN), ("yolo_v8_s_detect", "head.class")])
def test_a_number_of_classes_is_told_where_it_belongs(preset: str, key: str) -> None:
    expected = archdsl.analyze(preset, [f"{CLASSES[preset]}=20"]).params
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.analyze(preset, [f"{key}=20"])
    (problem,) = caught.value.problems
    assert CLASSES[preset] in problem.hint

    stated: Any = 20
    for part in reversed(key.split(".")):
        stated = {part: stated}
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.analyze({"defaults": [preset, "_self_"], **stated})
    (problem,) = caught.value.problems
    right = yaml.safe_load(problem.hint.removeprefix("write "))
    assert archdsl.analyze({"defaults": [preset, "_self_"], **right}).params == expected


@pytest.mark.parametrize(
    ("override", "hint"),
    [
        ("p4.depth=9", "did you mean 'stages.p4.depth'?"),
        ("sppf.kernel=3", "did you mean 'stages.p5.post.sppf.kernel'?"),
        ("activation=relu", "did you mean 'conventions.activation'?"),
        ("depth=9", "write the whole key, such as scale.depth"),
        ("p9.depth=9", "to add it, write +p9.depth=…"),
        ("q.shape.0=9", "to add it, write +q.shape=[…]"),
    ],
)
def test_a_key_at_a_wrong_level_is_told_where_it_is(override: str, hint: str) -> None:
    assert [each.hint for each in problems(override)] == [hint]


def test_what_a_shorter_list_lacks_is_reported_at_the_override() -> None:
    assert [(each.path, each.file) for each in problems("input.shape=[8,8]")] == [("input.shape.2", "<override 1>")]


def test_all_bad_overrides_are_reported_in_one_run() -> None:
    found = problems("a=1", "scale.width=2", "~b", "c c")
    assert [problem.file for problem in found] == ["<override 1>", "<override 3>", "<override 4>"]


def test_what_a_new_mapping_lacks_is_reported_there_and_not_where_the_old_one_had_it(
    write: Callable[[str, str], Path], problems_of: Callable[..., list[archdsl.Problem]]
) -> None:
    path = write("net.yaml", "stages: {p1: {width: 8, stride: 2, body: {block: conv_bn_act, kernel: 3}}}\n")
    (problem,) = problems_of(path, "stages.p1.body=null", "+stages.p1.body={kernel: 3}")
    assert (problem.code, problem.path, problem.file) == ("missing-key", "stages.p1.body", "<override 2>")


def test_a_text_in_place_of_a_list_is_reported() -> None:
    with pytest.raises(archdsl.ArchError, match=r"write overrides=\['scale.width=1'\]"):
        archdsl.compile_config(PRESET, "scale.width=1")
    with pytest.raises(archdsl.ArchError, match=r"write outputs=\['P3'\]"):
        archdsl.export(PRESET, "net.onnx", outputs="P3")


@pytest.mark.parametrize("override", [None, 5, b"a=1", ["a=1"], {"a": 1}])
def test_an_override_that_is_no_text_is_reported(override: Any) -> None:
    assert "expected text such as" in problems(override)[0].message


@pytest.mark.parametrize("text", ["[" * 9_000, "{a:" * 3_000, "[" * 4_000 + "]" * 4_000, "f(" * 4_000, "${" * 4_000])
def test_nesting_does_not_end_the_process(text: str) -> None:
    assert problems(f"+x={text}")[0].file == "<override 1>"


def test_overrides_leave_shared_files_alone() -> None:
    before = json.dumps(load(PRESET).values)
    load(PRESET, ["stages.p4.depth=1", "outputs.0=p2", "~stages.p3", "+scale.width.x=1"])
    assert json.dumps(load(PRESET).values) == before


def test_the_same_override_twice_shares_nothing() -> None:
    first = load(PRESET, ["+tail={a:{block:norm}}"]).values["tail"]
    first["a"]["block"] = "changed"
    assert load(PRESET, ["+tail={a:{block:norm}}"]).values["tail"] == {"a": {"block": "norm"}}


PIECES = r"""
    stages p4 depth outputs scale width input shape null true 1 0 -1 1e-3 'a' x été ${a} ??? choice( ) $ @ / \ # %
    = = = . . + ++ ~ { } [ ] : , ' "
"""
pieces = st.sampled_from([*PIECES.split(), " ", "\n", "\0"])


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(max_size=40), st.lists(pieces, max_size=14).map("".join)))
def test_any_text_is_an_override_or_an_arch_error(text: str) -> None:
    try:
        archdsl.compile_config(PRESET, [text])
    except archdsl.ArchError as error:
        assert error.problems
        assert str(error)


# Keys that stage_defaults fill

FILLED = [
    "stages.p4.body.block=csp",
    "stages.p4.down.kernel=5",
    "stages.p4.body={block:csp}",
    "stages.p4.down={kernel:5}",
]


@pytest.mark.parametrize("override", FILLED)
def test_what_stage_defaults_fill_is_set_in_the_stage(override: str) -> None:
    """Hydra refuses it, as it does not know stage_defaults; with ++ it composes the same."""
    explained = explain("yolo_v8_s_backbone", override.partition("=")[0])
    assert explained.value is not ABSENT
    changed = load("yolo_v8_s_backbone", [override]).values
    with initialize_config_dir(str(config_root()), version_base="1.3"):
        with pytest.raises(Exception, match="Could not override"):
            compose("yolo_v8_s_backbone", overrides=[override])
        composed = OmegaConf.to_container(compose("yolo_v8_s_backbone", overrides=[f"++{override}"]), resolve=False)
    assert changed == composed
    assert changed["stages"]["p3"] == load("yolo_v8_s_backbone").values["stages"]["p3"]


UNFILLED = {
    "stages.p4.body.blok=csp": "did you mean 'block'?",
    "stages.p4.body.expansion=0.3": "to add it, write +stages.p4.body.expansion=…",
    "stages.p4.body.block.name=csp": "to change it, write stages.p4.body.block=…",
    "stages.p9.body.block=csp": "did you mean",
    "stem.body.block=csp": "did you mean 'stage_defaults.body.block'?",
    "~stages.p4.body": "to empty it, write stages.p4.body=null",
}


@pytest.mark.parametrize("override", UNFILLED)
def test_no_other_key_is_taken_for_one_that_is_filled(override: str) -> None:
    with pytest.raises(ArchError) as caught:
        load("yolo_v8_s_backbone", [override])
    (found,) = caught.value.problems
    assert (found.code, UNFILLED[override] in found.hint) == ("override", True), found


def test_what_a_stage_replaces_is_not_filled() -> None:
    for first in ("stages.p4.body=null", "+stages.p4.body={block:conv_bn_act}"):
        with pytest.raises(ArchError, match=r"there is no"):
            load("yolo_v8_s_backbone", ["+stage_defaults.body.residual=false", first, "stages.p4.body.residual=true"])
