"""`${scale.width}` means what it means in OmegaConf; what else OmegaConf would do in its place is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from support.steps import at_most

import archdsl
from archdsl.diagnostics.problems import Mark
from archdsl.frontend.compose.config import load
from archdsl.frontend.compose.interpolation import MAX_CHAIN, escaped
from archdsl.frontend.compose.search_path import config_root
from archdsl.frontend.values import MAX_DEPTH, MAX_SCALAR

Write = Callable[[str, str], Path]

VALUES = {
    "a": 1,
    "b": {"c": 2.5, "d": {"e": "t"}},
    "l": [1, [2], {"k": 3}],
    "n": None,
    "y": True,
    "s": "text",
    "k-e": 5,
    "1": 7,
}
# Each is the value of one more key, v.
TEXTS = [
    "${a}",
    "${b}",
    "${b.c}",
    "${b.d.e}",
    "${b[c]}",
    "${b[d].e}",
    "${[b][c]}",
    "${l}",
    "${l.0}",
    "${l[0]}",
    "${l.1.0}",
    "${l.2.k}",
    "${n}",
    "${y}",
    "${s}",
    "${k-e}",
    "${1}",
    "${.a}",
    "${.b.c}",
    "${.[b]}",
    "${ a }",
    "${a\t}",
    "x${a}y",
    "${a}${b.c} ${y}${n}",
    "${s}\n",
    "'${a}'",
    "$${a}",
    "${a}$",
    "${a}}",
    "{${a}}",
    "$a",
    "$argument",
    "$",
    r"\${a}",
    r"\\${a}",
    r"\\\${a}",
    r"\\\\${a}",
    r"\${",
    r"\${a",
    r"\${oc.env:HOME}",
    r"\$",
    r"a\b${a}",
    r"${a}\\",
    r"${a}\${a}",
    r"$\{a}",
]
CONFIGS: list[dict[str, Any]] = [
    {"a": "${b}", "b": "${c}", "c": {"d": 5}, "e": "${a.d}"},
    {"a": "${b.1}", "b": "${c}", "c": ["u", "v"]},
    {"a": {"p": "${b.q}"}, "b": "${c}", "c": {"q": "${.x}", "x": 8}},
    {"a": {"p": "${b.q}"}, "b": "${c}", "c": {"q": "${..x}"}, "x": 8},
    {"a": {"x": "${..k}"}, "b": "${a}", "c": {"d": "${a.x}"}, "k": 3},
    {"a": {"b": "${..a.c}", "c": 1}},
    {"a": {"x": "${b.y}", "z": 3}, "b": {"y": "${a.z}"}},
    {"a": "${b}", "b": {"c": "x${a.d}", "d": 2}},
    {"a": {"b": {"c": "${...k}"}}, "k": [1]},
    {"l": [1, "${.0}", [2, "${..0}"], {"m": "${..1}"}]},
    {"a": "${b[0][c]}", "b": [{"c": "${..[1]}"}, 7]},
    {"a": r"\${b}", "c": "${a}", "d": "x${a}"},
    {"a": "${b}{c}", "b": "$", "c": 1, "d": "${a}"},
    {"a": "x${b}", "b": 1e-5, "c": "x${d}", "d": 1e16, "e": "${f}", "f": float("inf")},
    {"a": {"b": 1}, "c": {"d": "${a}"}, "e": {"f": "${c}"}},
    {"a": "", "b": "${a}", "c": "${a}${b}"},
]
# text: a part of the message, a part of the hint
REFUSED = {
    "${oc.env:HOME}": ("'${oc.env:HOME}' calls a resolver; expected a key of this config", "the value itself"),
    "${oc.env:HOME,x}": ("calls a resolver", "the value itself"),
    "${oc.decode:${oc.env:HOME}}": ("holds another reference", "the whole key"),
    "${oc.create:{a:1}}": ("calls a resolver", "the value itself"),
    "${oc.select:a}": ("calls a resolver", "the value itself"),
    "${hydra:runtime.cwd}": ("calls a resolver", "the value itself"),
    "${now:%Y}": ("calls a resolver", "the value itself"),
    "${a:}": ("calls a resolver", "the value itself"),
    "x${a:b}": ("calls a resolver", "the value itself"),
    "${b.${s}}": ("holds another reference", "the whole key"),
    "${${s}}": ("holds another reference", "the whole key"),
    "${b": ("'${b' has no closing brace", "close it with }"),
    "x ${": ("'${' has no closing brace", r"or write \${"),
    "${}": ("'${}' names no key", r"write \${"),
    "${ }": ("names no key", r"write \${"),
    "${.}": ("is not a reference; expected keys joined by dots", ""),
    "${b.}": ("is not a reference", ""),
    "${b..c}": ("is not a reference", ""),
    "${b .c}": ("is not a reference", ""),
    "${b[c}": ("is not a reference", ""),
    "${'a'}": ("is not a reference", ""),
    "${a b}": ("is not a reference", ""),
    "${b.cc}": ("'${b.cc}': there is no 'b.cc' in this config", "did you mean 'b.c'?"),
    "${zzz}": ("there is no 'zzz' in this config", ""),
    "${b.d.e.f}": ("there is no 'f' in 'b.d.e', which is text 't'", ""),
    "${n.x}": ("there is no 'x' in 'n', which is nothing (null)", ""),
    "${l.9}": ("there is no '9' in 'l', which is a list of 3", "counted from 0"),
    "${l.-1}": ("there is no '-1' in 'l'", "counted from 0"),
    "${l.k}": ("there is no 'k' in 'l'", "counted from 0"),
    "${..a}": ("'${..a}' leads above the top of the config", "fewer dots"),
    "${defaults}": ("'${defaults}' is the list of parents", ""),
    "${defaults.0}": ("is the list of parents", ""),
    "x${l}": ("'${l}' is a list of 3; expected a value that can stand inside text", ""),
    "x${b}": ("'${b}' is a mapping; expected a value that can stand inside text", ""),
    "${v}": ("leads back to itself: v -> v", "in one of these places"),
    "x${v}": ("leads back to itself: v -> v", "in one of these places"),
    "${v.x}": ("leads back to itself: v -> v.x -> v", "in one of these places"),
}
LOOPS: list[tuple[dict[str, Any], str, str]] = [
    ({"a": "${b}", "b": "${a}"}, "a", "a -> b -> a"),
    ({"c": "${a}", "b": "${c}", "a": "${b}"}, "a", "a -> b -> c -> a"),
    ({"x": "${b}", "a": "${b}", "b": "${a}"}, "a", "a -> b -> a"),
    ({"a": {"b": "${a}"}}, "a.b", "a.b -> a -> a.b"),
    ({"a": {"x": "${b}"}, "b": {"y": "${a}"}}, "a.x", "a.x -> b -> b.y -> a -> a.x"),
    ({"a": [1, ["${..1}"]]}, "a.1.0", "a.1.0 -> a.1 -> a.1.0"),
    ({"a": "x${b}", "b": "y${a}"}, "a", "a -> b -> a"),
]
SMALL = """\
scale: {max_width: 64}
stem: {conv: {block: conv_bn_act, width: 8, kernel: 3, stride: 2}}
stage_defaults: {down: {block: conv_bn_act, kernel: 3, stride: 2}, body: {block: c2f}}
stages:
  p2:
    width: 16
    depth: 1
  p3: ${stages.p2}
  p4:
    width: ${scale.max_width}
    depth: ${stages.p2.depth}
outputs: [p3, p4]
"""


def by_omegaconf(config: dict[str, Any]) -> Any:
    return OmegaConf.to_container(OmegaConf.create(config), resolve=True)


def text(values: Any) -> str:
    """The values with their order, 1 and 1.0 and true told apart."""
    return json.dumps(values)


def problems_of(call: Callable[[], object]) -> list[archdsl.Problem]:
    with pytest.raises(archdsl.ArchError) as caught:
        call()
    return caught.value.problems


@pytest.mark.parametrize(
    "config", [*[{**VALUES, "v": each} for each in TEXTS], *CONFIGS], ids=lambda each: str(each)[-40:]
)
def test_references_mean_what_they_mean_in_omegaconf(config: dict[str, Any]) -> None:
    assert text(load(config).values) == text(by_omegaconf(config))


@pytest.mark.parametrize("value", REFUSED)
def test_nothing_but_a_key_of_the_same_config_can_be_referred_to(value: str) -> None:
    message, hint = REFUSED[value]
    (problem,) = problems_of(lambda: load({**VALUES, "v": value}))
    assert (problem.code, problem.path) == ("reference", "v")
    assert message in problem.message
    assert hint in problem.hint


@pytest.mark.parametrize(("config", "path", "loop"), LOOPS, ids=[loop for _, _, loop in LOOPS])
def test_a_loop_is_printed_once(config: dict[str, Any], path: str, loop: str) -> None:
    (problem,) = problems_of(lambda: load(config))
    assert (problem.path, problem.message) == (path, f"the reference leads back to itself: {loop}")


def test_every_wrong_reference_is_reported_at_its_place(write: Write) -> None:
    path = write("a.yaml", "a: ${b\nb: [x, '${c}', y]\nd:\n  e: ${oc.env:HOME}\n  f: ${d.e}\n")
    problems = problems_of(lambda: load(path))
    assert [(each.mark, each.path) for each in problems] == [
        ((str(path), 1, 4), "a"),
        ((str(path), 2, 8), "b.1"),
        ((str(path), 4, 6), "d.e"),
    ]


names = st.sampled_from(["a", "b", "c"])
keys = st.one_of(names, st.sampled_from(["0", "1"]))
references = st.builds(
    lambda dots, path, brackets: f"${{{dots}{'.'.join(path)}}}" if not brackets else f"${{{dots}[{']['.join(path)}]}}",
    st.sampled_from(["", "", "", ".", "..", "..."]),
    st.lists(keys, min_size=1, max_size=3),
    st.booleans(),
)
scalars = st.one_of(
    st.sampled_from([0, 1, 2.5, None, True, "", "t", "$", "\\"]),
    references,
    references,
    st.lists(st.one_of(references, st.sampled_from(["x", "\\", "\\\\", "$", "{", "}"])), max_size=4).map("".join),
)
configs = st.dictionaries(
    names,
    st.recursive(
        scalars,
        lambda inner: st.one_of(st.dictionaries(names, inner, max_size=3), st.lists(inner, max_size=2)),
        max_leaves=6,
    ),
    min_size=1,
    max_size=3,
)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(configs)
@example({"b": {"a": "${a}"}, "a": "x${b}"})
def test_drawn_configs_resolve_as_in_omegaconf(config: dict[str, Any]) -> None:
    try:
        expected: Any = by_omegaconf(config)
    except Exception:
        assert problems_of(lambda: load(config))
        return
    try:
        assert text(load(config).values) == text(expected)
    except archdsl.ArchError as error:
        assert all("can stand inside text" in each.message for each in error.problems)


@settings(max_examples=200, deadline=None)
@given(configs)
def test_what_a_config_resolves_to_says_the_same_again(config: dict[str, Any]) -> None:
    try:
        values = load(config).values
    except archdsl.ArchError:
        return
    assert load(escaped(values)).values == values == by_omegaconf(escaped(values))


@pytest.mark.parametrize("slashes", range(4))
def test_backslashes_before_what_looks_like_a_reference_are_kept(slashes: int) -> None:
    values = {"a": "\\" * slashes + "${b}"}
    assert load(escaped(values)).values == values == by_omegaconf(escaped(values))


OVERRIDES = [
    (),
    ("scale.max_width=96",),
    ("stages.p4.width=${stages.p2.width}",),
    ("stages.p4.width=${.depth}", "stages.p4.depth=2"),
    ("stages.p4={width: ${scale.max_width}, depth: 3}",),
    ("outputs=[${.1},p2]",),
    ("outputs.0=${outputs.1}",),
    ("+description=a ${scale.max_width} b",),
    ("+description='a: ${scale.max_width}'",),
    (r"+description=\${scale.max_width}",),
    (r"+description='\${scale.max_width}'",),
    (r"+description='\\${scale.max_width}'",),
    ("stages.p3=${stages.p4}",),
    ("stages.p3={width: 4}",),
    ("+stages.p3={width: 4}",),
    ("stages.p2.width=24", "+stages.p5=${stages.p2}"),
    ("~stages.p3",),
    ("stages.p2=${stages.p4}", "stages.p4={width: 7, depth: 2}"),
    ("+name=x${input_size}", "+input_size=3"),
]


@pytest.mark.parametrize("overrides", OVERRIDES, ids=" ".join)
def test_references_are_followed_after_overrides_as_in_hydra(overrides: tuple[str, ...], write: Write) -> None:
    path = write("a.yaml", SMALL)
    with initialize_config_dir(str(path.parent), version_base="1.3"):
        expected = OmegaConf.to_container(compose("a", overrides=list(overrides)), resolve=True)
    assert text(load(path, overrides).values) == text(expected)


@pytest.mark.parametrize(
    "override", ["stages.p3.width=4", "+stages.p3.width=4", "++stages.p3.new=4", "~stages.p3.width"]
)
def test_overrides_do_not_reach_through_a_reference(override: str, write: Write) -> None:
    # Hydra changes what is referred to, puts a new mapping in its place or refuses, by the sign and the key.
    (problem,) = problems_of(lambda: load(write("a.yaml", SMALL), [override]))
    assert problem.file == "<override 1>"
    assert "stages.p3" in problem.message


def test_references_are_followed_after_inheritance_as_in_hydra(write: Write) -> None:
    write(
        "b.yaml", "scale: {width: 1}\nx: ${scale.width}\ny: {p: ${..x}}\nz: {p: {q: 1}}\n".replace("${..x}", "'${..x}'")
    )
    path = write("a.yaml", "defaults: [b, _self_]\nscale: {width: 2}\nz: ${y}\nv: ${z.p}\n")
    with initialize_config_dir(str(path.parent), version_base="1.3"):
        expected = OmegaConf.to_container(compose("a"), resolve=True)
    assert load(path).values == expected == {"scale": {"width": 2}, "x": 2, "y": {"p": 2}, "z": {"p": 2}, "v": 2}


def test_a_mapping_over_a_reference_is_refused_where_it_stands(write: Write) -> None:
    write("b.yaml", "s:\n  p: ${s.q}\n  q: {w: 1}\n")
    path = write("a.yaml", "defaults: [b, _self_]\ns:\n  p: {w: 2}\n")
    (problem,) = problems_of(lambda: load(path))
    assert (problem.mark, problem.path, problem.code) == ((str(path), 3, 6), "s.p", "reference")


def test_every_way_to_give_a_config_follows_references(write: Write) -> None:
    plain = yaml.safe_load(SMALL)
    graphs = [
        str(archdsl.compile_config(config))
        for config in (write("backbone.yaml", SMALL), plain, OmegaConf.create(plain), load(plain).resolved)
    ]
    overridden = yaml.safe_load(SMALL.replace("${scale.max_width}", "1"))
    graphs.append(str(archdsl.compile_config(overridden, ["stages.p4.width=${scale.max_width}"])))
    assert len(set(graphs)) == 1
    assert archdsl.compile_config(plain).levels["P3"].type.channels == 16
    assert archdsl.compile_config(plain).levels["P4"].type.channels == 64


def test_resolve_prints_values_and_no_reference(run: Any, write: Write) -> None:
    path = write("net.yaml", SMALL + r"description: 'costs $5, or \${5}: ${scale.max_width}'" + "\n")
    printed = run("resolve", str(path), "scale.max_width=32").stdout
    values = yaml.safe_load(printed)
    assert values["stages"]["p3"]["width"] == 16
    assert values["stages"]["p4"]["width"] == 32
    assert values["description"] == r"costs $5, or \${5}: 32"
    assert load(write("again.yaml", printed)).values["description"] == "costs $5, or ${5}: 32"


def test_a_wrong_value_is_reported_once_where_it_is_written(write: Write) -> None:
    path = write("net.yaml", SMALL.replace("depth: 1\n", "depth: none\n").replace("${stages.p2.depth}", "1"))
    (problem,) = problems_of(lambda: archdsl.compile_config(path))  # p3 is a reference to p2
    line = 1 + SMALL[: SMALL.index("depth: 1\n")].count("\n")
    assert (problem.path, problem.mark) == ("stages.p2.depth", (str(path), line, 12))


def test_what_a_reference_brings_keeps_its_place(write: Write) -> None:
    child = "defaults: [family/yolo_v8, _self_]\nstages:\n  p4: ${stages.p3}\n  p5: {width: '${stages.p4.width}'}\n"
    config = load(write("a.yaml", child), ["+stages.p6=${stages.p5}"])
    family = (config_root() / "family" / "yolo_v8.yaml").read_text().splitlines()
    line = next(number for number, each in enumerate(family, 1) if each.startswith("  p3:"))
    assert config.place(("stages", "p4", "width")).value[1:] == (line, family[line - 1].index("256") + 1)
    assert config.place(("stages", "p4")).value == Mark(config.file, 3, 7)
    assert config.place(("stages", "p5", "width")).value == Mark(config.file, 4, 15)
    assert config.place(("stages", "p6", "width")).value == Mark(config.file, 4, 15)
    assert config.place(("stages", "p6")).value == Mark("<override 1>", 1, 12)


def nested(depth: int, leaf: Any) -> Any:
    for _ in range(depth):
        leaf = {"x": leaf}
    return leaf


BOMBS: dict[str, tuple[dict[str, Any], str, str]] = {
    "lists": (
        {f"a{n}": [f"${{a{n + 1}}}"] * 10 for n in range(30)} | {"a30": ["x"] * 10},
        "limit",
        "20000 values",
    ),
    "texts": (
        {f"a{n}": f"${{a{n + 1}}}" * 2 for n in range(30)} | {"a30": ""},
        "limit",
        "more than 10000 references",
    ),
    "long texts": ({"a": "x" * 100, "b": "${a}" * 200}, "limit", f"more than {MAX_SCALAR} characters"),
    "many": ({"a": 1, "b": ["${a}"] * 10_001}, "limit", "more than 10000 references"),
    "a chain": (
        {f"a{n}": f"${{a{n + 1}}}" for n in range(MAX_CHAIN + 1)} | {f"a{MAX_CHAIN + 1}": 1},
        "limit",
        f"a chain of more than {MAX_CHAIN}",
    ),
    "a chain of holders": (
        {f"a{n}": f"${{a{n + 1}.x}}" for n in range(MAX_CHAIN + 2)} | {f"a{MAX_CHAIN + 2}": nested(50, 1)},
        "limit",
        f"a chain of more than {MAX_CHAIN}",
    ),
    "depth": (
        {f"a{n}": nested(40, f"${{a{n + 1}}}") for n in range(9)} | {"a9": 1},
        "depth",
        f"deeper than {MAX_DEPTH}",
    ),
    "openings": ({"a": "${" * 5_000}, "reference", "holds another reference"),
    "dots": ({"a": "${" + "." * 9_000 + "a}"}, "reference", "above the top"),
    "keys": ({"a": "${" + "a." * 4_000 + "a}"}, "reference", "back to itself"),
    "missing keys": (
        {f"k{n}": n for n in range(9_000)} | {"b": [f"${{kk{n}}}" for n in range(9_000)]},
        "reference",
        "there is no 'kk0'",
    ),
}


@pytest.mark.parametrize(("config", "code", "message"), BOMBS.values(), ids=list(BOMBS))
def test_references_are_bounded(config: dict[str, Any], code: str, message: str) -> None:
    with at_most(5_000_000):
        problems = problems_of(lambda: load(config))
    assert problems[0].code == code
    assert message in problems[0].message
    assert len(problems[0].message) < 300
