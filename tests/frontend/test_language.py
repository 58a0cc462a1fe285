"""What each key of the language does, shown on graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

import archdsl
from archdsl.frontend.compose.config import load
from archdsl.frontend.compose.order import in_order
from archdsl.ir.graph import Graph
from archdsl.ir.node import Node
from archdsl.ir.ops import Activation, BatchNorm, Conv2D, GroupNorm, MaxPool, Pad, Rescale

Problems = Callable[..., list[archdsl.Problem]]

SMALL = """
stem: {conv: {block: conv_bn_act, width: 8, kernel: 3, stride: 2}}
stage_defaults:
  down: {block: conv_bn_act, kernel: 3, stride: 2}
  body: {block: c2f}
stages:
  p2: {width: 16, depth: 1}
  p3: {width: 32, depth: 2}
"""


def compiled(text: str, *overrides: str) -> Graph:
    return archdsl.compile_config(yaml.safe_load(text), overrides, input_shape=(64, 64, 3))


def convolutions(graph: Graph, prefix: str = "") -> list[Conv2D]:
    return [node.op for node in graph.nodes if isinstance(node.op, Conv2D) and node.name.startswith(prefix)]


def named(graph: Graph, name: str) -> Node:
    return next(node for node in graph.nodes if node.name == name)


def ops_of(graph: Graph, kind: type[Any]) -> list[Any]:
    return [node.op for node in graph.nodes if isinstance(node.op, kind)]


# Stages and slots


def test_slots_run_in_the_order_down_pre_body_post() -> None:
    graph = compiled(SMALL, "+stages.p3.pre={a: {block: identity}}", "+stages.p3.post={b: {block: identity}}")
    origins = list(dict.fromkeys(node.origin.path for node in graph.nodes if "p3" in node.origin.path))
    assert origins == ["stages.p3.down", "stages.p3.pre.a", "stages.p3.body", "stages.p3.post.b"]


def test_a_stage_takes_from_stage_defaults_what_it_does_not_say() -> None:
    graph = compiled(SMALL, "+stages.p3.down={kernel: 5}")
    assert convolutions(graph, "p3_down")[0] == Conv2D(32, 5, 2)
    assert convolutions(graph, "p2_down")[0] == Conv2D(16, 3, 2)


def test_another_block_takes_no_argument_of_the_default_block() -> None:
    graph = compiled(SMALL.replace("{block: c2f}", "{block: c2f, expansion: 0.25}"), "+stages.p3.body={block: csp}")
    assert convolutions(graph, "p2_body_split")[0].filters == 8  # 2 × 16 × 0.25
    assert convolutions(graph, "p3_body_deep")[0].filters == 16  # csp's own 0.5 of 32


def test_null_empties_a_slot_and_removes_a_stage() -> None:
    graph = compiled(SMALL, "+stages.p2.body=null", "stages.p3=null")
    origins = {node.origin.path for node in graph.nodes if node.name.startswith("p")}
    assert origins == {"stages.p2.down"}
    assert set(graph.levels) == {"P2"}


def test_a_new_stage_goes_last_or_after_the_one_it_names() -> None:
    graph = compiled(SMALL, "+stages.p4={width: 64}", "+stages.extra={width: 20, after: p2, down: null}")
    assert list(graph.levels) == ["P2", "extra", "P3", "P4"]


def test_a_body_is_repeated_by_the_compiler_unless_its_block_takes_depth() -> None:
    graph = compiled(SMALL, "+stages.p2.body={block: conv_bn_act}", "stages.p2.depth=3")
    names = [node.name for node in graph.nodes if node.name.startswith("p2_body") and isinstance(node.op, Conv2D)]
    assert names == ["p2_body_1_conv", "p2_body_2_conv", "p2_body_3_conv"]


@pytest.mark.parametrize(("stride_at", "strides"), [("first", [2, 1, 1]), ("last", [1, 1, 2])])
def test_a_stage_without_down_strides_in_the_first_or_last_repeat(stride_at: str, strides: list[int]) -> None:
    stage = f"{{width: 32, depth: 3, stride: 2, stride_at: {stride_at}, down: null, body: {{block: conv_bn_act}}}}"
    graph = compiled(SMALL, f"++stages.p3={stage}")
    assert [op.stride for op in convolutions(graph, "p3_body")] == strides


def test_the_stride_of_a_stage_is_that_of_its_down() -> None:
    graph = compiled(SMALL, "+stages.more={width: 32, stride: 1}")
    assert convolutions(graph, "more_down")[0].stride == 1


def test_dilation_reaches_every_repeat_and_first_says_what_the_first_does_differently() -> None:
    stage = "{width: 32, depth: 3, dilation: 2, down: null, body: {block: conv_bn_act, kernel: 3}}"
    graph = compiled(SMALL, f"+stages.wide={stage}", "+stages.wide.first={dilation: 1, kernel: 1}")
    assert [(op.dilation, op.kernel) for op in convolutions(graph, "wide_body")] == [(1, 1), (2, 3), (2, 3)]


def test_depth_1_is_first_and_last_at_once() -> None:
    graph = archdsl.compile_config("resnet18_v2", [f"stages.p{level}.depth=1" for level in (2, 3, 4, 5)])
    assert [level.type.stride for level in graph.levels.values()] == [4, 8, 16, 32]


def test_tail_follows_the_last_stage_and_belongs_to_no_level() -> None:
    graph = archdsl.compile_config("resnet18_v2")
    assert graph.levels["P5"].name == "p5_body_2_add"
    assert graph.output.name == "tail_act_act"


def test_outputs_are_what_a_detector_takes() -> None:
    assert list(compiled(SMALL).outputs) == ["P2", "P3"]
    assert list(compiled(SMALL, "+outputs=[p3]").outputs) == ["P3"]
    assert list(archdsl.compile_config("yolo_v8_s_backbone", ["~stages.p5"]).outputs) == ["P3", "P4"]


# from


def test_from_names_a_layer_of_the_stage_a_layer_a_stage_or_the_input() -> None:
    side = "{side: {block: conv_bn_act, width: 32, from: p3_down}, sum: {block: add, from: [p3_body, side]}}"
    graph = compiled(SMALL, f"+stages.p3.post={side}")
    assert [source.name for source in named(graph, "p3_sum_add").inputs] == ["p3_body_fuse_act", "p3_side_act"]
    assert named(graph, "p3_side_conv").inputs[0].name == "p3_down_act"
    graph = compiled(
        SMALL, "+stages.extra={down: null, body: {block: conv, width: 4, kernel: 3, stride: 2, from: input}}"
    )
    assert named(graph, "extra_body_conv").inputs[0] is graph.input
    graph = compiled(SMALL, "+stages.extra={down: null, body: {block: conv, width: 4, from: p2}}")
    assert named(graph, "extra_body_conv").inputs[0] is graph.levels["P2"]


def test_an_argument_set_to_null_is_as_if_nobody_had_said_it() -> None:
    """So that a child can put another block where the parent's had arguments of its own."""
    family = {"defaults": ["family/csp_darknet", "_self_"]}  # its p5 says `body: {residual: false}`
    said, unsaid = {"block": "conv_bn_act", "residual": None}, {"kernel": None, "activation": None, "width": None}
    graphs = [archdsl.compile_config({**family, "stages": {"p5": {"body": body}}}) for body in (said, said | unsaid)]
    assert str(graphs[0]) == str(graphs[1])
    assert graphs[0].levels["P5"].channels == 1024


def test_from_input_is_what_the_stem_gets_rescaled_pixels() -> None:
    extra = "+stages.extra={down: null, body: {block: conv, width: 4, from: input}}"
    graph = compiled(SMALL, "+input={rescale: true}", extra)
    assert [source.name for source in named(graph, "extra_body_conv").inputs] == ["rescale"]


def test_two_maps_of_different_stride_are_refused_even_at_unknown_size(problems_of: Problems) -> None:
    config = yaml.safe_load(SMALL)
    config["stages"]["p3"]["post"] = {"sum": {"block": "concat", "from": ["p2", "p3_body"]}}
    (problem,) = problems_of(config)
    assert problem.code == "shape"
    assert "p2 (?x?x16) and p3_body (?x?x32)" in problem.message
    assert "their strides are 4 and 8" in problem.message


# Scale and conventions


@pytest.mark.parametrize(
    ("scale", "width"),
    [
        ("{width: 0.25}", 8),
        ("{width: 0.75, max_width: 20}", 15),  # min(32, 20) × 0.75
        ("{width: 0.3}", 10),  # 9.6
        ("{width: 0.3, divisor: 8}", 8),
        ("{width: 0.6, divisor: 8}", 16),  # 19.2 is nearer to 16
        ("{width: 0.01}", 1),
        ("{width: 0.01, divisor: 8}", 8),
    ],
)
def test_widths_are_capped_scaled_and_rounded(scale: str, width: int) -> None:
    assert compiled(f"scale: {scale}\n{SMALL}").levels["P3"].channels == width


@pytest.mark.parametrize(("factor", "depth"), [(0.33, 1), (1.0, 2), (1.3, 3), (2.0, 4)])
def test_depths_are_scaled_and_rounded(factor: float, depth: int) -> None:
    graph = compiled(f"scale: {{depth: {factor}}}\n{SMALL}")
    assert sum(node.name.endswith("_add") for node in graph.nodes if node.name.startswith("p3")) == depth


def test_what_says_no_depth_is_not_repeated_by_scale() -> None:
    assert len(compiled(f"scale: {{depth: 4}}\n{SMALL}").nodes) > len(compiled(SMALL).nodes)
    assert len(convolutions(compiled(f"scale: {{depth: 4}}\n{SMALL}"), "stem")) == 1


def test_conventions_hold_for_every_block() -> None:
    conventions = "{activation: relu6, padding: symmetric, norm: {momentum: 0.9, epsilon: 1.0e-5}}"
    graph = compiled(f"conventions: {conventions}\n{SMALL}")
    assert set(ops_of(graph, Activation)) == {Activation("relu6")}
    assert set(ops_of(graph, BatchNorm)) == {BatchNorm(0.9, 1e-5)}
    windows = [op for op in ops_of(graph, Conv2D) if op.kernel > 1]
    assert {(op.stride, op.padding) for op in windows} == {(1, "same"), (2, "valid")}
    assert ops_of(graph, Pad) == [Pad(1)] * len([op for op in windows if op.stride == 2])


def test_without_norm_convolutions_have_a_bias() -> None:
    graph = compiled(f"conventions: {{norm: {{kind: none}}}}\n{SMALL}")
    assert not ops_of(graph, BatchNorm)
    assert all(op.bias for op in ops_of(graph, Conv2D))


def test_rescale_divides_by_255() -> None:
    assert ops_of(compiled(SMALL, "+input={rescale: true}"), Rescale) == [Rescale(1 / 255)]
    assert not ops_of(compiled(SMALL), Rescale)


def test_an_argument_of_a_layer_beats_the_conventions() -> None:
    graph = compiled(SMALL, "+stem.conv.activation=relu")
    assert named(graph, "stem_conv_act").op == Activation("relu")


# Resolved configs


@pytest.mark.parametrize("name", ["yolo_v8_s_backbone", "csp_darknet_tiny", "resnet50_v2"])
@pytest.mark.parametrize("sort_keys", [True, False])
def test_a_resolved_config_is_one_file_that_gives_the_same_graph(name: str, sort_keys: bool) -> None:
    resolved = load(name, ["scale.width=0.375"] if "resnet" not in name else []).resolved
    assert "defaults" not in resolved
    again = archdsl.compile_config(yaml.safe_load(yaml.dump(resolved, sort_keys=sort_keys)))
    assert str(again) == str(archdsl.compile_config(resolved))


def test_a_resolved_config_builds_again_without_the_stages_that_overrides_deleted() -> None:
    deleted = ["~stages.p4", "~stages.p5"]
    resolved = load("yolo_v8_s_backbone", deleted).resolved
    assert str(archdsl.compile_config(resolved)) == str(archdsl.compile_config("yolo_v8_s_backbone", deleted))


def test_a_dict_config_is_a_config() -> None:
    from omegaconf import OmegaConf

    values = {**yaml.safe_load(SMALL), "outputs": ["p3"]}
    assert str(archdsl.compile_config(OmegaConf.create(values))) == str(archdsl.compile_config(values))


def test_the_callers_dict_is_left_as_it_was() -> None:
    config = yaml.safe_load(SMALL)
    archdsl.analyze(config, ["stages.p3.depth=5", "+stages.p3.pre={a: {block: identity}}"])
    assert config == yaml.safe_load(SMALL)


def test_stages_named_p_n_have_stride_2_to_the_n(problems_of: Problems) -> None:
    (problem,) = problems_of(yaml.safe_load(SMALL), "+stages.p5={width: 64}")
    assert (problem.code, problem.path) == ("stride", "stages.p5")
    assert "its total stride is 16" in problem.message


def test_max_pool_of_one_pixel_is_the_shortcut_of_a_strided_block() -> None:
    pools = ops_of(archdsl.compile_config("resnet50_v2"), MaxPool)
    assert pools == [MaxPool(3, 2), *[MaxPool(1, 2, "valid")] * 3]


def test_leaky_relu_has_the_slope_of_the_conventions() -> None:
    graph = compiled(f"conventions: {{activation: leaky_relu, slope: 0.2}}\n{SMALL}")
    assert set(ops_of(graph, Activation)) == {Activation("leaky_relu", 0.2)}
    graph = compiled(f"conventions: {{slope: 0.3}}\n{SMALL}", "+stem.conv.activation=leaky_relu")
    assert named(graph, "stem_conv_act").op == Activation("leaky_relu", 0.3)


@pytest.mark.parametrize(
    ("norm", "op"),
    [
        ("{kind: sync_batch}", BatchNorm(synchronized=True)),
        ("{kind: group, groups: 4, epsilon: 1.0e-5}", GroupNorm(4, 1e-5)),
    ],
)
def test_other_norms_take_the_place_of_batch_norm(norm: str, op: BatchNorm | GroupNorm) -> None:
    graph = compiled(f"conventions: {{norm: {norm}}}\n{SMALL}")
    assert set(ops_of(graph, type(op))) == {op}


def test_groups_must_divide_the_channels(problems_of: Problems) -> None:
    (problem,) = problems_of(yaml.safe_load(SMALL), "+conventions={norm: {kind: group, groups: 3}}")
    assert "8 channels do not divide into 3 groups" in problem.message


@pytest.mark.parametrize(
    ("overrides", "code"),
    [
        (["++scale.depth=64", "stages.p3.depth=1000"], "range"),
        (["++scale.width=60", "stages.p3.width=60000"], "range"),
        ([f"stages.p{level}.depth=1000" for level in (2, 3, 4, 5)], "budget"),
        ([f"stages.p{level}.width=30000" for level in (2, 3, 4, 5)], "budget"),
    ],
)
def test_a_network_that_could_not_be_built_is_refused(overrides: list[str], code: str, problems_of: Problems) -> None:
    (problem,) = problems_of("resnet50_v2", *overrides)
    assert problem.code == code


def test_a_layer_that_nothing_reads_is_refused(problems_of: Problems) -> None:
    config = yaml.safe_load(SMALL)
    config["stages"]["p3"]["post"] = {"lost": {"block": "conv"}, "kept": {"block": "conv", "from": "p3_body"}}
    (problem,) = problems_of(config)
    assert (problem.code, problem.path) == ("unused", "stages.p3.post.lost")


def test_a_repeated_layer_strides_once() -> None:
    stem = "{conv: {block: conv_bn_act, width: 8, kernel: 3, stride: 2, depth: 3}}"
    assert [op.stride for op in convolutions(compiled(SMALL, f"++stem={stem}"), "stem")] == [2, 1, 1]
    graph = compiled(SMALL, "+stages.p4={width: 8, stride: 2, down: {depth: 2}}")
    assert [op.stride for op in convolutions(graph, "p4_down")] == [2, 1]
    twice = compiled(SMALL, "+stages.p3.down={block: mp_down, depth: 2, kernel: null}")
    assert twice.levels["P3"].type.stride == 8


def test_an_argument_that_a_parent_gave_to_another_block_is_told_with_its_way_out(problems_of: Problems) -> None:
    (problem,) = problems_of("csp_darknet_tiny", "+stages.p5.body.block=conv_bn_act")
    assert (problem.code, problem.path) == ("unknown-key", "stages.p5.body.residual")
    assert "residual: null" in problem.hint
    assert problem.notes[0].mark.file == "<override 1>"
    archdsl.compile_config("csp_darknet_tiny", ["++stages.p5.body={block: conv_bn_act, residual: null}"])


def test_a_misspelt_argument_of_an_inherited_block_has_the_nearest_one(problems_of: Problems) -> None:
    config = {"defaults": ["csp_darknet_tiny", "_self_"], "stages": {"p4": {"body": {"expnsion": 0.25}}}}
    for (problem,) in (problems_of(config), problems_of("csp_darknet_tiny", "+stages.p4.body.expnsion=0.25")):
        assert problem.hint == "did you mean 'expansion'?"
        assert not problem.notes


@pytest.mark.parametrize("name", ["input", "stem", "tail", "p00", "p03"])
def test_some_names_are_not_for_stages(name: str, problems_of: Problems) -> None:
    config = {"stages": {name: {"width": 8, "body": {"block": "conv"}}}}
    assert problems_of(config)[0].code == "key"


def test_merging_has_no_depth(problems_of: Problems) -> None:
    config = yaml.safe_load(SMALL)
    config["stages"]["p3"]["post"] = {"sum": {"block": "add", "from": ["p3_down", "p3_body"], "depth": 2}}
    assert problems_of(config)[0].path == "stages.p3.post.sum.depth"


def test_a_long_chain_of_places_is_put_in_order() -> None:
    names = [f"s{number}" for number in range(5_000)]
    order, misplaced = in_order(dict(zip(names, [*names[1:], None], strict=True)))
    assert (order, misplaced) == (names[::-1], [])


@pytest.mark.parametrize("stated", [None, 5, 1.5, "x", [], [8, 8, 3], False])
def test_an_input_that_is_no_mapping_is_refused_at_any_image_size(stated: object) -> None:
    for shape in (None, (64, 64, 3)):
        with pytest.raises(archdsl.ArchError) as caught:
            archdsl.compile_config({**yaml.safe_load(SMALL), "input": stated}, (), shape)
        assert [(problem.code, problem.path) for problem in caught.value.problems] == [("type", "input")]
    assert load({**yaml.safe_load(SMALL), "input": stated}).with_size(64, 64).values["input"] == stated
