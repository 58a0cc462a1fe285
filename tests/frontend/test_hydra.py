"""What the loader composes is what Hydra composes from the same files and overrides, key order included.

Where the loader is stricter than Hydra, the test says what Hydra does instead.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from support import samples

import archdsl
from archdsl.frontend.compose.config import load
from archdsl.frontend.compose.search_path import config_root

pytestmark = pytest.mark.usefixtures("bare_hydra")

PRESET = "yolo_v8_s_backbone"
GLOBAL = "# @package _global_\n"

ACCEPTED = [
    "scale.width=0.75",
    "scale.width=1e-3",
    "scale.width=1E+5",
    "scale.width=.5",
    "scale.width=5.",
    "scale.width=-1",
    "scale.width=1_000",
    "scale.width=010",
    "scale.width=0x10",
    "scale.width=inf",
    "scale.width='1'",
    "scale.width=int(3.0)",
    "scale.max_width=null",
    "scale={width: 1, depth: 2, max_width: null}",
    "scale={depth: 2}",
    "input.rescale=false",
    "input.rescale=TRUE",
    "input.rescale=no",
    "input.shape=[640,640,3]",
    "input.shape.0=640",
    "input={shape:[64,64,1]}",
    "description=",
    "description=null",
    "description=two words",
    "description='a, b'",
    'description="x: \\"y\\""',
    "description=''",
    "description=a\\,b",
    "description=a:b",
    "outputs=[p4,p5]",
    "outputs=[]",
    "outputs=['p3',\"p4\"]",
    "outputs=[p3,[1,2],{a:1}]",
    "outputs.0=p2",
    "outputs=5",
    "+outputs=[p3]",
    "++outputs=[p3]",
    "++outputs.0=p2",
    "+outputs.0.x=1",
    "~outputs",
    "~outputs=[p3,p4,p5]",
    "conventions.norm.epsilon=1e-5",
    "conventions={norm:{epsilon:1e-5}}",
    "stages.p4.depth=9",
    "stages.p4.depth=9 ",
    "stages.p4={depth:2}",
    "stages.p4={}",
    "stages.p4=null",
    "stages.p4=5",
    "stages=null",
    "stages={p2:{width:1}}",
    "stages.p5.post=null",
    "stages.p5.post.sppf.kernel=7",
    "stages.p5.post={sppf:{kernel:7}}",
    "+stages.p5.post={spp:{block:spp}}",
    "+stages.p4={dilation:2}",
    "+stages.p4={}",
    "+stages.p4.post={}",
    "+stages.p4.post=null",
    "+stages.p4.post.spp.block=spp",
    "+stages.p6={width:1024,depth:3}",
    "+stages.p6.width=1024",
    "+stages.1=2",
    "++stages.p6={width:1024,depth:3,pre:{spp:{block:spp,kernels:[3,5]}}}",
    "++stages.p4={depth:2,dilation:2}",
    "++stages.p4.depth=2",
    "++stages.p4=null",
    "+scale.width.x=1",
    "++scale.width.x=1",
    "~stages.p5",
    "~stages.p5=null",
    "~stages.p5.depth",
    "~stages.p5.depth=3",
    "~scale={max_width:1024,width:0.5,depth:0.33}",
    "~input.rescale=1",
    "~scale",
    "+name=x",
    "+extra.deep.key=1",
    "+a={b:{c:[1,{d:2}]}}",
    "+a-b.c-d=2",
    "+$a=1",
    "+x={a b: ' c '}",
    "+x=None",
    "+x=1.5_0",
]
ACCEPTED_TOGETHER = [
    ("~stages.p3", "+stages.p3={width:1,depth:1}"),
    ("+stages.p6={width:1,depth:1}", "~stages.p2", "stages.p6.depth=2"),
    ("stages.p4=null", "stages.p4={depth:2}"),
    ("stages.p4=null", "+stages.p4={depth:2}"),
    ("stages.p4=null", "+stages.p4.depth=3"),
    ("scale.max_width=null", "+scale.max_width=5"),
    ("scale=null", "++scale.width=1"),
    ("scale.width=2", "scale.width=3"),
    ("stages.p5.post.sppf=null", "+stages.p5.post={sppf:{block:spp}}"),
    ("+x={a:{b:1}}", "+x={a:null}"),
    ("+x={a:{b:1}}", "x={a:5}"),
    ("+x={a:{b:1}}", "x={a:{b:2}}", "~x.a.b=2"),
    ("+x={a:null}", "x={a:{b:1}}"),
    ("+x={a:5}", "+x.a={b:1}"),
    ("+x=[1,2]", "x=null", "+x={a:1}"),
    ("+x=[1,[2,{y:3}]]", "x.1.1.y=null"),
    ("+x=[{b:1},{c:2}]", "x.0.b=3", "+x.1.d=4", "+x.0={e:5}", "~x.0.b"),
]
REFUSED = [
    "stages.p6={width:3}",
    "stages.p6.width=3",
    "stages.p4={dilation:2}",
    "stages.p4=[1]",
    "stages={p4:[1]}",
    "stages.p5.post={spp:{block:spp}}",
    "+stages.p4=[1]",
    "+stages.p4=null",
    "+stages.p4=5",
    "+stages.p4.depth=2",
    "+stages.p4.depth=6",
    "++stages.p4=[1]",
    "+description=x",
    "extra=1",
    "extra.deep=1",
    "scale.width.x=1",
    "input.shape.0.x=1",
    "outputs.7=p2",
    "outputs.-1=p2",
    "outputs.x=1",
    "outputs[0]=p2",
    "outputs={a:1}",
    "outputs=(p3,p4)",
    "+outputs={a:1}",
    "+outputs.0=p2",
    "+outputs.3=p2",
    "++outputs.3=p2",
    "+outputs.9.x=1",
    "~outputs.0",
    "~outputs=[p3,p4]",
    "~outputs=p3",
    "~stages.p6",
    "~stages.p5.depth=4",
    "~scale={width:0.5}",
    "~nothing",
    "defaults=[x]",
    "~defaults",
    "+a={null:2}",
    "+=3",
    "++=3",
    "=3",
    "~",
    "",
    "  ",
    "stages.p4.depth",
    "stages.p4.depth = 3",
    "stages.p4.depth==3",
    "stages..p4=3",
    "description=a=b",
    "description=été",
    "description=#a",
    "description='a",
    "description={a:b",
    "description=[a",
    # A sweep asks for --multirun in Hydra.
    "scale.width=1,2",
    "scale.width=choice(1,2)",
    "outputs=range(1,4)",
    # Groups that there are not.
    "family=yolo_v8",
    "family/yolo_v8=x",
    "family@foo=x",
]
REFUSED_TOGETHER = [
    ("stages.p4=null", "stages.p4.depth=3"),
    ("stages.p4=null", "~stages.p4"),
    ("scale.max_width=null", "~scale.max_width"),
    ("~stages.p3", "stages.p3.depth=3"),
    ("stages.p5.post=null", "stages.p5.post.sppf.kernel=7"),
    ("+x={a:{}}", "x.a={b:1}"),
    ("+x={a:{b:1}}", "+x={a:[1]}"),
    ("+x={a:[1]}", "+x={a:{b:1}}"),
    ("+x=[{b:1}]", "x.0={c:2}"),
    ("+x=[1,2]", "+x=null"),
    ("+x=[1]", "+x.y=1"),
]
FOLDERS = {
    "three levels": {
        "a": "defaults: [b, _self_]\nx: {p: 1, r: [1]}\n",
        "b": "defaults: [c, _self_]\nx: {q: 2, p: 2}\n",
        "c": "x: {r: [3, 3], q: 3}\ny: null\n",
    },
    "two parents": {
        "a": "defaults: [b, c, _self_]\nk: 1\n",
        "b": "x: {a: 1, b: 2}\nz: 1\n",
        "c": "x: {b: 3}\nk: 0\n",
    },
    "_self_ first": {"a": "defaults: [_self_, b]\nx: 1\ny: {p: 1}\n", "b": "y: {q: 2}\nx: 2\n"},
    "_self_ in the middle": {"a": "defaults: [b, _self_, c]\nx: 1\nz: 1\n", "b": "x: 2\ny: 2\n", "c": "z: 3\nk: 3\n"},
    "_self_ alone": {"a": "defaults: [_self_]\nx: 1\n"},
    "a parent that says it is global": {"a": "defaults: [b, _self_]\nx: 1\n", "b": GLOBAL + "y: 2\n"},
    "a parent by its full name": {"a": "defaults: [/b, _self_]\nx: 1\n", "b": "y: 2\n"},
    "a parent in a sub-folder": {"a": "defaults: [sub/b, _self_]\nx: 1\n", "sub/b": GLOBAL + "x: 2\ny: 2\n"},
    "parents relative to a sub-folder": {
        "a": "defaults: [sub/b, _self_]\nx: 1\n",
        "sub/b": GLOBAL + "defaults: [c, deep/d, /e, _self_]\nx: 2\ny: 2\n",
        "sub/c": GLOBAL + "y: 3\nz: 3\n",
        "sub/deep/d": GLOBAL + "defaults: [f, _self_]\nd: 4\n",
        "sub/deep/f": GLOBAL + "f: 6\nd: 6\n",
        "e": "e: 5\n",
    },
    "a shipped family": {"a": "defaults: [family/resnet_v2_bottleneck, _self_]\nscale: {width: 0.5}\n"},
    "a shipped preset": {"a": f"defaults: [{PRESET}, _self_]\nstages: {{p4: {{depth: 9}}, p3: null}}\n"},
    "a family of one's own in place of a shipped one": {
        "a": "defaults: [family/resnet_v2_bottleneck, _self_]\n",
        "family/resnet_v2": GLOBAL + "x: 1\n",
    },
    "every kind over every other": {
        "a": "defaults: [b, _self_]\nm: {a: 1}\nn: {a: 1}\no: null\np: [1]\nq: [{b: 1}]\nr: {}\ns: 1\nt: 1\n",
        "b": "m: 1\nn: null\no: {a: 1}\np: 1\nq: [{a: 1}, 2]\nr: {a: 1}\ns: [1]\nt: ???\n",
    },
}


def by_hydra(
    name: str, overrides: Sequence[str] = (), root: Path | None = None, *, resolve: bool = False
) -> dict[str, Any]:
    """What Hydra composes from the files in `root`, or the shipped ones."""
    with initialize_config_dir(str(root or config_root()), version_base="1.3"):
        composed = OmegaConf.to_container(compose(name, overrides=list(overrides)), resolve=resolve)
    assert isinstance(composed, dict)
    return composed


def text(values: dict[str, Any]) -> str:
    """The values with their order, 1 and 1.0 and true told apart."""
    return json.dumps(values)


def folder(root: Path, files: dict[str, str]) -> Path:
    """Writes `files`; returns the one called a."""
    for name, content in files.items():
        path = root / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root / "a.yaml"


def refusal(call: Callable[[], object]) -> archdsl.Problem:
    with pytest.raises(archdsl.ArchError) as caught:
        call()
    return caught.value.problems[0]


@pytest.mark.parametrize("name", samples.presets())
def test_every_preset_composes_as_hydra_does(name: str) -> None:
    assert text(load(name).values) == text(by_hydra(name, resolve=True))


@pytest.mark.parametrize("name", sorted(f"family/{path.stem}" for path in (config_root() / "family").glob("*.yaml")))
def test_families_compose_as_hydra_does(name: str) -> None:
    assert text(load(name).values) == text(by_hydra(name))


@pytest.mark.parametrize("overrides", [*[(one,) for one in ACCEPTED], *ACCEPTED_TOGETHER], ids=" ".join)
def test_overrides_change_what_they_change_in_hydra(overrides: tuple[str, ...]) -> None:
    assert text(load(PRESET, overrides).values) == text(by_hydra(PRESET, overrides))


@pytest.mark.parametrize("overrides", [*[(one,) for one in REFUSED], *REFUSED_TOGETHER], ids=" ".join)
def test_overrides_that_hydra_refuses_are_refused(overrides: tuple[str, ...]) -> None:
    with pytest.raises(Exception):  # noqa: B017  (Hydra's errors have no common base)
        by_hydra(PRESET, overrides)
    problem = refusal(lambda: load(PRESET, overrides))
    assert problem.file == f"<override {len(overrides)}>"


@pytest.mark.parametrize("name", ["csp_darknet_xl", "resnet152_v2", "yolo_v8_l_backbone_coco"])
@pytest.mark.parametrize(
    "overrides",
    [
        ("+stages.p3.dilation=2", "stages.p5=null", "+tail.extra={block:norm}"),
        ("~stages.p2", "+stages.p2={width:64,depth:1,after:p5}", "outputs=[p5,p2]"),
        ("+scale.width=0.5",),
        ("expect={params:1}", "conventions.norm={momentum:0.9,epsilon:1e-5}"),
    ],
    ids=" ".join,
)
def test_overrides_agree_on_other_presets(name: str, overrides: tuple[str, ...]) -> None:
    try:
        expected = text(by_hydra(name, overrides))
    except Exception:
        refusal(lambda: load(name, overrides))
    else:
        assert text(load(name, overrides).values) == expected


@pytest.mark.parametrize("files", FOLDERS.values(), ids=list(FOLDERS))
def test_folders_compose_as_hydra_does(files: dict[str, str], tmp_path: Path) -> None:
    ours = load(folder(tmp_path, files)).values
    assert text(ours) == text(by_hydra("a", [f"hydra.searchpath=[file://{config_root()}]"], tmp_path))


STRICTER_FILES = {
    # Hydra puts the file before its parents, so that they undo what it says.
    "no _self_": ({"a": "defaults: [b]\nx: 1\n", "b": "x: 2\n"}, "defaults", "write defaults: [b, _self_]"),
    "an empty list": ({"a": "defaults: []\nx: 1\n"}, "defaults", "write defaults: [_self_]"),
    # Hydra puts the values under the key `sub`, `_group_` or `foo`.
    "no package": ({"a": "defaults: [sub/b, _self_]\n", "sub/b": "x: 1\n"}, "package", "# @package _global_"),
    "_group_": ({"a": "defaults: [b, _self_]\n", "b": "# @package _group_\nx: 1\n"}, "package", "_global_"),
    "a package": ({"a": "# @package foo\nx: 1\n"}, "package", "_global_"),
    # Hydra reads the first header only if no other comment stands before it, and so do we; then it is as above.
    "a late header": ({"a": "defaults: [s/b, _self_]\n", "s/b": f"# By me\n{GLOBAL}x: 1\n"}, "package", "first line"),
    # Hydra composes the file once, in the first of its places.
    "twice": ({"a": "defaults: [b, b, _self_]\n", "b": "x: 1\n"}, "duplicate-parent", "one Defaults List"),
    # Hydra accepts a group with its option; one way to name a parent is enough.
    "a group": ({"a": "defaults: [{sub: b}, _self_]\n", "sub/b": GLOBAL}, "type", "write sub/b for {sub: b}"),
    "a suffix": ({"a": "defaults: [b.yaml, _self_]\n", "b": "x: 1\n"}, "parent", "write b"),
    # Hydra puts the parent under the key `foo`.
    "a parent under a key": ({"a": "defaults: [b@foo, _self_]\n", "b": "x: 1\n"}, "parent", "write b"),
    # Hydra reads files outside of the folder where the path leads to one.
    "a folder above": ({"a": "defaults: [../outside/b, _self_]\n"}, "parent", "beside the config"),
    # Hydra fails with a RecursionError.
    "a ring": ({"a": "defaults: [b, _self_]\n", "b": "defaults: [a, _self_]\n"}, "cycle", ""),
    # Hydra calls it when the value is read.
    "a resolver": ({"a": "x: ${oc.env:HOME}\n"}, "reference", "the value itself"),
    # Hydra puts what the reference stands for so far in its place.
    "a mapping over a reference": (
        {"a": "defaults: [b, _self_]\nx: {p: 1}\n", "b": "x: ${y}\ny: {p: 2}\n"},
        "reference",
        "write all of it",
    ),
    # Hydra keeps the parent's value, or fails when the value is read.
    "a value to be filled": ({"a": "defaults: [b, _self_]\nx: ???\n", "b": "x: 1\n"}, "missing-value", "itself"),
    # OmegaConf refuses most tags, and reads !!str, !!int and the like.
    "a tag": ({"a": "x: !!str 1\n"}, "tag", ""),
    # Hydra takes an empty file for an empty config.
    "an empty parent": ({"a": "defaults: [b, _self_]\nx: 1\n", "b": ""}, "empty", ""),
}


@pytest.mark.parametrize(("files", "code", "hint"), STRICTER_FILES.values(), ids=list(STRICTER_FILES))
def test_files_are_read_more_strictly(files: dict[str, str], code: str, hint: str, tmp_path: Path) -> None:
    problem = refusal(lambda: load(folder(tmp_path, files)))
    assert (problem.code, hint in problem.hint) == (code, True)


WAYS_OUT = {
    "a folder above": ("../secret", "parent"),
    "a folder above a sub-folder": ("sub/../../secret", "parent"),
    "an absolute path": ("{root}/secret", "unknown-parent"),
    "a link to a file": ("link", "parent"),
    "a link to a link": ("second_link", "parent"),
    "a link to a folder": ("folder/secret", "parent"),
    "a link in the middle": ("sub/up/secret", "parent"),
}


@pytest.mark.parametrize(("name", "code"), WAYS_OUT.values(), ids=list(WAYS_OUT))
def test_a_parent_outside_of_the_folder_is_refused_unread(name: str, code: str, tmp_path: Path) -> None:
    # Hydra reads all of them but the absolute path.
    (tmp_path / "secret.yaml").write_text("x: [")  # reading it would be another error
    path = folder(tmp_path / "own", {"a": f"defaults: [{name.format(root=tmp_path)}, _self_]\n", "sub/b": "x: 1\n"})
    (path.parent / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    (path.parent / "second_link.yaml").symlink_to("link.yaml")
    (path.parent / "folder").symlink_to(tmp_path)
    (path.parent / "sub" / "up").symlink_to("../..")
    problem = refusal(lambda: load(path))
    assert (problem.code, problem.mark, problem.path) == (code, (str(path), 1, 12), "defaults.0")


def test_a_link_to_inside_of_the_folder_is_followed(tmp_path: Path) -> None:
    path = folder(tmp_path / "own", {"a": "defaults: [link, _self_]\n", "b": "x: 1\n"})
    (path.parent / "link.yaml").symlink_to("b.yaml")
    (tmp_path / "other").symlink_to(path.parent)
    assert load(path).values == load(tmp_path / "other" / "a.yaml").values == {"x": 1}


STRICTER_OVERRIDES = {
    # Hydra takes 3, the last of two keys, and any order.
    "scale.width=int(3.7)": "override",
    "scale={width:1,width:2}": "duplicate-key",
    "outputs=shuffle([p3,p4])": "override",
    # Hydra calls the resolver when the value is read.
    "description='${oc.env:HOME}'": "reference",
    # Hydra keeps the value that is there.
    "scale={width:???}": "missing-value",
    # Hydra takes any plain value for a key.
    "+a={1:2}": "key",
    "+a={b:{true:2}}": "key",
    # Hydra merges this into the top level.
    "+={a:1}": "override",
    # Hydra puts the group's values under the key `foo`.
    "+family@foo=yolo_v8": "override",
    # Hydra sets its own options, which it leaves out of what it composes.
    "hydra.job.name=x": "override",
}


@pytest.mark.parametrize(("override", "code"), STRICTER_OVERRIDES.items())
def test_overrides_are_read_more_strictly(override: str, code: str) -> None:
    problem = refusal(lambda: load(PRESET, [override]))
    assert (problem.file, problem.code, bool(problem.hint)) == ("<override 1>", code, True)


NETWORK_OVERRIDES = [
    ("mobilenet_v2_classify", ("head.classes.units=10", "+head.classes.bias=false", "head.pool.block=global_max_pool")),
    ("mobilenet_v2_classify", ("+head.boxes={block: conv, filters: 4, each: [p3, p4], share: true}",)),
    ("mobilenet_v2_classify", ("+head.aux={block: dense, units: 10, from: [pool]}", "~head.classes.activation")),
    ("mobilenet_v2_classify", ("~head.pool", "head.classes=null", "~head")),
    ("mobilenet_v2_classify", ("~outputs", "+outputs={small: p3, classes: classes}")),
    (
        "mobilenet_v2_classify",
        ("~outputs", "+outputs.small=p3", "+outputs.large=p5", "outputs.small=p4", "~outputs.large"),
    ),
    ("mobilenet_v2_classify", ("outputs={small: p3}",)),  # a mapping does not change a list
    ("mobilenet_v2_backbone", ("+head=classifier_dropout", "head.dropout.rate=0.5", "+head.dropout.after=pool")),
    ("mobilenet_v2_backbone", ("scale.least=0", "+scale.depth_rounding=up", "scale.width=0.35")),
    (
        "mobilenet_v2_backbone",
        ("tail.conv.filters=1792", "+tail.conv.kernel=[1,3]", "+tail.conv.padding=[[0,1],[1,0]]"),
    ),
    ("mobilenet_v2_backbone", ("blocks.inverted_residual.layers.expand.width={of: input, times: 2}",)),
    ("mobilenet_v2_backbone", ("+blocks.inverted_residual.layers.expand.width.divisor=8",)),
    ("mobilenet_v2_backbone", ("blocks.inverted_residual.layers.expand.width.times=$ratio",)),
    ("mobilenet_v2_backbone", ("blocks.inverted_residual.layers.add.when=[fits,$expand]",)),
    (
        "mobilenet_v2_backbone",
        ("+blocks.inverted_residual.results=[project]", "+blocks.inverted_residual.inputs=[input]"),
    ),
    ("mobilenet_v2_backbone", ("+blocks.x={inputs: [a, b], results: [s], layers: {s: {block: add, from: [a, b]}}}",)),
    (
        "vit_tiny_patch16_classify",
        ("stages.p4.pre.class=null", "head.token.block=token_mean", "conventions.norm.kind=batch"),
    ),
    (
        "vit_tiny_patch16_classify",
        ("stages.p4.body.heads=4", "+stages.p4.body.drop=0.1", "+conventions.norm.center=false"),
    ),
]


@pytest.mark.parametrize(
    ("name", "overrides"), NETWORK_OVERRIDES, ids=[" ".join(words) for _, words in NETWORK_OVERRIDES]
)
def test_overrides_of_heads_levels_and_blocks_agree(name: str, overrides: tuple[str, ...]) -> None:
    test_overrides_agree_on_other_presets(name, overrides)


def test_a_file_may_name_the_outputs_that_its_parent_lists(tmp_path: Path) -> None:
    path = folder(
        tmp_path, {"a": "defaults: [b, _self_]\noutputs: {small: p3, large: p5}\n", "b": "outputs: [p3, p4]\n"}
    )
    with pytest.raises(Exception, match="merge"):  # Hydra composes no mapping over a list
        by_hydra("a", root=path.parent)
    assert load(path).values["outputs"] == {"small": "p3", "large": "p5"}


@pytest.mark.parametrize("override", ["+family=yolo_v8", "+hydra.verbose=true"])
def test_what_is_a_group_to_hydra_is_an_unknown_key(override: str) -> None:
    # Hydra would merge the family in once more, or set its own option.
    problem = refusal(lambda: archdsl.analyze(PRESET, [override]))
    assert (problem.file, problem.code) == ("<override 1>", "unknown-key")


@pytest.mark.parametrize(("child", "parent"), [("{a: 1}", "[p3]"), ("[p3]", "{p3: {width: 8}}")])
def test_a_list_and_a_mapping_do_not_merge(child: str, parent: str, tmp_path: Path) -> None:
    # Hydra refuses to compose them; ours says what the key expects.
    key = "freeze" if parent.startswith("[") else "stages"
    files = {"a": f"defaults: [b, _self_]\n{key}: {child}\n", "b": f"{key}: {parent}\n"}
    path = folder(tmp_path, files)
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.analyze(path)
    assert (str(path), 2, len(key) + 3) in [problem.mark for problem in caught.value.problems]
