"""`blocks:` in a config: blocks made of other blocks, as good as those written in Python."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hydra import compose, initialize_config_dir
from jsonschema import Draft202012Validator
from omegaconf import OmegaConf
from support import keras

import archdsl
from archdsl.frontend.compose.config import load
from archdsl.frontend.sema.json_schema import json_schema
from archdsl.frontend.sema.resolve import own_blocks
from archdsl.ir.graph import Graph
from archdsl.ir.ops import Activation, Conv2D, MaxPool

Write = Callable[[str, str], Path]
Run = Callable[..., subprocess.CompletedProcess[str]]
Problems = Callable[..., list[archdsl.Problem]]

# YOLOv7's ELAN, figure 2c of the paper, layer by layer.
ELAN = """
blocks:
  my_elan:
    description: ELAN (YOLOv7, figure 2c)
    arguments: {width: null, hidden: null}
    layers:
      short: {block: conv_bn_act, width: $hidden, from: input}
      deep: {block: conv_bn_act, width: $hidden, from: input}
      conv1: {block: conv_bn_act, width: $hidden, kernel: 3}
      conv2: {block: conv_bn_act, width: $hidden, kernel: 3}
      conv3: {block: conv_bn_act, width: $hidden, kernel: 3}
      conv4: {block: conv_bn_act, width: $hidden, kernel: 3}
      concat: {block: concat, from: [conv4, conv2, deep, short]}
      fuse: {block: conv_bn_act, width: $width}
"""
YOLO_V7 = f"""
defaults: [yolo_v7_backbone, _self_]
name: yolo_v7_backbone
{ELAN}
stage_defaults: {{depth: null, body: {{block: my_elan, expansion: null, hidden: 64}}}}
stages:
  p3: {{body: {{hidden: 128}}}}
  p4: {{body: {{hidden: 256}}}}
  p5: {{body: {{hidden: 256}}}}
"""


def config(blocks: str, body: str = "{block: mine}", stage: str = "width: 8", rest: str = "") -> str:
    """A backbone of one stage, whose body is a block of `blocks`."""
    return f"blocks:\n{blocks}\nstages: {{a: {{{stage}, body: {body}}}}}\n{rest}"


def compiled(text: str, *overrides: str) -> Graph:
    return archdsl.compile_config(yaml.safe_load(text), overrides, input_shape=(64, 64, 3))


def convolutions(graph: Graph, prefix: str = "") -> list[Conv2D]:
    return [node.op for node in graph.nodes if isinstance(node.op, Conv2D) and node.name.startswith(prefix)]


def widths(graph: Graph) -> list[int]:
    return [op.filters for op in convolutions(graph)]


# The same as the blocks written in Python


@pytest.mark.parametrize("overrides", [[], ["scale.width=0.5"], ["scale.width=0.5", "++scale.divisor=8"]])
def test_elan_in_yaml_is_the_elan_of_yolo_v7(overrides: list[str], write: Write) -> None:
    graph = archdsl.compile_config(write("mine.yaml", YOLO_V7), overrides)
    assert str(graph) == str(archdsl.compile_config("yolo_v7_backbone", overrides))


def test_e_elan_in_yaml_is_two_elans_and_a_sum() -> None:
    pair = """
  pair:
    arguments: {width: null, hidden: 16}
    layers:
      group1: {block: my_elan, width: $width, hidden: $hidden, from: input}
      group2: {block: my_elan, width: $width, hidden: $hidden, from: input}
      add: {block: add, from: [group1, group2]}
"""
    stages = "stages: {a: {width: 64, body: %s}}"
    graph = compiled(ELAN + pair + stages % "{block: pair}")
    assert str(graph) == str(compiled(stages % "{block: e_elan}"))


@pytest.mark.keras
def test_a_model_with_blocks_is_saved_loaded_and_built_again(write: Write, tmp_path: Path) -> None:
    path = write("mine.yaml", YOLO_V7)
    model = archdsl.build_from_config(path, ["scale.width=0.0625"])
    images = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    assert loaded.config == model.config
    assert set(loaded.config["blocks"]["my_elan"]["layers"]) == set(yaml.safe_load(ELAN)["blocks"]["my_elan"]["layers"])
    np.testing.assert_allclose(loaded(images), model(images), rtol=1e-5, atol=1e-6)
    for sort_keys in (True, False):
        again = archdsl.compile_config(yaml.safe_load(yaml.dump(model.config, sort_keys=sort_keys)))
        assert str(again) == str(model.graph)


# Where they can stand, and what stages give them

STRIDED = """
  mine:
    arguments: {width: null, stride: 1, dilation: 1}
    layers:
      conv: {block: conv, width: $width, kernel: 3, stride: $stride, dilation: $dilation}
"""


def test_a_block_can_stand_in_every_slot() -> None:
    slots = "down: {block: mine}, pre: {b: {block: mine}}, post: {c: {block: mine}}, width: 8"
    ends = "stem: {s: {block: mine, width: 4}}\ntail: {t: {block: mine, width: 6}}"
    assert widths(compiled(config(STRIDED, stage=slots, rest=ends))) == [4, 8, 8, 8, 8, 6]


def test_stages_give_width_stride_and_dilation_and_repeat_the_block() -> None:
    graph = compiled(config(STRIDED, stage="width: 8, depth: 3, stride: 2"))
    assert [(op.filters, op.stride) for op in convolutions(graph)] == [(8, 2), (8, 1), (8, 1)]
    assert [node.name for node in graph.nodes[1:]] == ["a_body_1_conv_conv", "a_body_2_conv_conv", "a_body_3_conv_conv"]
    graph = compiled(config(STRIDED, stage="width: 8, dilation: 2"))
    assert [op.dilation for op in convolutions(graph)] == [2]


DEEP = """
  mine:
    arguments: {width: null, depth: null}
    layers:
      before: {block: conv, width: $width}
      conv: {block: conv, width: $width, depth: $depth, kernel: 3, stride: 2}
"""


def test_a_block_with_a_depth_repeats_inside_itself() -> None:
    graph = compiled(config(DEEP, stage="width: 8, depth: 3"))
    names = ["a_body_before_conv", "a_body_conv_1_conv", "a_body_conv_2_conv", "a_body_conv_3_conv"]
    assert [node.name for node in graph.nodes[1:]] == names
    assert [op.stride for op in convolutions(graph)] == [1, 2, 1, 1]
    assert [op.stride for op in convolutions(compiled(config(DEEP)))] == [1, 2]  # nobody says a depth


# Arguments

NULL = """
  mine:
    arguments: {width: null, activation: null, kernel: null, kernels: null}
    layers:
      conv: {block: conv_bn_act, width: $width, activation: $activation, kernel: $kernel}
      pool: {block: spp, width: $width, kernels: $kernels}
"""


def test_an_argument_that_nobody_gives_is_that_of_the_blocks_inside() -> None:
    graph = compiled(config(NULL))
    assert {node.op for node in graph.nodes if isinstance(node.op, Activation)} == {Activation("silu")}
    assert [node.op.size for node in graph.nodes if isinstance(node.op, MaxPool)] == [5, 9, 13]
    graph = compiled(config(NULL, "{block: mine, activation: relu, kernels: [3], kernel: 3}"))
    assert Activation("relu") in {node.op for node in graph.nodes}
    assert [node.op.size for node in graph.nodes if isinstance(node.op, MaxPool)] == [3]
    assert convolutions(graph)[0].kernel == 3


def test_an_argument_can_be_an_item_of_a_list() -> None:
    blocks = "  mine: {arguments: {k: 3}, layers: {pool: {block: spp, width: 8, kernels: [$k, 7]}}}"
    graph = compiled(config(blocks))
    assert [node.op.size for node in graph.nodes if isinstance(node.op, MaxPool)] == [3, 7]


def test_arguments_may_be_called_like_what_python_has() -> None:
    names = ["copy", "json", "model_config", "self", "x", "arguments", "schema", "cls", "sources", "model_fields"]
    given = ", ".join(f"{name}: 2" for name in names)
    layers = ", ".join(f"l{number}: {{block: conv, width: ${name}}}" for number, name in enumerate(names))
    assert widths(compiled(config(f"  mine: {{arguments: {{{given}}}, layers: {{{layers}}}}}"))) == [2] * len(names)
    use = "{block: mine, " + ", ".join(f"{name}: 4" for name in names) + "}"
    mine = f"  mine: {{arguments: {{{given}}}, layers: {{{layers}}}}}"
    assert widths(compiled(config(mine, use))) == [4] * len(names)
    filled = config(mine, use).replace("stages:", f"stage_defaults: {{body: {use}}}\nstages:")
    assert widths(compiled(filled)) == [4] * len(names)


def test_an_argument_is_not_called_like_a_word_of_python(problems_of: Problems) -> None:
    mine = "  mine: {arguments: {class: 2}, layers: {a: {block: conv, width: $class}}}"
    (problem,) = problems_of(yaml.safe_load(config(mine)))
    assert (problem.code, problem.path) == ("key", "blocks.mine.arguments.class")


# Scale: every number is scaled where it is written, once

SIZES = """
  inner:
    arguments: {width: null, hidden: 12}
    layers:
      reduce: {block: conv, width: $hidden}
      restore: {block: conv, width: $width}
  mine:
    arguments: {width: null, narrow: 16, steps: 4}
    layers:
      first: {block: conv, width: 20}
      given: {block: inner, width: $width, hidden: $narrow}
      stated: {block: inner, width: 24, hidden: 28}
      own: {block: inner, width: $width}
      many: {block: conv, width: $width, depth: $steps}
"""


def test_a_width_is_scaled_once_wherever_it_is_written_and_handed_on() -> None:
    full = [20, 16, 32, 28, 24, 12, 32, *[32] * 4]
    assert widths(compiled(config(SIZES, stage="width: 32"))) == full
    assert widths(compiled(config(SIZES, stage="width: 32"), "+scale.width=0.5")) == [width // 2 for width in full]


def test_arguments_that_are_used_as_depths_scale_as_depths() -> None:
    for body, repeats in (("{block: mine}", 8), ("{block: mine, steps: 3}", 6)):
        graph = compiled(config(SIZES, body, stage="width: 32"), "+scale.depth=2")
        assert len(convolutions(graph, "a_body_many")) == repeats


def test_ratios_and_kernels_are_not_scaled() -> None:
    layers = "{a: {block: csp, width: $width, expansion: $e}, b: {block: conv, width: 8, kernel: $k}}"
    blocks = f"  mine: {{arguments: {{width: null, e: 0.25, k: 5}}, layers: {layers}}}"
    graph = compiled(config(blocks, stage="width: 32"), "+scale={width: 0.5, depth: 3}")
    assert convolutions(graph, "a_body_a_deep")[0].filters == 4
    assert convolutions(graph, "a_body_b")[0].kernel == 5


def test_a_scale_that_makes_a_block_too_large_is_refused(problems_of: Problems) -> None:
    blocks = "  mine: {arguments: {h: 3000}, layers: {a: {block: conv, width: $h}}}"
    (problem,) = problems_of(yaml.safe_load(config(blocks, rest="scale: {width: 60}")))
    assert (problem.code, problem.path) == ("range", "scale.width")
    assert "blocks.mine.arguments gets h 180000" in problem.message


# Inheritance and overrides


def test_a_child_changes_one_layer_or_one_default_of_a_block(write: Write) -> None:
    write("parent.yaml", config(SIZES, stage="width: 32"))
    child = (
        "defaults: [parent, _self_]\nblocks: {inner: {arguments: {hidden: 6}}, mine: {layers: {first: {width: 10}}}}"
    )
    assert widths(archdsl.compile_config(write("child.yaml", child))) == [10, 16, 32, 28, 24, 6, *[32] * 5]


def test_a_child_takes_out_a_layer_an_argument_or_a_block_with_null(write: Write) -> None:
    write("parent.yaml", config(SIZES, stage="width: 32"))
    child = "defaults: [parent, _self_]\nblocks: {mine: {arguments: {steps: null}, layers: {many: null}}}"
    path = write("child.yaml", child)
    assert widths(archdsl.compile_config(path)) == [20, 16, 32, 28, 24, 12, 32]
    with pytest.raises(archdsl.ArchError, match="unknown key 'steps' of block 'mine'; expected one of: width, narrow"):
        archdsl.compile_config(path, ["+stages.a.body.steps=2"])
    with pytest.raises(archdsl.ArchError, match="no block 'mine'"):
        archdsl.compile_config(path, ["blocks.mine=null"])


def test_a_layer_can_be_put_between_others_with_after() -> None:
    added = "+blocks.mine.layers.extra={block: conv, width: 3, after: first}"
    graph = compiled(config(SIZES, stage="width: 32"), added)
    assert widths(graph)[:2] == [20, 3]
    dumped = yaml.dump(load(yaml.safe_load(config(SIZES, stage="width: 32")), [added]).resolved, sort_keys=True)
    assert str(archdsl.compile_config(yaml.safe_load(dumped), input_shape=(64, 64, 3))) == str(graph)


def test_overrides_reach_into_blocks() -> None:
    text = config(SIZES, stage="width: 32")
    assert widths(compiled(text, "blocks.inner.arguments.hidden=5"))[5] == 5
    assert widths(compiled(text, "blocks.mine.layers.own.width=$narrow"))[6] == 16


def test_blocks_compose_as_hydra_composes_them(write: Write) -> None:
    write("parent.yaml", config(SIZES, stage="width: 32"))
    write("child.yaml", "defaults: [parent, _self_]\nblocks: {mine: {arguments: {narrow: 8}, layers: {many: null}}}")
    overrides = [
        "blocks.inner.arguments.hidden=5",
        "blocks.mine.layers.own.width=$narrow",
        "+blocks.mine.description=x",
    ]
    child = write("unused.yaml", "{}").parent / "child.yaml"
    with initialize_config_dir(str(child.parent), version_base=None):
        composed = OmegaConf.to_container(compose("child", overrides))
    assert load(child, overrides).values == composed


def test_a_file_of_blocks_is_inherited_beside_a_preset(write: Write) -> None:
    write("my_blocks.yaml", ELAN)
    stage = "{p4: {depth: 1, body: {block: my_elan, hidden: 128}}}"
    text = f"defaults: [yolo_v8_s_backbone, my_blocks, _self_]\nstages: {stage}"
    graph = archdsl.compile_config(write("net.yaml", text))
    assert graph.levels["P4"].name == "p4_body_fuse_act"
    assert convolutions(graph, "p4_body_short")[0].filters == 64


def test_a_block_belongs_to_its_config() -> None:
    texts = [config(f"  mine: {{layers: {{a: {{block: conv, width: {width}}}}}}}") for width in range(1, 17)]
    with ThreadPoolExecutor(8) as pool:
        assert [widths(graph) for graph in pool.map(compiled, texts)] == [[width] for width in range(1, 17)]
    with pytest.raises(archdsl.ArchError, match="no block 'mine'"):
        compiled("stages: {a: {body: {block: mine}}}")


# Mistakes

WRONG: dict[str, tuple[str, str, int, str]] = {
    "unknown argument": (
        "  mine:\n    arguments: {width: null}\n    layers:\n      c: {block: conv, width: $widht}",
        "unknown-argument",
        5,
        "block 'mine' has no argument 'widht'; expected one of: width",
    ),
    "unused argument": (
        "  mine:\n    arguments:\n      hidden: 3\n    layers:\n      c: {block: conv, width: 3}",
        "unused",
        4,
        "no layer uses this argument",
    ),
    "missing argument": (
        "  mine: {arguments: {h: null}, layers: {c: {block: conv, width: $h}}}",
        "missing-key",
        3,
        "block 'mine' needs 'h'",
    ),
    "name of a layer's key": (
        "  mine: {arguments: {name: 3}, layers: {c: {block: conv, width: $name}}}",
        "key",
        2,
        "an argument cannot be called 'name'",
    ),
    "width and depth": (
        "  mine: {arguments: {n: 3}, layers: {c: {block: c2f, width: $n, depth: $n}}}",
        "argument",
        2,
        "'n' is used as a width and as a depth",
    ),
    "wrong default": (
        "  mine: {arguments: {n: 300}, layers: {c: {block: conv, width: $n, kernel: $n}}}",
        "range",
        2,
        "got the number 300; expected a value ≤ 255",
    ),
    "wrong item": (
        "  mine: {arguments: {n: a}, layers: {c: {block: spp, width: 3, kernels: [$n, 5]}}}",
        "type",
        2,
        "expected a whole number, got text 'a'",
    ),
    "wrong literal": (
        "  mine:\n    arguments: {n: 3}\n    layers:\n      c: {block: conv, width: $n, kernel: 0}",
        "range",
        5,
        "got the number 0",
    ),
    "part of a text": (
        "  mine: {arguments: {n: 3}, layers: {a: {block: conv, width: $n}, b: {block: conv, width: 2 * $n}}}",
        "type",
        2,
        "got text '2 * $n'",
    ),
    "registered name": (
        "  mine: {layers: {c: {block: conv, width: 3}}}\n  c2f: {layers: {c: {block: conv, width: 3}}}",
        "duplicate-block",
        3,
        "csp.py:",
    ),
    "itself": ("  mine: {layers: {c: {block: mine}}}", "cycle", 2, "block 'mine' contains itself: mine → mine"),
    "ring": (
        "  mine: {layers: {c: {block: b}}}\n  b: {layers: {c: {block: d}}}\n  d: {layers: {c: {block: mine}}}",
        "cycle",
        4,
        "block 'mine' contains itself: mine → b → d → mine",
    ),
    "unknown layer": (
        "  mine:\n    layers:\n      side: {block: identity}\n      sum: {block: add, from: [sied, side]}",
        "unknown-layer",
        5,
        "there is no layer 'sied' before this one; expected one of: input, side",
    ),
    "later layer": (
        "  mine: {layers: {a: {block: add, from: [input, b]}, b: {block: identity}}}",
        "unknown-layer",
        2,
        "there is no layer 'b' before this one",
    ),
    "unread layer": (
        "  mine:\n    layers:\n      lost: {block: identity}\n      c: {block: identity, from: input}",
        "unused",
        4,
        "nothing reads this layer",
    ),
    "no layer": ("  mine: {layers: {}}", "empty", 2, "the block has no layer"),
    "layer called input": ("  mine: {layers: {input: {block: identity}}}", "key", 2, "cannot be called 'input'"),
    "unknown block": ("  mine: {layers: {a: {block: c2ff, width: 3}}}", "unknown-block", 2, "no block 'c2ff'"),
    "unknown key": (
        "  mine: {arguments: {n: 3}, layers: {a: {block: conv, width: 3, kernle: $n}}}",
        "unknown-key",
        2,
        "unknown key 'kernle' of block 'conv'",
    ),
    "not a mapping": ("  mine: [conv]", "type", 2, "expected a mapping, got a list of 1"),
    "shapes": (
        "  mine:\n    layers:\n      a: {block: conv, width: 4}\n      b: {block: conv, width: 5}\n"
        "      sum: {block: add, from: [a, b]}",
        "shape",
        6,
        "a_body_sum",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_mistake_in_a_block_is_shown_at_its_line(wrong: str, write: Write, problems_of: Problems) -> None:
    blocks, code, line, message = WRONG[wrong]
    (problem,) = problems_of(write("net.yaml", config(blocks)))
    assert (problem.code, problem.line) == (code, line)
    assert message in problem.message


def test_names_that_are_nearly_right_are_suggested(problems_of: Problems) -> None:
    for blocks, hint in (
        ("  mine: {arguments: {hidden: 3}, layers: {a: {block: conv, width: $hiden}}}", "did you mean 'hidden'?"),
        ("  mien: {layers: {a: {block: identity}}}", "did you mean 'mien'?"),
        ("  mine: {layers: {side: {block: identity}, b: {block: identity, from: sied}}}", "did you mean 'side'?"),
    ):
        assert hint in [problem.hint for problem in problems_of(yaml.safe_load(config(blocks)))]


def test_blocks_inside_blocks_end_somewhere(problems_of: Problems) -> None:
    chain = [f"  b{number}: {{layers: {{a: {{block: b{number + 1}}}}}}}" for number in range(2000)]
    last = "  b2000: {layers: {a: {block: identity}}}"
    for blocks in ([*chain, last], [last, *reversed(chain)]):
        problems = problems_of(yaml.safe_load(config("\n".join(blocks), "{block: b1999}")))
        assert {problem.code for problem in problems} == {"depth"}
    seven = [*chain[1993:], last]
    assert compiled(config("\n".join(seven), "{block: b1993}")).nodes[-1].name.startswith("a_body_a_a_a")


@pytest.mark.parametrize(
    "layers", [", ".join(f"l{i}: {{block: %s}}" for i in range(10)), "a: {block: %s, depth: 1000}"]
)
def test_a_bomb_of_blocks_is_refused_before_it_goes_off(layers: str, problems_of: Problems) -> None:
    inner = [f"  b{level}: {{layers: {{{layers.replace('%s', f'b{level + 1}')}}}}}" for level in range(7)]
    blocks = "\n".join([*inner, f"  b7: {{layers: {{{layers.replace('%s', 'identity')}}}}}"])
    (problem,) = problems_of(yaml.safe_load(config(blocks, "{block: b0}")))
    assert problem.code == "budget"


# Listing and editing


def test_the_command_line_lists_a_configs_own_blocks(run: Run, write: Write) -> None:
    write("net.yaml", YOLO_V7)
    lines = run("blocks", "--config", "net.yaml").stdout.splitlines()
    assert "my_elan  width, hidden  ELAN (YOLOv7, figure 2c)  net.yaml:6:3" in [line.strip() for line in lines]
    assert any(line.startswith("c2f ") for line in lines)
    text = run("blocks", "--config", "net.yaml", "my_elan").stdout
    assert "ELAN (YOLOv7, figure 2c)" in text
    assert "net.yaml:6:3" in text
    assert ["hidden", "needed", "integer,", "1", "to", "65536"] in [line.split() for line in text.splitlines()]
    assert "no block 'my_elan'" in run("blocks", "my_elan").stderr


def test_a_file_of_blocks_alone_is_listed_and_its_mistakes_are_shown(run: Run, write: Write) -> None:
    write("my_blocks.yaml", ELAN)
    assert "my_elan" in run("blocks", "--config", "my_blocks.yaml").stdout
    write("wrong.yaml", ELAN.replace("width: $width", "width: $widht"))
    answer = run("blocks", "--config", "wrong.yaml")
    assert (answer.returncode, "did you mean 'width'?" in answer.stderr) == (2, True)


@pytest.mark.parametrize(
    ("key", "becomes"),
    [
        ("blocks.inner.arguments.hidden", "becomes 6: 12 × scale.width 0.5 = 6"),
        ("blocks.mine.layers.first.width", "becomes 10: 20 × scale.width 0.5 = 10"),
        ("blocks.mine.layers.stated.hidden", "becomes 14: 28 × scale.width 0.5 = 14"),
        ("stages.a.body.narrow", "becomes 4: 8 × scale.width 0.5 = 4"),
        ("stages.a.body.steps", "becomes 6: 3 × scale.depth 2 = 6"),
    ],
)
def test_explain_says_what_scale_makes_of_an_argument(key: str, becomes: str, run: Run, write: Write) -> None:
    text = config(SIZES, "{block: mine, narrow: 8, steps: 3}", stage="width: 32", rest="scale: {width: 0.5, depth: 2}")
    write("net.yaml", text)
    assert becomes in run("explain", "net.yaml", key).stdout


def test_exclusive_bounds_are_said_in_words(run: Run) -> None:
    assert ["expansion", "0.5", "number,", "above", "0,", "at", "most", "16"] in [
        line.split() for line in run("blocks", "c2f").stdout.splitlines()
    ]


def errors(schema: dict[str, Any], config: str) -> list[Any]:
    return list(Draft202012Validator(schema).iter_errors(yaml.safe_load(config)))


def test_editors_accept_a_file_with_blocks_and_mark_what_is_wrong_in_them() -> None:
    schema = json_schema()
    assert not errors(schema, YOLO_V7)
    assert not errors(schema, config(SIZES))
    assert not errors(
        schema, config("  mine: {arguments: {k: 3}, layers: {p: {block: spp, width: 8, kernels: [$k, 7]}}}")
    )
    assert errors(schema, YOLO_V7.replace("kernel: 3", "kernle: 3"))
    assert errors(schema, YOLO_V7.replace("kernel: 3", "kernel: 0"))
    assert errors(schema, YOLO_V7.replace("arguments:", "argument:"))


def test_editors_know_inherited_blocks_from_a_schema_of_the_config(write: Write) -> None:
    schema = json_schema(own_blocks(load(write("net.yaml", YOLO_V7))))
    Draft202012Validator.check_schema(schema)
    child = "defaults: [net, _self_]\nstages: {p3: {body: {block: my_elan, hidden: %s}}}"
    assert not errors(schema, child % 32)
    assert errors(schema, child % 0)
    assert errors(schema, child.replace("my_elan", "my_elann") % 32)


@pytest.mark.parametrize(
    ("layer", "arguments", "same"),
    [
        ("kernel: [$k, 3], width: 8", "{k: 5}", "kernel: [5, 3], width: 8"),
        ("kernel: 5, padding: [$k, [2, 1]], width: 8", "{k: 3}", "kernel: 5, padding: [3, [2, 1]], width: 8"),
        ("filters: $f", "{f: 12}", "filters: 12"),
        ("filters: {of: input, times: 2}", "{}", "filters: 6"),
    ],
)
def test_pairs_and_exact_widths_may_be_open(layer: str, arguments: str, same: str) -> None:
    text = f"""
    scale: {{width: 0.5}}
    blocks: {{mine: {{arguments: {arguments}, layers: {{a: {{block: conv, {layer}}}}}}}}}
    stages: {{x: {{body: {{block: %s}}}}}}
    """
    mine = archdsl.analyze(yaml.safe_load(text % "mine"))
    plain = archdsl.analyze(yaml.safe_load(text % f"conv, {same}"))
    assert (mine.params, mine.macs) == (plain.params, plain.macs)


def test_layers_of_a_block_with_several_results_run_in_the_order_in_which_it_has_them() -> None:
    """Not in the order in which the first result needs them: files of weights have them as they are written."""
    conv = {"block": "conv", "width": 4}
    layers = {
        "one": {**conv, "from": "x"},
        "two": {**conv, "from": "y"},
        "three": {**conv, "from": "x"},
        "sum": {"block": "add", "from": ["three", "one"]},
        "other": {"block": "add", "from": ["two", "one"]},
    }
    block = {"inputs": ["x", "y"], "results": ["sum", "other"], "layers": layers}
    config = {
        "defaults": ["yolo_v8_xs_backbone", "_self_"],
        "blocks": {"pair": block},
        "neck": {"pair": {"block": "pair", "from": ["p3", "p3"]}},
        "outputs": ["neck_pair_sum"],
    }
    names = [node.name for node in archdsl.compile_config(config).nodes if node.name.startswith("neck_pair")]
    assert names == [f"neck_pair_{name}" for name in ("one_conv", "two_conv", "three_conv", "sum_add", "other_add")]


def test_channels_as_they_are_need_no_divisor_and_groups_may_be_all() -> None:
    mine = """
  mine:
    layers:
      each: {block: conv_bn_act, kernel: 3, width: {of: input}, groups: all}
      same: {block: conv, width: {of: input}, groups: {of: input}}
      twice: {block: conv, width: {of: input, times: 1}}
"""
    graph = compiled(config(mine, stage="depth: 1", rest="stem: {c: {block: conv, filters: 12}}\nscale: {divisor: 8}"))
    assert [(op.filters, op.groups) for op in convolutions(graph, "a_")] == [(12, 12), (12, 12), (16, 1)]
