"""Config groups: what `neck: pan_c2f` composes to is what Hydra composes from the same files and overrides.

Where the loader differs from Hydra, the test says what Hydra does instead.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

import archdsl
from archdsl.frontend.compose.config import load
from archdsl.frontend.compose.search_path import config_root, options_of

GLOBAL = "# @package _global_\n"
Files = dict[str, str]


def by_hydra(root: Path, overrides: Sequence[str] = (), name: str = "a") -> str:
    """What Hydra composes of the files in `root` and the shipped ones."""
    search = f"hydra.searchpath=[file://{config_root()}]"
    with initialize_config_dir(str(root), version_base="1.3"):
        composed = compose(name, overrides=[search, *overrides])
    return json.dumps(OmegaConf.to_container(composed, resolve=False))


def by_archdsl(root: Path, overrides: Sequence[str] = (), name: str = "a") -> str:
    return json.dumps(load(root / f"{name}.yaml", overrides).values)


def written(root: Path, files: Files) -> Path:
    for name, text in files.items():
        path = root / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def refusal(root: Path | str, *overrides: str) -> archdsl.Problem:
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.compile_config(root / "a.yaml" if isinstance(root, Path) else root, overrides)
    return caught.value.problems[0]


OPTIONS = {
    "b": "defaults: [{neck: one}, _self_]\nx: 1\n",
    "neck/one": "n: {w: 1, d: 1}\nm: {w: 1}\n",
    "neck/two": "n: {w: 2}\nk: {w: 2}\n",
    "neck/heir": "defaults: [one, _self_]\nn: {w: 3}\n",
    "neck/wide": GLOBAL + "x: 5\nneck: {n: {w: 9}}\n",
    "head/top": "h: {u: 1}\n",
    "tail/end": "t: {v: 1}\n",
    "neck/_-0": "n: 0\n",
}
ALIKE: dict[str, tuple[Files, Sequence[str]]] = {
    "chosen": ({"a": "defaults: [{neck: one}, _self_]\nx: 1\n"}, ()),
    "set by the config too": ({"a": "defaults: [neck: one, _self_]\nneck: {n: {w: 7}, z: {w: 1}}\n"}, ()),
    "set before the option": ({"a": "defaults: [_self_, neck: one]\nneck: {n: {w: 7}, z: {w: 1}}\n"}, ()),
    "two groups": ({"a": "defaults: [head: top, neck: two, _self_]\nx: 1\n"}, ()),
    "stem and tail are groups": ({"a": "defaults: [tail: end, _self_]\nx: 1\n"}, ()),
    "by a parent": ({"a": "defaults: [b, _self_]\nneck: {n: {d: 4}}\n"}, ()),
    "overridden by the heir": ({"a": "defaults: [b, _self_, override neck: two]\nx: 2\n"}, ()),
    "overridden before _self_": ({"a": "defaults: [b, override neck: two, _self_]\nx: 2\n"}, ()),
    "overridden with its full name": ({"a": "defaults: [b, override /neck: two, _self_]\nx: 2\n"}, ()),
    "none, by the heir": ({"a": "defaults: [b, override neck: null, _self_]\nneck: {z: {w: 1}}\n"}, ()),
    "none": ({"a": "defaults: [neck: null, _self_]\nx: 1\n"}, ()),
    "none twice": ({"a": "defaults: [neck: null, c, _self_]\n", "c": "defaults: [neck: null, _self_]\nx: 1\n"}, ()),
    "the nearest override": (
        {"a": "defaults: [c, override neck: one, _self_]\n", "c": "defaults: [b, override neck: two, _self_]\n"},
        (),
    ),
    "an option that inherits": ({"a": "defaults: [neck: heir, _self_]\nx: 1\n"}, ()),
    "an option for the whole config": ({"a": "defaults: [neck: wide, _self_]\ny: 1\n"}, ()),
    "a file of a group as a parent": ({"a": "defaults: [neck/one, _self_]\nneck: {n: {w: 4}}\n"}, ()),
    "in a family": (
        {"a": "defaults: [family/f, _self_]\n", "family/f": GLOBAL + "defaults: [/neck: one, _self_]\nx: 1\n"},
        (),
    ),
    "in a family, overridden": (
        {
            "a": "defaults: [family/f, override neck: two, _self_]\n",
            "family/f": GLOBAL + "defaults: [/neck: one, _self_]\n",
        },
        (),
    ),
    "left open, and chosen": (
        {"a": "defaults: [c, override neck: two, _self_]\n", "c": "defaults: [neck: '???', _self_]\nx: 1\n"},
        (),
    ),
    "by an override": ({"a": "defaults: [b, _self_]\n"}, ["neck=two"]),
    "by the last of two": ({"a": "defaults: [b, _self_]\n"}, ["neck=one", "neck=two"]),
    "by an override, against the heir": ({"a": "defaults: [b, override neck: heir, _self_]\n"}, ["neck=two"]),
    "instead of none": ({"a": "defaults: [neck: null, _self_]\n"}, ["neck=two"]),
    "added": ({"a": "x: 1\n"}, ["+neck=two"]),
    "added to a section": ({"a": "neck: {n: {d: 2}, z: {w: 1}}\n"}, ["+neck=two"]),
    "added and changed": ({"a": "x: 1\n"}, ["+neck=two", "neck=one"]),
    "of two, the last": ({"a": "defaults: [b, _self_]\n"}, ["neck=heir", "neck=two", "neck.n.w=1"]),
    "in quotes": ({"a": "x: 1\n"}, ["+neck='two'"]),
    "of a strange name": ({"a": "x: 1\n"}, ["+neck=_-0"]),
    "taken back": ({"a": "defaults: [b, _self_]\nneck: {z: {w: 1}}\n"}, ["~neck"]),
    "taken back by its name": ({"a": "defaults: [b, _self_]\n"}, ["~neck=one"]),
    "changed, and taken back": ({"a": "defaults: [b, _self_]\n"}, ["neck=two", "~neck=two"]),
    "with values over it": ({"a": "defaults: [b, _self_]\n"}, ["neck=two", "neck.n.w=5", "+neck.q={w: 1}"]),
    "with a mapping over it": ({"a": "defaults: [b, _self_]\n"}, ["neck={n: {w: 5}}"]),
    "shipped": ({"a": "defaults: [yolo_v8_s_backbone, neck: pan_c2f, _self_]\nneck: {n3: {depth: 9}}\n"}, ()),
    "shipped, changed": ({"a": "defaults: [yolo_v8_s_backbone, neck: pan_c2f, _self_]\n"}, ["neck=fpn"]),
    "one's own in place of a shipped one": ({"a": "defaults: [neck: fpn, _self_]\n", "neck/fpn": "n: {w: 1}\n"}, ()),
}


@pytest.mark.parametrize(("files", "overrides"), ALIKE.values(), ids=list(ALIKE))
def test_groups_compose_as_hydra_composes_them(files: Files, overrides: Sequence[str], tmp_path: Path) -> None:
    root = written(tmp_path, OPTIONS | files)
    assert by_archdsl(root, overrides) == by_hydra(root, overrides)


def test_a_file_of_a_group_alone_composes_as_in_hydra() -> None:
    assert json.dumps(load("neck/fpn").values) == by_hydra(config_root(), name="neck/fpn")
    assert list(load("neck/fpn").values) == ["neck"]


REFUSED: dict[str, tuple[Files, Sequence[str], str, str, str]] = {
    "an override of nothing": (
        {"a": "defaults: [c, override neck: one, _self_]\n", "c": "x: 1\n"},
        *((), "group", "a.yaml:1:30", "write neck: one, without `override`"),
    ),
    "an override in a parent beside": (
        {"a": "defaults: [c, b, _self_]\n", "c": "defaults: [override neck: two, _self_]\n"},
        *((), "group", "c.yaml:1:27", "without `override`"),
    ),
    "an override before a parent": (
        {"a": "defaults: [override neck: two, b, _self_]\n"},
        *((), "defaults", "a.yaml:1:27", "at the end of the list"),
    ),
    "twice in one list": (
        {"a": "defaults: [neck: one, neck: two, _self_]\n"},
        *((), "group", "a.yaml:1:29", "write override neck: two"),
    ),
    "twice the same": (
        {"a": "defaults: [b, neck: one, _self_]\n"},
        *((), "group", "a.yaml:1:21", "write override neck: one"),
    ),
    "none and one": ({"a": "defaults: [b, neck: null, _self_]\n"}, (), "group", "a.yaml:1:21", "override neck: null"),
    "added to one": ({"a": "defaults: [b, _self_]\n"}, ["+neck=two"], "group", "<override 1>:1:1", "write neck=two"),
    "forced": ({"a": "defaults: [b, _self_]\n"}, ["++neck=two"], "group", "<override 1>:1:1", "write neck=two"),
    "an unknown option": (
        {"a": "defaults: [neck: on, _self_]\n"},
        *((), "unknown-option", "a.yaml:1:18", "did you mean 'one'?"),
    ),
    "an unknown option, overriding": (
        {"a": "defaults: [b, override neck: on, _self_]\n"},
        *((), "unknown-option", "a.yaml:1:30", "did you mean 'one'?"),
    ),
    "an unknown option of an override": (
        {"a": "defaults: [b, _self_]\n"},
        *(["neck=tow"], "unknown-option", "<override 1>:1:1", "did you mean 'two'?"),
    ),
    "left open": ({"a": "defaults: [neck: '???', _self_]\n"}, (), "missing-value", "a.yaml:1:18", "choose one: neck="),
    "a number": ({"a": "defaults: [neck: 5, _self_]\n"}, (), "type", "a.yaml:1:18", "the name of a file in neck/"),
    "another one taken back": (
        {"a": "defaults: [b, _self_]\n"},
        ["~neck=two"],
        "override",
        "<override 1>:1:1",
        "~neck",
    ),
}


@pytest.mark.parametrize(("files", "overrides", "code", "at", "hint"), REFUSED.values(), ids=list(REFUSED))
def test_what_hydra_refuses_is_an_error_with_its_place(
    files: Files, overrides: Sequence[str], code: str, at: str, hint: str, tmp_path: Path
) -> None:
    root = written(tmp_path, OPTIONS | files)
    with pytest.raises(Exception):  # noqa: B017  (Hydra's errors have no common base)
        by_hydra(root, overrides)
    with pytest.raises(archdsl.ArchError) as caught:
        load(root / "a.yaml", overrides)
    (problem,) = caught.value.problems
    assert (problem.code, str(problem.mark).removeprefix(f"{root}/")) == (code, at)
    assert hint in problem.hint


STRICTER: dict[str, tuple[Files, str, str]] = {
    # Hydra goes on without a neck.
    "optional": ({"a": "defaults: [optional neck: nine, _self_]\n"}, "type", "'optional' is not for groups"),
    # Hydra composes both, one over the other.
    "a list": ({"a": "defaults: [neck: [one, two], _self_]\n"}, "type", "a group has one option"),
    # Hydra puts the option under the key `foo`.
    "a package": ({"a": "defaults: [neck@foo: one, _self_]\n"}, "type", "a group has no package"),
    # Hydra knows any folder for a group, and puts its files under its name.
    "another folder": ({"a": "defaults: [sub: c, _self_]\n", "sub/c": "x: 1\n"}, "type", "the groups are stem"),
    "a sub-folder": ({"a": "defaults: [neck: deep/c, _self_]\n", "neck/deep/c": "n: 1\n"}, "unknown-option", ""),
    # Hydra puts them under the keys `neck.head` and `neck.neck`.
    "a group in a group": (
        {"a": "defaults: [neck: c, _self_]\n", "neck/c": "defaults: [/head: top, _self_]\n"},
        "group",
        "",
    ),
    "a full name in a group": (
        {"a": "defaults: [neck: c, _self_]\n", "neck/c": "defaults: [/neck/one, _self_]\n"},
        "package",
        "",
    ),
    # Hydra takes `family/neck` for the group.
    "relative to a family": (
        {"a": "defaults: [family/f, _self_]\n", "family/f": GLOBAL + "defaults: [neck: one, _self_]\n"},
        *("group", "write /neck: one"),
    ),
    # Hydra merges it into the top level.
    "a whole config in a group": (
        {"a": "defaults: [neck: c, _self_]\n", "neck/c": "defaults: [wide, _self_]\n"},
        *("package", "inherits others of neck/"),
    ),
    # Hydra sees that an option is chosen twice only where it has no Defaults List of its own.
    "twice an option that inherits": (
        {"a": "defaults: [c, d, override neck: heir, _self_]\n"}
        | dict.fromkeys("cd", "defaults: [neck: one, _self_]\n"),
        *("group", "override neck: one"),
    ),
    # Hydra chooses what a reference leads to.
    "a reference": ({"a": "defaults: [neck: '${head}', _self_]\n"}, "unknown-option", ""),
    # Hydra fails with a RecursionError.
    "a ring": (
        {
            "a": "defaults: [neck: c, _self_]\n",
            "neck/c": "defaults: [d, _self_]\n",
            "neck/d": "defaults: [c, _self_]\n",
        },
        "cycle",
        "",
    ),
    "a ring of choices": (
        {
            "a": "defaults: [neck: c, _self_]\n",
            "neck/c": GLOBAL + "defaults: [/head: d, _self_]\n",
            "head/d": "defaults: [/a, _self_]\n",
        },
        *("cycle", ""),
    ),
}


@pytest.mark.parametrize(("files", "code", "hint"), STRICTER.values(), ids=list(STRICTER))
def test_groups_are_read_more_strictly(files: Files, code: str, hint: str, tmp_path: Path) -> None:
    problem = refusal(written(tmp_path, OPTIONS | files))
    assert (problem.code, hint in problem.hint) == (code, True)


def test_an_override_needs_no_plus_where_nobody_chooses(tmp_path: Path) -> None:
    # Hydra asks for the +, in which it means the same.
    root = written(tmp_path, OPTIONS | {"a": "x: 1\nneck: {n: {d: 3}}\n"})
    assert by_archdsl(root, ["neck=two"]) == by_archdsl(root, ["+neck=two"]) == by_hydra(root, ["+neck=two"])
    assert archdsl.analyze("yolo_v8_s_backbone", ["neck=fpn", "outputs=[n3,n4,n5]"]).params == 7_090_144


@pytest.mark.parametrize("text", ["x: 1\n", "defaults: [b, _self_]\n", "neck: {n: {w: 1}}\n"])
def test_null_leaves_a_section_empty_whoever_fills_it(text: str, tmp_path: Path) -> None:
    # Hydra takes null in a Defaults List only.
    root = written(tmp_path, OPTIONS | {"a": text})
    assert load(root / "a.yaml", ["neck=null"]).values["neck"] is None


def test_a_section_that_nobody_chooses_is_deleted_as_a_value(tmp_path: Path) -> None:
    # Hydra, which knows a group of that name, finds no choice to delete.
    root = written(tmp_path, OPTIONS | {"a": "neck: {n: {w: 1}}\nx: 1\n"})
    assert load(root / "a.yaml", ["~neck"]).values == {"x": 1}


def test_a_dict_chooses_among_the_shipped_options() -> None:
    config: dict[str, Any] = {"defaults": ["yolo_v8_s_backbone", {"neck": "fpn"}, "_self_"], "outputs": ["n3", "n4"]}
    assert archdsl.analyze(config).outputs["n3"].channels == 256
    assert archdsl.analyze(config, ["neck=pan_c2f"]).outputs["n3"].channels == 128


NAMES = st.sampled_from(["one", "two", "heir", "none", "wide"])
VALUES = st.fixed_dictionaries({}, optional={"n": st.just({"w": 4}), "m": st.just({"w": 5}), "z": st.just({"w": 6})})


@st.composite
def files(draw: st.DrawFn) -> Files:
    """A config with parents, of which some choose, override and set values, before and after each other."""
    made: Files = {}
    for name, parents in (("a", ["b", "c", "family/f"]), ("b", ["d"]), ("c", []), ("d", []), ("family/f", [])):
        slash = "/" if "/" in name else ""
        entries: list[Any] = list(draw(st.lists(st.sampled_from(parents), unique=True))) if parents else []
        for group in draw(st.lists(st.sampled_from(["neck", "head"]), max_size=1)):
            entries.insert(draw(st.integers(0, len(entries))), {f"{slash}{group}": _option(draw, group)})
        entries.insert(draw(st.integers(0, len(entries))), "_self_")
        for group in draw(st.lists(st.sampled_from(["neck", "head"]), max_size=1)):
            entries.append({f"override {slash}{group}": _option(draw, group)})
        values = {"defaults": entries, name[-1]: 1, "neck": draw(VALUES), "head": draw(VALUES)}
        made[name] = (GLOBAL if slash else "") + json.dumps(values)
    return made


def _option(draw: st.DrawFn, group: str) -> str | None:
    name = draw(NAMES)
    return None if name == "none" else "top" if group == "head" else name


OVERRIDES = st.lists(
    st.sampled_from(
        [
            *[
                "neck=two",
                "neck=heir",
                "+neck=one",
                "head=top",
                "+head=top",
                "~neck",
                "~neck=one",
                "~head",
                "neck=nine",
            ],
            *["neck.n.w=7", "++neck.n.w=8", "neck={n: {w: 9}}", "+head.q={w: 1}", "c=2"],
        ]
    ),
    max_size=3,
)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(files(), OVERRIDES)
def test_whatever_is_chosen_composes_as_in_hydra(made: Files, overrides: list[str]) -> None:
    assert_composes_as_in_hydra(made, overrides)


@pytest.mark.full
@settings(max_examples=300, deadline=None)
@given(files(), OVERRIDES)
def test_many_choices_compose_as_in_hydra(made: Files, overrides: list[str]) -> None:
    assert_composes_as_in_hydra(made, overrides)


def assert_composes_as_in_hydra(made: Files, overrides: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = written(Path(folder), OPTIONS | made)
        try:
            ours = by_archdsl(root, overrides)
        except archdsl.ArchError as error:
            # Hydra reads a parent twice, and an option that has parents.
            if not any(each.code == "duplicate-parent" or "twice" in each.message for each in error.problems):
                with pytest.raises(Exception):  # noqa: B017
                    by_hydra(root, overrides)
            return
        theirs = _with_additions(root, overrides)
        assert theirs in (ours, None)


def _with_additions(root: Path, overrides: list[str]) -> str | None:
    """What Hydra composes once it has the + that it asks for; None where it finds no choice for a ~ to delete."""
    try:
        return by_hydra(root, overrides)
    except ConfigCompositionException as refused:
        if re.search(r"Could not delete '.*No match in the defaults list", str(refused)):
            return None
        asked = re.search(r"To append to your default list use \+(\w+=)", str(refused))
        assert asked, refused
        chosen = [each for each in overrides if each.startswith(asked[1]) and "{" not in each]  # the last counts
        others = [each for each in overrides if each not in chosen]
        return _with_additions(root, [*others, f"+{chosen[-1]}"])


def test_a_neck_that_finds_no_stage_names_the_files_of_both(tmp_path: Path) -> None:
    written(tmp_path, {"a": "stages: {p1: {width: 8, stride: 2, down: {block: conv}}}\n"})
    problem = refusal(tmp_path, "neck=fpn")
    assert (problem.code, problem.path, problem.file) == ("unknown-layer", "neck.lateral5.from", str(_shipped("fpn")))
    assert [(note.mark.file, note.text) for note in problem.notes] == [
        (str(tmp_path / "a.yaml"), "the stages are set at")
    ]


def test_a_stage_that_is_taken_out_is_found_by_the_neck_that_reads_it(tmp_path: Path) -> None:
    written(tmp_path, {"a": "defaults: [yolo_v8_s_backbone, neck: fpn, _self_]\nstages: {p5: null}\noutputs: [p4]\n"})
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.compile_config(tmp_path / "a.yaml")
    (problem,) = caught.value.problems  # and nothing about the layers after it
    assert [str(note) for note in problem.notes] == [f"the stage 'p5' is removed at {tmp_path}/a.yaml:2:10"]


def test_a_layer_beside_the_stages_says_nothing_of_their_file(tmp_path: Path) -> None:
    written(
        tmp_path,
        {"a": "stages: {p1: {width: 8, stride: 2, down: {block: conv}}}\nneck: {n: {block: conv, from: p9}}\n"},
    )
    assert refusal(tmp_path).notes == ()


def _shipped(name: str, group: str = "neck") -> Path:
    return config_root() / group / f"{name}.yaml"


MISPLACED = {
    "stages: {p2: {width: 8}}\n": ("stages", 1, "# @package _global_"),
    "n: {block: conv, width: 8}\noutputs: [n]\n": ("outputs", 2, "# @package _global_"),
    "neck:\n  n: {block: conv, width: 8}\n": ("neck", 1, "take `neck:` out"),
}


@pytest.mark.parametrize(("text", "key", "line", "hint"), [(text, *wanted) for text, wanted in MISPLACED.items()])
def test_a_file_of_a_group_holds_layers_only(text: str, key: str, line: int, hint: str, tmp_path: Path) -> None:
    written(tmp_path, {"a": "defaults: [yolo_v8_s_backbone, neck: c, _self_]\n", "neck/c": text})
    problem = refusal(tmp_path)
    assert (problem.code, problem.path, problem.line) == ("package", f"neck.{key}", line)
    assert (problem.file, hint in problem.hint) == (str(tmp_path / "neck" / "c.yaml"), True)


@pytest.mark.parametrize("name", ["neck/fpn", "own/neck/mine.yaml"])
def test_an_option_that_is_given_for_a_config_says_how_to_choose_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(written(tmp_path, {"own/neck/mine": "n: {block: conv}\n"}))
    problem = refusal(name)
    assert (problem.code, problem.hint.partition("archdsl show")[2]) == (
        "missing-key",
        f" CONFIG neck={Path(name).stem}",
    )


def test_a_layer_may_have_the_name_of_a_key(tmp_path: Path) -> None:
    text = "scale: {block: conv, filters: 8, from: p3}\n"
    written(tmp_path, {"a": "defaults: [yolo_v8_s_backbone, neck: d, _self_]\n", "neck/c": text})
    written(tmp_path, {"neck/d": "defaults: [c, _self_]\nscale: {kernel: 3}\n"})
    assert archdsl.compile_config(tmp_path / "a.yaml", ["neck=c"]).nodes
    assert archdsl.compile_config(tmp_path / "a.yaml").nodes


OUT = {
    "a folder above": ("../secret", "unknown-option"),
    "a folder above, from the folder": ("../../secret", "unknown-option"),
    "an absolute path": ("{root}/secret", "unknown-option"),
    "a link to a file": ("link", "parent"),
    "a link to a folder": ("folder/secret", "unknown-option"),
}


@pytest.mark.parametrize("overrides", [True, False])
@pytest.mark.parametrize(("name", "code"), OUT.values(), ids=list(OUT))
def test_an_option_outside_of_the_folder_is_refused_unread(
    name: str, code: str, overrides: bool, tmp_path: Path
) -> None:
    # Hydra reads all of them but the absolute path.
    (tmp_path / "secret.yaml").write_text("x: [")  # reading it would be another error
    option = name.format(root=tmp_path)
    text = "stages: {}\n" if overrides else f"defaults: [neck: '{option}', _self_]\n"
    root = written(tmp_path / "own", {"a": text, "neck/one": "x: 1\n"})
    (root / "neck" / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    (root / "neck" / "folder").symlink_to(tmp_path)
    assert refusal(root, *([f"neck='{option}'"] if overrides else [])).code == code


def test_a_group_that_is_a_link_is_neither_read_nor_listed(tmp_path: Path) -> None:
    outside = written(tmp_path / "outside", {"secret": "n: {block: conv}\n"})
    root = written(tmp_path / "own", {"a": "defaults: [neck: secret, _self_]\n"})
    (root / "neck").symlink_to(outside)
    assert refusal(root).code == "parent"
    problem = refusal(root, "neck=other")
    assert (problem.code, "secret" in problem.message) == ("unknown-option", False)


def test_shipped_necks_are_read_by_a_shipped_backbone() -> None:
    for name in options_of("neck", [config_root()]):
        backbone = "yolo_v8_s_p6_backbone" if name.endswith("_p6") else "yolo_v8_s_backbone"
        assert archdsl.analyze(backbone, [f"neck={name}"], (256, 256, 3)).nodes


def test_a_bifpn_on_efficientnet_b0_has_the_parameters_counted_by_hand() -> None:
    """EfficientDet-D0 (Tan et al. 2020, table 1): 64 channels, 3 layers; levels of 40, 112 and 320 channels."""
    of_one_layer = 8 * (3 * 3 * 64 + 64 * 64 + 2 * 64) + 19  # 8 sums, of 19 maps
    lateral = (40 + 112 + 320 + 320) * 64 + 4 * 2 * 64
    alone, whole = (
        archdsl.analyze("efficientnet_b0_backbone"),
        archdsl.analyze("efficientnet_b0_backbone", ["neck=bifpn"]),
    )
    assert whole.trainable_params - alone.trainable_params == lateral + 3 * of_one_layer
    assert [whole.outputs[f"n{level}"].channels for level in range(3, 8)] == [64] * 5


def test_the_neck_of_yolo_v8_has_the_published_parameters() -> None:
    # /cfg/models/v8/yolov8.yaml of Ultralytics 8.4, measured: 5,079,712 in the backbone and 3,939,840 in the neck of s.
    costs = archdsl.analyze("yolo_v8_s_backbone", ["neck=pan_c2f"])
    assert costs.trainable_params == 5_079_712 + 3_939_840
    graph = archdsl.compile_config("yolo_v8_s_backbone", ["neck=pan_c2f", "outputs=[n3,n4,n5]"], (640, 640, 3))
    assert [(node.type.height, node.type.channels) for node in graph.outputs.values()] == [
        (80, 128),
        (40, 256),
        (20, 512),
    ]


@pytest.mark.parametrize("backbone", ["efficientnet_b0_backbone", "resnet50_v2", "densenet121_backbone"])
def test_a_neck_reads_a_backbone_that_ends_in_a_tail_and_the_tail_stays_an_output(backbone: str) -> None:
    found = archdsl.analyze(backbone, ["neck=bifpn", "head=retinanet"], (256, 256, 3)).outputs
    assert {"tail", "boxes", "scores"} <= {*found}


LEVELS = {"fpn": (3, 4, 5), "yolo_v3": (3, 4, 5), "pan_c2f": (3, 4, 5), "pan_c2f_p2": (2, 3, 4, 5)}
LEVELS |= {"bifpn": (3, 4, 5, 6, 7), "retinanet": (3, 4, 5, 6, 7)}
HEADS = {
    "dfl_detect": 1,
    "dfl_detect_light": 1,
    "dual_detect": 1,
    "segment": 1,
    "pose": 1,
    "oriented": 1,
    "retinanet": 9,
}
OF_ONE_WIDTH = ("fpn", "bifpn", "retinanet")  # whose levels RetinaNet's towers can share


@pytest.mark.parametrize("neck", LEVELS)
def test_the_levels_of_a_neck_without_a_head_are_outputs_as_a_head_would_read_them(neck: str) -> None:
    chosen = ["~outputs", f"neck={neck}"]
    graph = archdsl.compile_config("efficientnet_b0_backbone", chosen)
    every = archdsl.compile_config("efficientnet_b0_backbone", [*chosen, "+head={end: {block: identity, each: neck}}"])
    read = [node.inputs[0].name for node in every.nodes if node.name.startswith("head_end")]
    levels = {name: node.name for name, node in graph.outputs.items() if name != "tail"}
    assert levels == dict(zip([f"n{level}" for level in LEVELS[neck]], read, strict=True))
    assert list(levels) == [f"n{level}" for level in LEVELS[neck]]


@pytest.mark.parametrize(
    ("outputs", "found"),
    [
        ("[p3,p5]", ["P3", "P5", "n3", "n4", "n5"]),
        ("[n4]", ["n4", "n5"]),  # in which the neck ends
        ("[n5,p4]", ["n5", "P4"]),
        ("{fine: n3}", ["fine"]),
    ],
)
def test_outputs_that_name_a_level_of_the_neck_leave_the_others(outputs: str, found: list[str]) -> None:
    idle = ["~neck.down4", "~neck.join4", "~neck.n4", "~neck.down5", "~neck.join5", "~neck.n5"]
    chosen = ["neck=pan_c2f", "~outputs", f"+outputs={outputs}", *(idle if "fine" in outputs else [])]
    assert [*archdsl.compile_config("yolo_v8_s_backbone", chosen).outputs] == found


@pytest.mark.parametrize(
    ("neck", "head"), [(n, h) for n in LEVELS for h in HEADS if h != "retinanet" or n in OF_ONE_WIDTH]
)
def test_a_head_detects_at_every_pixel_of_all_levels_of_the_neck(neck: str, head: str) -> None:
    """Level N of a square of 640 pixels has (640 / 2^N)² of them; the first boxes are those of the finest map."""
    chosen = [f"neck={neck}", f"head={head}"]
    graph = archdsl.compile_config("efficientnet_b0_backbone", chosen, (640, 640, 3))
    boxes = graph.outputs["one_boxes" if head == "dual_detect" else "boxes"]
    assert boxes.type.shape[0] == HEADS[head] * sum((640 // 2**number) ** 2 for number in LEVELS[neck])
    runs = [int(node.name[len("head_class_n")]) for node in graph.nodes if node.name.startswith("head_class_n")]
    assert [*dict.fromkeys(runs)] == [*LEVELS[neck]]


def test_a_level_that_is_added_to_the_neck_is_read_by_the_head(tmp_path: Path) -> None:
    added = "+neck.n6={block: conv_bn_act, width: 512, kernel: 3, stride: 2, from: n5}"
    costs = archdsl.analyze("yolo_v8_s_detect", [added, "~expect"], (640, 640, 3))
    assert costs.outputs["boxes"].shape == (80**2 + 40**2 + 20**2 + 10**2, 4)


def test_a_level_that_no_head_reads_is_refused_with_the_override_that_takes_it_out() -> None:
    chosen = ["neck=bifpn", "head=dfl_detect", "head.box.each=[n3,n4,n5,n6]", "head.class.each=[n3,n4,n5,n6]"]
    problem = refusal("efficientnet_b0_backbone", *chosen)
    assert (problem.code, problem.path) == ("unused", "neck.n7")
    assert "`each: neck`" in problem.hint and problem.hint.endswith(" ~neck.n7")
    archdsl.compile_config("efficientnet_b0_backbone", [*chosen, "~neck.n7"])
    archdsl.compile_config("efficientnet_b0_backbone", [*chosen, "head.box.each=neck", "head.class.each=neck"])


def test_a_neck_that_calls_no_layer_a_level_stands_for_its_last_one() -> None:
    side = "+neck={one: {block: conv, filters: 8, from: p4}, two: {block: conv, filters: 8}}"
    graph = archdsl.compile_config("yolo_v8_s_backbone", [side, "+head={end: {block: conv, filters: 5, each: neck}}"])
    assert [node.inputs[0].name for node in graph.nodes if node.name.startswith("head_end")] == ["neck_two_conv"]


def test_a_folder_that_is_searched_is_named_once() -> None:
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.analyze("yolo_v8_xs_backbone", ["neck=mine"])
    assert caught.value.problems[0].message.count(str(config_root())) == 1
