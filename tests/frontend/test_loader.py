"""What the strict loader promises: one reading of every text, limits, and a place for every value."""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig, OmegaConf
from support.steps import at_most

import archdsl
from archdsl.diagnostics.problems import Mark
from archdsl.frontend.budget import DEFAULT
from archdsl.frontend.compose.config import load
from archdsl.frontend.compose.search_path import config_root
from archdsl.frontend.values import MAX_DEPTH, MAX_SCALAR
from archdsl.frontend.yaml.parser import read_text
from archdsl.frontend.yaml.writing import yaml_document, yaml_line

Write = Callable[[str, str], Path]

# As YAML 1.2's core schema reads them. Numbers may have underscores between digits, as Hydra's may.
SCALARS = {
    "1": 1,
    "-5": -5,
    "+5": 5,
    "0": 0,
    "-0": 0,
    "0o10": 8,
    "0x1F": 31,
    "1_000": 1000,
    "9" * 40: int("9" * 40),
    "1e-3": 0.001,
    "1E5": 1e5,
    "1e+5": 1e5,
    ".5": 0.5,
    "5.": 5.0,
    "5.e3": 5000.0,
    "1.0e-3": 0.001,
    ".inf": math.inf,
    "-.INF": -math.inf,
    "true": True,
    "True": True,
    "FALSE": False,
    "null": None,
    "Null": None,
    "~": None,
    "": None,
    "no": "no",
    "No": "No",
    "on": "on",
    "off": "off",
    "yes": "yes",
    "y": "y",
    "tRue": "tRue",
    "nUll": "nUll",
    "0b11": "0b11",
    "0o8": "0o8",
    "1__0": "1__0",
    "_1": "_1",
    "1.2.3": "1.2.3",
    "e5": "e5",
    ".": ".",
    "=": "=",
    "12:30": "12:30",
    "2001-01-01": "2001-01-01",
    "'1'": "1",
    '"no"': "no",
    "'010'": "010",
    "'~'": "~",
    '"\\u00e9"': "é",
}
NESTED = {
    "flow lists": "a: " + "[" * 30_000,
    "closed flow lists": "a: " + "[" * 30_000 + "]" * 30_000,
    "flow mappings": "a: " + "{a: " * 30_000,
    "block lists": "a:\n" + "- " * 30_000 + "x\n",
    "block mappings": "".join(" " * depth + "a:\n" for depth in range(1_400)),
    "keys": "? " * 30_000,
    "aliases": "a0: &a0 1\n" + "".join(f"a{n}: &a{n} {'[' * 50}*a{n - 1}{']' * 50}\n" for n in range(1, 40)),
}
# text: line, column, code, a part of the message, a part of the hint
REFUSED = {
    "a: 010\n": (1, 4, "leading-zero", "text '010' has a leading zero", "write 10, or quote it"),
    "a: -007\n": (1, 4, "leading-zero", "has a leading zero", "write -7, or quote it"),
    "a: 0_1\n": (1, 4, "leading-zero", "has a leading zero", "write 1, or quote it"),
    f"a: {'9' * 41}\n": (1, 4, "range", "a number of 41 digits", ""),
    f"a: {'0' * 5000}\n": (1, 4, "leading-zero", "000…' has a leading zero", ""),
    f"a: {'x' * (MAX_SCALAR + 1)}\n": (1, 4, "limit", "the limit is 10000", ""),
    "a: 1\nb: 2\na: 3\n": (3, 1, "duplicate-key", "the key 'a' appears a second time", ""),
    "a:\n  b: {c: 1, c: 2}\n": (2, 13, "duplicate-key", "'c' appears a second time", ""),
    "a: !foo 1\n": (1, 4, "tag", "the tag !foo is not allowed", ""),
    "a: !!str 1\n": (1, 4, "tag", "tag:yaml.org,2002:str", ""),
    "a: ! 1\n": (1, 4, "tag", "the tag !", ""),
    "a: !!map {b: 1}\n": (1, 4, "tag", "2002:map", ""),
    "a: !!python/object/apply:os.system [ls]\n": (1, 4, "tag", "os.system", ""),
    "!!str a: 1\n": (1, 1, "tag", "2002:str", ""),
    "a: &a {x: 1}\nb:\n  <<: *a\n": (3, 3, "merge-key", "<< is not allowed", "inherit with `defaults:`"),
    "a: 1\n---\nb: 2\n": (2, 1, "documents", "one per file", ""),
    "a: *b\n": (1, 4, "alias", "named &b", ""),
    "a: &base 1\nb: *bse\n": (2, 4, "alias", "named &bse", "did you mean 'base'?"),
    "a: &a [*a]\n": (1, 8, "alias", "*a refers to itself", ""),
    "1: 2\n": (1, 1, "key", "a key must be text, got 1", "write '1' in quotes"),
    "a: {~: 2}\n": (1, 5, "key", "got ~", "quotes"),
    "true: 2\n": (1, 1, "key", "got true", "quotes"),
    "? [a]\n: 2\n": (1, 3, "key", "a key must be text", ""),
    "a: 1\nb: x\0y\n": (2, 5, "encoding", "U+0000", ""),
    "a: \x1b[31m\n": (1, 4, "encoding", "U+001B", ""),
    "a: \ud800\n": (1, 4, "encoding", "U+D800", ""),
    "a:\n\tb: 1\n": (2, 1, "syntax", "not valid YAML", "indent with spaces, not tabs"),
    "a: [1, 2\nb: 3\n": (1, 4, "syntax", "not valid YAML", "close this bracket"),
    "a: b: c\n": (1, 5, "syntax", "not valid YAML", "quote the value"),
    "a: {b: ${c}}\n": (1, 9, "syntax", "not valid YAML", "quotes around a reference"),
    "a: 'x\nb: 3\n": (1, 4, "syntax", "the quote ' is never closed", "close the quote"),
    "a: @x\n": (1, 4, "syntax", "not valid YAML", ""),
    "": (0, 0, "empty", "no settings found", ""),
    "# a comment\n": (0, 0, "empty", "no settings found", ""),
    "---\n": (0, 0, "empty", "no settings found", ""),
    "- a\n": (1, 1, "type", "the top level is a list of 1; expected a mapping", ""),
    "\nhello\n": (2, 1, "type", "the top level is text 'hello'", ""),
    "a:1\n": (1, 3, "type", "the top level is text 'a:1'", "put a space after the colon"),
}


def problem_of(call: Callable[[], object]) -> archdsl.Problem:
    with pytest.raises(archdsl.ArchError) as caught:
        call()
    return caught.value.problems[0]


@pytest.mark.parametrize(("text", "value"), SCALARS.items(), ids=[text[:12] for text in SCALARS])
def test_scalars_are_read_as_in_yaml_1_2(text: str, value: Any) -> None:
    read = read_text(f"a: {text}\n", "f.yaml").values["a"]
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize("text", [*SCALARS, "08", "1e+5", ".5e3", "5.e3", "no", "a::b", "é", "- a", "a\nb"])
def test_a_text_that_looks_like_something_else_is_written_as_a_text(text: str) -> None:
    assert read_text(yaml_document({"a": text}), "f.yaml").values == {"a": text}
    assert read_text(f"a: {yaml_line([text])}", "f.yaml").values == {"a": [text]}


def test_what_a_dict_says_is_not_reported_at_its_parents_file() -> None:
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.analyze({"defaults": ["yolo_v8_s_backbone", "_self_"], "stages": {"p4": {"depth": -1}}, "scale": 5})
    assert {each.file for each in caught.value.problems} == {"<dict>"}
    assert {each.path for each in caught.value.problems} == {"stages.p4.depth", "scale"}


def test_nan_is_a_number() -> None:
    assert math.isnan(read_text("a: .nan\n", "f.yaml").values["a"])


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: ascii(text)[1:25])
def test_what_could_mean_two_things_is_refused_at_its_place(text: str) -> None:
    line, column, code, message, hint = REFUSED[text]
    problem = problem_of(lambda: read_text(text, "f.yaml"))
    assert (problem.mark, problem.code) == (("f.yaml", line, column), code)
    assert message in problem.message
    assert hint in problem.hint
    assert len(problem.message) < 200


def test_all_problems_of_a_file_are_reported() -> None:
    with pytest.raises(archdsl.ArchError) as caught:
        read_text("a: 010\nb: !x 1\na: *c\n1: 2\n", "f.yaml")
    assert [problem.line for problem in caught.value.problems] == [1, 2, 3, 3, 4]


@pytest.mark.parametrize("text", NESTED.values(), ids=list(NESTED))
def test_deep_nesting_is_refused_before_it_is_read(text: str) -> None:
    with at_most(20_000):
        problem = problem_of(lambda: read_text(text, "f.yaml"))
    assert (problem.code, problem.message) == ("depth", f"nested deeper than {MAX_DEPTH}")
    assert len(problem.path) < 40


def test_an_alias_bomb_is_refused_before_it_is_built() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 40)]
    problem = problem_of(lambda: read_text("\n".join(lines), "f.yaml"))
    assert (problem.line, problem.code, problem.message) == (5, "limit", "more than 20000 values")


def test_a_dict_has_the_limits_of_a_file() -> None:
    bomb: list[Any] = ["x"] * 10
    deep: dict[str, Any] = {}
    for _ in range(40):
        bomb = [bomb] * 10
    for _ in range(MAX_DEPTH):
        deep = {"a": deep}
    ring: dict[str, Any] = {}
    ring["a"] = ring
    assert problem_of(lambda: load({"a": deep})).code == "depth"
    assert problem_of(lambda: load(ring)).code == "depth"
    assert problem_of(lambda: load({"a": ["x"] * int(DEFAULT.values)})).code == "limit"
    assert problem_of(lambda: load({"a": bomb})).code == "limit"
    assert problem_of(lambda: load({"a": {1: 2}})).code == "key"


def test_omegaconf_is_read_as_plain_data() -> None:
    plain = load("yolo_v8_s_backbone").resolved
    whole = OmegaConf.create(plain)
    assert load(whole).values == plain
    assert load({key: whole[key] for key in plain}).values == plain
    assert archdsl.analyze(whole, ["stages.p4.depth=1"]) == archdsl.analyze(plain, ["stages.p4.depth=1"])


@pytest.mark.parametrize(
    ("text", "code"), [("${oc.env:HOME}", "reference"), ("${nothing}", "reference"), ("???", "missing-value")]
)
def test_omegaconf_resolves_nothing(text: str, code: str) -> None:
    for config in ({"a": text, "other": 1}, {"a": [{"b": text}]}, {"a": OmegaConf.create([text])}):
        problem = problem_of(lambda config=config: load(OmegaConf.create(config)))
        assert (problem.code, text in problem.message) == (code, True)


@pytest.mark.parametrize("content", [None, "${nothing}", "???"])
def test_a_dict_config_without_a_mapping_is_refused(content: Any) -> None:
    assert problem_of(lambda: load(DictConfig(content))).code == "type"


def test_many_values_are_refused() -> None:
    text = "a: [" + "1," * (int(DEFAULT.values) + 1) + "]"
    assert problem_of(lambda: read_text(text, "f.yaml")).code == "limit"


def test_aliases_are_copies_and_stand_where_they_are_used(write: Write) -> None:
    config = load(write("a.yaml", "a: &x {k: [1]}\nb: *x\n"), ["a.k.0=2"])
    assert config.values == {"a": {"k": [2]}, "b": {"k": [1]}}
    assert config.place(("b", "k", 0)).value == (config.file, 2, 4)


@pytest.mark.parametrize("data", [b"a: \xff\n", "a: é\n".encode("latin-1")])
def test_what_is_not_utf_8_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(data)
    problem = problem_of(lambda: load(path))
    assert (problem.file, problem.code) == (str(path), "encoding")
    assert "not UTF-8 text (byte" in problem.message


@pytest.mark.parametrize(
    "data", [b"\xef\xbb\xbfa: 1\r\nb: !x 2\r\n", b"\xef\xbb\xbfa: 1\nb: !x 2\n", b"a: 1\rb: !x 2\r"]
)
def test_marks_are_right_after_a_byte_order_mark_and_any_line_end(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(data)
    assert problem_of(lambda: load(path)).mark == (str(path), 2, 4)


def test_columns_count_characters(write: Write) -> None:
    assert problem_of(lambda: load(write("a.yaml", "é😀: [ü, !x 2]\n"))).column == 9


def test_a_byte_order_mark_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: [x,\r\n 2]\r\n")
    assert load(path).values == {"a": 1, "b": ["x", 2]}
    assert load(path).place(("a",)).key == (str(path), 1, 1)


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    problem = problem_of(lambda: load(path))
    assert (problem.code, "at most 1048576" in problem.message) == ("limit", True)


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.yaml")
    (tmp_path / "b.yaml").mkdir()
    for path in (tmp_path / "a.yaml", tmp_path / "b.yaml", tmp_path, Path(os.devnull)):
        assert problem_of(lambda path=path: load(path)).code == "not-a-file"


def test_a_file_that_becomes_a_pipe_when_it_is_opened_is_not_read(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, open_now = write("a.yaml", "a: 1\n"), os.open

    def late(name: str, flags: int) -> int:
        path.unlink()
        os.mkfifo(path)
        return open_now(name, flags)

    monkeypatch.setattr(os, "open", late)
    assert "a named pipe, not a regular file" in problem_of(lambda: load(path)).message


def test_a_file_that_may_not_be_read_says_so(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, flags: int) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)  # as for anybody but root

    path = write("closed/a.yaml", "a: 1\n")
    monkeypatch.setattr(os, "open", refuse)
    problem = problem_of(lambda: load(path))
    assert (problem.code, "Permission denied" in problem.message) == ("unreadable", True)


def test_a_missing_file_names_its_neighbour(write: Write, tmp_path: Path) -> None:
    write("my_net.yaml", "a: 1\n")
    problem = problem_of(lambda: load(tmp_path / "my_nett.yaml"))
    assert (problem.code, problem.hint) == ("missing-file", "did you mean 'my_net.yaml'?")
    assert problem_of(lambda: load(tmp_path / "no_folder" / "a.yaml")).code == "missing-file"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("yolo_v8_s_backbon", "did you mean 'yolo_v8_s_backbone'?"),
        ("YOLO_V8_S_BACKBONE", "did you mean 'yolo_v8_s_backbone'?"),
        ("resnet50", "did you mean 'resnet50_"),
        ("zzz", "`archdsl list` prints the presets"),
        ("a\0b", "`archdsl list` prints the presets"),
        ("x" * 5000, "`archdsl list` prints the presets"),
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_an_unknown_preset_names_the_nearest(name: str, hint: str) -> None:
    problem = problem_of(lambda: load(name))
    assert (problem.code, hint in problem.hint) == ("unknown-preset", True)


@pytest.mark.parametrize(
    ("name", "preset"),
    [
        ("yolov8n", "yolo_v8_xs_backbone"),
        ("yolov8x", "yolo_v8_xl_backbone"),
        ("YOLOv8n.pt", "yolo_v8_xs_backbone"),
        ("yolov8n.yaml", "yolo_v8_xs_backbone"),
        ("yolo_v8_n_detect", "yolo_v8_xs_detect"),
        ("yolov8n-seg", "yolo_v8_xs_segment"),
        ("yolov8m-cls.pt", "yolo_v8_m_classify"),
        ("yolov8x-pose", "yolo_v8_xl_pose"),
        ("yolov8s-obb", "yolo_v8_s_obb"),
        ("yolov8n-p6", "yolo_v8_xs_p6_backbone"),
        ("yolov5su", "yolo_v5u_s_detect"),
        ("yolov5n", "yolo_v5_n_backbone"),
        ("yolov7", "yolo_v7_backbone"),
        ("yolo11x-pose", "yolo_11_x_pose"),
        ("yolo12n", "yolo_12_n_backbone"),
    ],
)
def test_a_name_that_a_network_has_elsewhere_leads_to_its_preset(name: str, preset: str) -> None:
    assert problem_of(lambda: load(name)).hint.startswith(f"did you mean '{preset}'?")


def test_a_yolo_without_a_task_may_be_its_detector() -> None:
    assert problem_of(lambda: load("yolov8n")).hint.endswith("its detector is 'yolo_v8_xs_detect'")


@pytest.mark.parametrize("name", ["x" * 5000 + ".yaml", "x" * 5000 + "/a.yaml", "a\0b.yaml", "a\0b/c.yaml", "./", ""])
def test_a_path_that_cannot_be_is_an_arch_error(name: str) -> None:
    problem_of(lambda: load(name))


def test_what_is_no_config_is_refused() -> None:
    for value in (None, 5, ["a"], b"a"):
        assert problem_of(lambda value=value: load(value)).code == "type"


def test_a_changed_file_is_read_again(write: Write) -> None:
    assert load(write("a.yaml", "a: 1\n")).values == {"a": 1}
    assert load(write("a.yaml", "a: 22\n")).values == {"a": 22}


def after(path: Path, fragment: str) -> Mark:
    """The place behind the first `fragment` in the file."""
    text = path.read_text()
    end = text.index(fragment) + len(fragment)
    return Mark(str(path), text.count("\n", 0, end) + 1, end - text.rfind("\n", 0, end))


def test_every_value_has_the_place_it_was_written_at(write: Write) -> None:
    family = config_root() / "family" / "yolo_v8.yaml"
    child = write(
        "child.yaml", "defaults: [family/yolo_v8, _self_]\nstages:\n  p4: {depth: 9}\n  p5:\n    width: 512\n"
    )
    config = load(child, ["scale.width=0.5", "+stages.p6={width: 64, pre: {a: {block: norm}}}", "outputs.1=p5"])
    places = {
        ("stages", "p4", "depth"): after(child, "p4: {depth: "),
        ("stages", "p5", "width"): after(child, "p5:\n    width: "),
        ("stages", "p5", "depth"): after(family, "p5: {width: 1024, depth: "),
        ("conventions", "norm", "epsilon"): after(family, "epsilon: "),
        ("outputs", 0): after(family, "outputs: ["),
        ("scale", "depth"): after(family, "scale: {width: 1.0, depth: "),
        # What a stage takes from stage_defaults stands there.
        ("stages", "p4", "body", "block"): after(family, "body: {block: "),
        ("stages", "p4", "down", "kernel"): after(family, "down: {block: conv_bn_act, kernel: "),
        ("stages", "p6", "down", "kernel"): after(family, "down: {block: conv_bn_act, kernel: "),
        ("scale", "width"): Mark("<override 1>", 1, 13),
        ("stages", "p6", "pre", "a", "block"): Mark("<override 2>", 1, 12),
        ("outputs", 1): Mark("<override 3>", 1, 11),
    }
    assert {path: config.place(path).value for path in places} == places
    assert config.place(("stages", "p5")).key == after(child, "\n  p4: {depth: 9}\n  ")
    assert config.place(("stages", "p4", "nothing")).key == after(child, "stages:\n  ")


def test_problems_in_parents_name_the_parents_file(write: Write) -> None:
    parent = write("base.yaml", "stages:\n  p2: {width: 8, depth: many}\n")
    child = write("child.yaml", "defaults: [base, _self_]\nstages: {p2: {width: 0}}\n")
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.compile_config(child)
    places = {problem.path: problem.mark for problem in caught.value.problems}
    assert places["stages.p2.depth"] == (str(parent), 2, 25)
    assert places["stages.p2.width"] == (str(child), 2, 22)


@pytest.mark.parametrize(
    ("replaced", "path", "column"),
    [
        ("outputs: p9", "outputs.0", 10),
        ("freeze: p9", "freeze.0", 9),
        ("input: {shape: [64, 64]}", "input.shape.2", 16),
    ],
)
def test_a_problem_of_a_value_that_replaces_a_parents_list_is_not_at_the_parent(
    replaced: str, path: str, column: int, write: Write
) -> None:
    stage = "{body: {block: conv, width: 8}}"
    write("base.yaml", f"input: {{shape: [8, 8, 3]}}\nstages: {{a: {stage}, b: {stage}}}\noutputs: [a]\nfreeze: [a]\n")
    child = write("child.yaml", f"defaults: [base, _self_]\n{replaced}\n")
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.compile_config(child)
    assert [(problem.path, problem.mark) for problem in caught.value.problems] == [(path, (str(child), 2, column))]


def test_nothing_inside_of_what_an_override_deletes_keeps_its_place(write: Write) -> None:
    config = load(write("a.yaml", "stages: {a: {width: 8}, b: {width: 8}}\n"), ["~stages.b"])
    assert config.place(("stages", "b", "width")).key.file == "<override 1>"


def test_channels_set_by_a_parent_in_the_other_way_are_told_with_their_place(write: Write) -> None:
    parent = write("base.yaml", "stages: {p1: {stride: 2, body: {block: conv, width: 8}}}\n")
    child = write("child.yaml", "defaults: [base, _self_]\nstages: {p1: {body: {filters: 6}}}\n")
    found = problem_of(lambda: archdsl.compile_config(child))
    assert (found.mark, found.hint) == ((str(child), 2, 31), "to leave the other out, write width: null")
    assert [note.mark for note in found.notes] == [(str(parent), 1, 53)]
    child.write_text(child.read_text().replace("filters: 6", "filters: 6, width: null"))
    assert archdsl.analyze(child).params == 6 * 4


@pytest.mark.parametrize("name", ["x" * 5000, "a/" * 4000 + "a"], ids=["long", "deep"])
def test_a_parent_that_no_file_can_be_is_reported(name: str, write: Write) -> None:
    path = write("a.yaml", f"defaults: [{name}, _self_]\n")
    assert problem_of(lambda: load(path)).code == "unknown-parent"


def test_an_unknown_parent_names_the_nearest_and_the_place(write: Write) -> None:
    path = write("a.yaml", "defaults:\n  - family/resnet_v2_botleneck\n  - _self_\n")
    problem = problem_of(lambda: load(path))
    assert (problem.mark, problem.hint) == ((str(path), 2, 5), "did you mean 'family/resnet_v2_bottleneck'?")


letters = st.sampled_from(
    [*"abc :-[]{},&*!|>'\"#%@`?~<=0123456789._\n\t\r", "\n  ", ": ", "- ", "---\n", "<<: ", "é", "\ufeff"]
)


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(letters, max_size=40).map("".join)))
def test_any_text_is_a_config_or_an_arch_error(text: str) -> None:
    try:
        values = read_text(text, "f.yaml").values
    except archdsl.ArchError as error:
        assert error.problems
    else:
        assert all(isinstance(key, str) for key in values)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_config_or_an_arch_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "a.yaml"
    path.write_bytes(data)
    try:
        load(path)
    except archdsl.ArchError as error:
        assert error.problems
