"""Whole networks: sections neck and head, layers that run once a level, shared weights, outputs of any name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from support import keras

import archdsl
from archdsl.ir.graph import Graph
from archdsl.ir.ops import Conv2D

Problems = Callable[..., list[archdsl.Problem]]

# Two stages of 16 and 24 channels at strides 2 and 4, and what comes after them.
BACKBONE = """
conventions: {activation: relu, norm: {kind: none}}
stages:
  p1: {width: 16, stride: 2, body: {block: conv, kernel: 3}}
  p2: {width: 24, stride: 2, body: {block: conv, kernel: 3}}
"""
HEADS = (
    BACKBONE
    + """
neck:
  up: {block: upsample, from: p2}
  n1: {block: concat, from: [up, p1]}
head:
  lateral: {block: conv, each: [n1, p2], filters: 8}
  tower: {block: conv, each: lateral, filters: 8, kernel: 3, depth: 2, share: true}
  class: {block: conv, each: tower, filters: 5}
"""
)


def compiled(text: str, *overrides: str, side: int | None = 32) -> Graph:
    return archdsl.compile_config(yaml.safe_load(text), overrides, input_shape=(side, side, 3))


def named(graph: Graph, name: str) -> Any:
    return next(node for node in graph.nodes if node.name == name)


def read_by(graph: Graph, name: str) -> list[str]:
    return [source.name for source in named(graph, name).inputs]


# Sections


def test_a_neck_reads_stages_and_its_own_layers_and_a_head_those_of_the_neck() -> None:
    graph = compiled(HEADS + "outputs: [head_class]\n")
    assert read_by(graph, "neck_n1_concat" if "neck_n1_concat" in str(graph) else "neck_n1") == [
        "neck_up_upsample",
        "p1_body_conv",
    ]
    assert named(graph, "head_lateral_n1_conv").type.shape == (16, 16, 8)
    assert named(graph, "head_lateral_p2_conv").type.shape == (8, 8, 8)


def test_sections_follow_one_another_and_the_last_layer_is_the_result() -> None:
    text = (
        BACKBONE + "tail: {t: {block: identity}}\nneck: {n: {block: identity}}\nhead: {h: {block: conv, filters: 7}}\n"
    )
    graph = compiled(text)
    assert graph.output.name == "head_h_conv"
    assert [node.name for node in graph.nodes][-3:-1] == ["tail_t_identity", "neck_n_identity"]


def test_sections_are_scaled_frozen_and_overridden_like_stages() -> None:
    text = BACKBONE + "neck: {n: {block: conv, width: 8}}\n"
    assert named(compiled(text, "+scale.width=2"), "neck_n_conv").channels == 16
    assert named(compiled(text, "neck.n.width=5"), "neck_n_conv").channels == 5
    report = archdsl.analyze(yaml.safe_load(text), ["+freeze=[neck]"])
    assert report.params - report.trainable_params == 24 * 8 + 8


def test_a_stage_is_not_called_like_a_section(problems_of: Problems) -> None:
    (problem,) = problems_of(yaml.safe_load("stages: {neck: {width: 4, body: {block: conv}}}"))
    assert (problem.code, problem.path) == ("key", "stages.neck")


# filters


def test_filters_are_not_scaled_and_stand_in_place_of_width() -> None:
    text = BACKBONE.replace("block: conv, kernel: 3}}\n  p2", "block: conv, kernel: 3, filters: 10}}\n  p2")
    graph = compiled(text, "+scale.width=0.5")
    assert [node.channels for node in graph.levels.values()] == [10, 12]


def test_filters_and_width_at_once_are_refused(problems_of: Problems) -> None:
    (problem,) = problems_of(yaml.safe_load(BACKBONE + "head: {h: {block: conv, filters: 7, width: 7}}\n"))
    assert (problem.code, problem.path) == ("argument", "head.h.filters")


def test_filters_have_the_range_of_widths(problems_of: Problems) -> None:
    (problem,) = problems_of(yaml.safe_load(BACKBONE + "head: {h: {block: conv, filters: 0}}\n"))
    assert "got the number 0; expected a value ≥ 1" in problem.message


# each and share


def test_a_layer_runs_once_for_each_with_weights_of_its_own() -> None:
    graph = compiled(HEADS + "outputs: [head_class]\n")
    own = [node for node in graph.nodes if node.name.startswith("head_lateral")]
    assert [node.name for node in own] == ["head_lateral_n1_conv", "head_lateral_p2_conv"]
    assert [node.params for node in own] == [40 * 8 + 8, 24 * 8 + 8]


def test_each_run_of_a_layer_reads_one_of_each_and_all_of_from() -> None:
    text = "head:\n  a: {block: conv, from: p1, filters: 8}\n  b: {block: conv, from: p1, filters: 4}\n"
    text += "  sums: {block: concat, each: [a, b], from: [b, p1]}\noutputs: [head_sums]\n"
    graph = compiled(BACKBONE + text)
    sums = {node.name: [source.name for source in node.inputs] for node in graph.nodes if "sums" in node.name}
    assert sums == {
        "head_sums_a_concat": ["head_a_conv", "head_b_conv", "p1_body_conv"],
        "head_sums_b_concat": ["head_b_conv", "head_b_conv", "p1_body_conv"],
    }


def test_shared_weights_are_counted_once_and_computed_at_every_level() -> None:
    graph = compiled(HEADS + "outputs: [head_class]\n")
    tower = [node for node in graph.nodes if node.name.startswith("head_tower")]
    assert [(node.name, node.params, node.macs) for node in tower] == [
        ("head_tower_n1_1_conv", 8 * 8 * 9 + 8, 16 * 16 * 8 * 8 * 9),
        ("head_tower_n1_2_conv", 8 * 8 * 9 + 8, 16 * 16 * 8 * 8 * 9),
        ("head_tower_p2_1_conv", 0, 8 * 8 * 8 * 8 * 9),
        ("head_tower_p2_2_conv", 0, 8 * 8 * 8 * 8 * 9),
    ]
    report = archdsl.analyze(yaml.safe_load(HEADS + "outputs: [head_class]\n"), input_shape=(32, 32, 3))
    assert report.params == sum(node.params for node in graph.nodes)
    assert report.macs == sum(node.macs or 0 for node in graph.nodes)


def test_a_layer_shares_the_weights_of_another_by_its_name() -> None:
    text = (
        BACKBONE
        + "head:\n  a: {block: conv, from: p2, filters: 4}\n  b: {block: conv, from: p2, filters: 4, share: a}\n"
    )
    graph = compiled(text + "outputs: [head_a, head_b]\n")
    assert named(graph, "head_b_conv").owner is named(graph, "head_a_conv")


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("{block: conv, from: p1, filters: 4, share: a}", "have other shapes than those of 'a'"),
        ("{block: conv, from: p2, filters: 4, share: c}", "there is no layer 'c'"),
        ("{block: conv, from: p2, filters: 4, share: true}", "true needs `each:`"),
        ("{block: conv, from: p2, each: [p1, p2], filters: 4}", "block 'conv' has one input, got 2"),
        ("{block: add, each: [p1, p2], from: p9}", "there is no layer 'p9'"),
        ("{block: conv, each: [p1, p9], filters: 4}", "there is no layer 'p9'"),
        ("{block: add, each: [p1, p2]}", "merges layers"),
        ("{block: conv, from: [p1, p2], filters: 4}", "block 'conv' has one input, got 2"),
        ("{block: conv, from: all, filters: 4}", "block 'conv' has one input, got 2"),
        ("{block: conv, from: p1, filters: 4, when: fits}", "expected it inside of `blocks:`"),
    ],
)
def test_mistakes_about_levels_name_the_layer(layer: str, message: str, problems_of: Problems) -> None:
    text = "head:\n  a: {block: conv, from: p2, filters: 4}\n  all: {block: conv, each: [p1, p2], filters: 4}\n"
    found = problems_of(yaml.safe_load(BACKBONE + text + f"  b: {layer}\noutputs: [head_a, head_all, head_b]\n"))
    assert any(message in problem.message and problem.path.startswith("head.b") for problem in found), found


@pytest.mark.keras
def test_a_model_shares_layers_and_is_saved_loaded_fused_and_trained(tmp_path: Path) -> None:
    config = yaml.safe_load(HEADS.replace("kind: none", "kind: batch").replace("block: conv,", "block: conv_bn_act,"))
    config["outputs"] = {"boxes": "head_class_n1", "scores": "head_class_p2"}
    model = archdsl.build_from_config(config, input_shape=(32, 32, 3))
    assert model.count_params() == archdsl.analyze(config).params
    images = np.random.default_rng(0).uniform(0, 1, (2, 32, 32, 3)).astype("float32")
    for layer in model.layers_by_node.values():
        layer.set_weights([np.random.default_rng(1).uniform(0.5, 1.5, each.shape) for each in layer.get_weights()])
    expected = model(images)
    assert sorted(expected) == ["boxes", "scores"]
    model.save(tmp_path / "model.keras")
    archdsl.weights.save(model, tmp_path / "model.safetensors")
    again = [
        keras.models.load_model(tmp_path / "model.keras"),
        archdsl.build_from_config(tmp_path / "model.safetensors"),
    ]
    for other in [*again, archdsl.fuse(model), model.to_keras()]:
        found = other(images)
        for name in expected:
            np.testing.assert_allclose(found[name], expected[name], rtol=2e-4)
    model.compile("sgd", {"boxes": "mse", "scores": "mse"}, jit_compile=False)
    targets = {name: np.zeros(value.shape) for name, value in expected.items()}
    assert np.isfinite(model.fit(images, targets, verbose=0).history["loss"]).all()


# outputs


def test_outputs_are_layers_of_any_section_repeats_and_nodes_inside_of_blocks() -> None:
    text = BACKBONE.replace("block: conv, kernel: 3}}\n  p2", "block: c2f}, depth: 2, down: {block: conv}}\n  p2")
    graph = compiled(
        text
        + "head: {h: {block: conv, filters: 3, depth: 2}}\noutputs: [p2, p1_body_join, head_h_1, h, p1]\n".replace(
            "p1_body_join", "p1_body_concat"
        )
    )
    assert list(graph.outputs) == ["P2", "p1_body_concat", "head_h_1", "h", "P1"]
    assert [node.name for node in graph.outputs.values()][1:4] == ["p1_body_concat", "head_h_1_conv", "head_h_2_conv"]


def test_a_mapping_names_the_results_of_the_model() -> None:
    graph = compiled(HEADS + "outputs: {scores: class, map: n1}\n")
    assert {name: node.name for name, node in graph.outputs.items()} == {
        "scores_n1": "head_class_n1_conv",
        "scores_p2": "head_class_p2_conv",
        "map": "neck_n1_concat",
    }
    assert graph.named == tuple(graph.outputs)
    levels = compiled(HEADS[: HEADS.index("head:")] + "outputs: {p1: n1, p2: p2}\n").outputs
    assert {name: node.name for name, node in levels.items()} == {"P1": "neck_n1_concat", "P2": "p2_body_conv"}


@pytest.mark.keras
def test_what_a_head_ends_in_is_the_result_by_name_if_it_is_several() -> None:
    """The outputs of the backbone are a list, and stay outputs."""
    graph = archdsl.compile_config("csp_darknet_s", ["neck=pan_c2f", "head=dfl_detect"], input_shape=(64, 64, 3))
    assert graph.named == ("boxes", "scores") and {"P3", "P4", "P5"} < {*graph.outputs}
    model = archdsl.build_from_config("csp_darknet_s", ["neck=pan_c2f", "head=dfl_detect"], input_shape=(64, 64, 3))
    shapes = {name: tuple(value.shape) for name, value in model(np.zeros((1, 64, 64, 3))).items()}
    assert shapes == {"boxes": (1, 84, 4), "scores": (1, 84, 80)}  # 84 = 8² + 4² + 2²
    assert archdsl.compile_config("mobilenet_v2_classify").named == ()


def test_a_layer_reads_a_node_inside_of_a_block_before_it() -> None:
    text = BACKBONE.replace("block: conv, kernel: 3}}\n  p2", "block: c2f}, down: {block: conv}}\n  p2")
    graph = compiled(text + "head: {h: {block: conv, from: p1_body_concat, filters: 3}}\n")
    assert read_by(graph, "head_h_conv") == ["p1_body_concat"]
    plain = compiled(text)
    assert [str(node) for node in graph.nodes if node.name.startswith("p1")] == [
        str(node) for node in plain.nodes if node.name.startswith("p1")
    ]


# Blocks of a config


def blocks(text: str, use: str, rest: str = "") -> Graph:
    return compiled(f"blocks:\n{text}\n{BACKBONE}head:\n  h: {use}\n{rest}")


INVERTED = """
  inverted:
    arguments: {width: null, stride: 1, ratio: 6, expand: true}
    layers:
      expand: {block: conv, width: {of: input, times: $ratio}, when: $expand}
      spatial: {block: conv, width: {of: expand}, kernel: 3, stride: $stride}
      project: {block: conv, width: $width}
      add: {block: add, from: [project, input], when: fits}
"""


@pytest.mark.parametrize(
    ("use", "widths", "adds"),
    [
        ("{block: inverted, width: 24}", [144, 144, 24], True),
        ("{block: inverted, width: 20}", [144, 144, 20], False),
        ("{block: inverted, width: 24, stride: 2}", [144, 144, 24], False),
        ("{block: inverted, width: 24, ratio: 0.5, expand: false}", [24, 24], True),
    ],
)
def test_an_inverted_residual_is_a_block_in_yaml(use: str, widths: list[int], adds: bool) -> None:
    graph = blocks(INVERTED, use)
    head = [node for node in graph.nodes if node.name.startswith("head")]
    assert [node.op.filters for node in head if isinstance(node.op, Conv2D)] == widths
    assert (head[-1].name == "head_h_add") == adds


@pytest.mark.parametrize(("ratio", "width"), [(4, 96), (0.25, 8), (0.3, 8), (0.4, 8), (0.52, 16)])
def test_relative_widths_are_rounded_to_the_scales_divisor(ratio: float, width: int) -> None:
    graph = blocks(INVERTED, f"{{block: inverted, width: 24, ratio: {ratio}}}", "scale: {divisor: 8}\n")
    assert named(graph, "head_h_expand_conv").channels == width


SWAP = """
  swap:
    inputs: [fine, coarse]
    results: [high, low]
    layers:
      up: {block: upsample, from: coarse}
      high: {block: concat, from: [fine, up]}
      down: {block: conv, width: {of: coarse}, kernel: 3, stride: 2, from: fine}
      low: {block: add, from: [coarse, down]}
"""


def test_a_block_has_several_inputs_and_results() -> None:
    more = "  a: {block: conv, from: h_high, filters: 2}\n  b: {block: conv, from: h_low, filters: 2}\n"
    graph = blocks(SWAP, "{block: swap, from: [p1, p2]}", more + "outputs: [a, b]\n")
    assert read_by(graph, "head_a_conv") == ["head_h_high_concat"]
    assert named(graph, "head_h_high_concat").type.shape == (16, 16, 40)
    assert read_by(graph, "head_b_conv") == ["head_h_low_add"]
    assert read_by(graph, "head_h_low_add") == ["p2_body_conv", "head_h_down_conv"]


def test_results_of_a_repeated_block_are_the_inputs_of_the_next() -> None:
    same = SWAP.replace("{block: concat, from: [fine, up]}", "{block: conv, width: {of: fine}, from: fine}").replace(
        "up: {block: upsample, from: coarse}\n      ", ""
    )
    graph = blocks(
        same,
        "{block: swap, from: [p1, p2], depth: 3}\n  a: {block: conv, from: h, each: null, filters: 2}".replace(
            "from: h, each: null", "from: h_low"
        ),
        "outputs: [a, h_high]\n",
    )
    assert read_by(graph, "head_h_3_low_add") == ["head_h_2_low_add", "head_h_3_down_conv"]
    assert read_by(graph, "head_a_conv") == ["head_h_3_low_add"]


CELLS = """
  cell:
    inputs: [before, x]
    results: [x, sum]
    layers:
      old: {block: conv, width: 24, from: before}
      new: {block: conv, width: 24, from: x}
      sum: {block: add, from: [old, new]}
"""
CELL_BY_CELL = "head_h_1_sum_add", "head_h_2_sum_add", "head_h_3_sum_add"


def convolved_by(graph: Graph, name: str) -> list[str]:
    """What the convolutions read whose sum it is."""
    return [source.inputs[0].name for source in named(graph, name).inputs]


def test_a_cell_reads_the_two_before_it() -> None:
    graph = blocks(CELLS, "{block: cell, from: [p2, p2], depth: 3}\n  i: {block: cell}", "outputs: [i_x, i_sum]\n")
    first, second, third = CELL_BY_CELL
    assert convolved_by(graph, second) == ["p2_body_conv", first]
    assert convolved_by(graph, third) == [first, second]
    assert convolved_by(graph, "head_i_sum_add") == [second, third]
    assert [node.name for node in graph.outputs.values()] == [third, "head_i_sum_add"]


def test_inside_of_a_block_results_are_passed_on_as_in_a_network() -> None:
    inside = """
  outer:
    layers:
      begin: {block: conv, width: 24}
      a: {block: cell, from: [begin, begin], depth: 2}
      b: {block: cell}
      c: {block: cell, from: b}
"""
    graph = blocks(CELLS + inside, "{block: outer, from: p2}", "outputs: [h_x, h_sum]\n")
    begin, *sums = "head_h_begin_conv", *[f"head_h_{name}_sum_add" for name in ("a_1", "a_2", "b", "c")]
    for name, before, x in zip(sums, [begin, begin, *sums], [begin, *sums], strict=False):
        assert convolved_by(graph, name) == [before, x]
    assert [node.name for node in graph.outputs.values()] == sums[2:]
    assert sum(isinstance(node.op, Conv2D) for node in graph.nodes) == 2 + 1 + 2 * 4


def test_a_stage_is_known_for_its_last_result_and_the_next_stage_follows_all_of_them() -> None:
    text = f"""
conventions: {{activation: relu, norm: {{kind: none}}}}
blocks: {CELLS}
stages:
  p1: {{width: 24, stride: 2, body: {{block: conv, kernel: 3}}}}
  more: {{body: {{block: cell, from: [p1, p1]}}}}
  most: {{body: {{block: cell}}}}
head: {{a: {{block: conv, filters: 2, from: most}}}}
outputs: [more, head_a]
"""
    graph = compiled(text)
    assert convolved_by(graph, "most_body_sum_add") == ["p1_body_conv", "more_body_sum_add"]
    assert read_by(graph, "head_a_conv") == ["most_body_sum_add"]
    assert {name: node.name for name, node in graph.outputs.items()} == {
        "more": "more_body_sum_add",
        "head_a": "head_a_conv",
    }


TWICE = """
  twice:
    arguments: {inner: conv, width: null}
    layers:
      a: {block: $inner, width: $width}
      b: {block: $inner, width: $width}
"""


def test_results_of_a_layer_that_is_wrong_are_no_news(problems_of: Problems) -> None:
    text = (
        "  a: {block: conv, from: h_high, filters: 2}\n  b: {block: conv, from: h_low, filters: 2}\noutputs: [a, b]\n"
    )
    config = f"blocks:\n{SWAP}\n{BACKBONE}head:\n  h: {{block: swap, from: [p2, p2]}}\n{text}"
    (problem,) = problems_of(yaml.safe_load(config))
    assert (problem.code, problem.path) == ("shape", "blocks.swap.layers.high")


def test_a_block_takes_the_name_of_a_block() -> None:
    assert "head_h_b_conv" in str(blocks(TWICE, "{block: twice, width: 4}"))
    assert "head_h_b_fuse_conv" in str(blocks(TWICE, "{block: twice, inner: c2f, width: 4}"))
    outer = TWICE + "  outer:\n    arguments: {which: null}\n    layers: {x: {block: twice, inner: $which, width: 4}}\n"
    assert "head_h_x_b_fuse_conv" in str(blocks(outer, "{block: outer, which: c2f}"))


HOURGLASS = """
  hourglass:
    arguments: {order: 2, width: 6}
    layers:
      side: {block: conv, width: $width, from: input}
      pool: {block: max_pool, from: input}
      inner: {block: hourglass, order: {of: $order, plus: -1}, width: $width, when: $order}
      low: {block: conv, width: $width}
      up: {block: upsample}
      add: {block: add, from: [side, up]}
"""


def test_a_block_contains_itself_as_often_as_its_argument_says() -> None:
    for order in (0, 1, 2):
        graph = blocks(HOURGLASS, f"{{block: hourglass, order: {order}}}")
        sides = {node.type.shape[0] for node in graph.nodes if node.name.startswith("head")}
        assert min(side for side in sides if side) == 8 // 2 ** (order + 1)


@pytest.mark.parametrize(
    ("block", "use", "path", "message"),
    [
        (
            HOURGLASS.replace(", plus: -1", ""),
            "{block: hourglass}",
            "blocks.hourglass",
            "contains itself more than 8 deep",
        ),
        (HOURGLASS.replace(", when: $order", ""), "{block: hourglass}", "blocks.hourglass", "contains itself"),
        (INVERTED, "{block: inverted, width: 8, expand: 3.5}", "head.h.expand", "expected"),
        (
            INVERTED.replace("of: input", "of: inpt"),
            "{block: inverted, width: 8}",
            "blocks.inverted",
            "no layer 'inpt'",
        ),
        (
            INVERTED.replace("times: $ratio", "tims: 4"),
            "{block: inverted, width: 8}",
            "blocks.inverted",
            "unknown key 'tims'",
        ),
        (INVERTED.replace("$ratio", "100"), "{block: inverted, width: 8}", "blocks.inverted", "≤ 64"),
        (
            INVERTED.replace("when: fits", "when: $fit"),
            "{block: inverted, width: 8}",
            "blocks.inverted",
            "no argument 'fit'",
        ),
        (
            INVERTED.replace("when: fits", "when: fts"),
            "{block: inverted, width: 8}",
            "blocks.inverted",
            "expected `fits`, or the $name",
        ),
        (SWAP, "{block: swap, from: p1}", "head.h", "has 2 inputs (fine, coarse), got 1"),
        (SWAP, "{block: swap, from: [p1, p2, p1]}", "head.h.from", "has 2 inputs (fine, coarse), got 3"),
        (
            SWAP.replace("results: [high, low]", "results: [high, lo]"),
            "{block: swap, from: [p1, p2]}",
            "blocks.swap",
            "no layer 'lo'",
        ),
        (CELLS, "{block: conv, width: 8}\n  i: {block: cell}", "head.i", "has 2 inputs (before, x), got 1"),
        (
            CELLS + "  outer: {layers: {a: {block: conv, width: 8}, b: {block: cell}}}",
            "{block: outer}",
            "blocks.outer.layers.b",
            "head_h_b: block 'cell' has 2 inputs (before, x), got 1",
        ),
        (
            CELLS.replace("results: [x, sum]", "results: [sum]"),
            "{block: cell, from: [p1, p1], depth: 2}",
            "head.h",
            "head_h_2: block 'cell' has 2 inputs (before, x), got 1",
        ),
        (
            "  t: {layers: {a: {block: conv, width: 8, each: [input]}}}",
            "{block: t}",
            "blocks.t.layers.a.each",
            "`each` is for layers of the network",
        ),
        (
            SWAP,
            "{block: swap, from: [p1, p2]}\n  a: {block: conv, from: h_lower, filters: 2}",
            "head.a.from",
            "no layer 'h_lower'",
        ),
        (
            "  t: {arguments: {inner: null}, layers: {a: {block: $inner}}}",
            "{block: t}",
            "head.h",
            "needs 'inner', the name of a block",
        ),
        (
            "  t: {arguments: {inner: null}, layers: {a: {block: $inner}}}",
            "{block: t, inner: cnv}",
            "blocks.t.layers.a.block",
            "no block 'cnv'",
        ),
    ],
)
def test_mistakes_in_blocks_are_told_at_their_place(
    block: str, use: str, path: str, message: str, problems_of: Problems
) -> None:
    found = problems_of(yaml.safe_load(f"blocks:\n{block}\n{BACKBONE}head:\n  h: {use}\n"))
    assert any(message in problem.message and problem.path.startswith(path) for problem in found), found


def test_a_stage_that_runs_for_one_result_is_a_level_under_its_own_name() -> None:
    config = yaml.safe_load("stages: {p1: {width: 8, stride: 2, body: {block: conv, each: [input]}}}")
    assert list(archdsl.analyze(config).outputs) == ["P1"]


def test_tokens_of_unknown_number_do_not_fit_those_with_a_class_token(problems_of: Problems) -> None:
    text = "head: {t: {block: to_tokens, from: p2}, c: {block: class_token}, a: {block: add, from: [t, c]}}\n"
    (found,) = problems_of(yaml.safe_load(BACKBONE + text))
    assert "there are 0 and 1 class tokens; expected equal numbers" in found.message


def test_after_input_puts_a_stage_or_a_layer_first() -> None:
    added = [
        "+stages.s0={width: 8, after: input, body: {block: conv}}",
        "+neck.first={block: activation, function: gelu, after: input}",
    ]
    graph = compiled(HEADS.replace("{block: upsample, from: p2}", "{block: upsample, from: first}"), *added)
    names = [node.name for node in graph.nodes]
    assert names.index("s0_body_conv") < names.index("p1_body_conv")
    assert read_by(graph, "neck_first_act") == ["p2_body_conv"]
    assert read_by(graph, "neck_up_upsample") == ["neck_first_act"]
