"""Passes on graphs without weights: what is left, and what must stay."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest
from support import samples
from support.graphs import graph_of, image_of, kinds

import archdsl
from archdsl.ir.graph import verify
from archdsl.ir.node import Node
from archdsl.ir.ops import Add, BatchNorm, Conv2D, Rescale
from archdsl.ir.passes import run_passes
from archdsl.ir.passes.linear import is_convolution

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_parameters_are_one_kernel_and_one_bias_a_filter() -> None:
    graph = archdsl.compile_config("yolo_v8_xs_backbone")
    channels = sum(node.channels for node in graph.nodes if isinstance(node.op, BatchNorm))
    assert channels == 2512  # four parameters each before, one after
    fused, _ = run_passes(graph)
    assert sum(weight.size for node in fused.nodes for weight in node.weights) == 1_277_680 - 3 * 2512 == 1_270_144


def test_what_is_read_elsewhere_or_is_a_level_stays() -> None:
    conv = Conv2D(4, 3)(image_of(), name="conv")
    norm = BatchNorm()(conv, name="norm")
    assert kinds(run_passes(graph_of(norm, P1=conv))[0])["BatchNorm"] == 1
    assert kinds(run_passes(graph_of(Add()(norm, conv, name="sum")))[0])["BatchNorm"] == 1
    assert kinds(run_passes(graph_of(norm, P1=norm))[0])["BatchNorm"] == 0
    assert kinds(run_passes(graph_of(norm, P1=graph_input(norm)))[0])["BatchNorm"] == 0
    scaled = Rescale(0.1)(image_of(), name="rescale")
    assert kinds(run_passes(graph_of(Conv2D(4, 3)(scaled, name="conv"), P0=scaled))[0])["Rescale"] == 1


def test_branches_that_are_read_elsewhere_or_see_other_pixels_are_not_merged() -> None:
    def sums_left(first: Node, second: Node, **levels: Node) -> int:
        return kinds(run_passes(graph_of(Add()(first, second, name="sum"), **levels))[0])["Add"]

    image = image_of()
    wide, narrow = Conv2D(4, 3)(image, name="wide"), Conv2D(4, 1)(image, name="narrow")
    assert sums_left(wide, narrow) == 0
    assert sums_left(wide, narrow, P0=wide) == sums_left(wide, narrow, P0=narrow) == 1
    dilated = Conv2D(4, 3, dilation=2)(image, name="dilated")
    assert sums_left(dilated, narrow) == 0
    assert sums_left(dilated, wide) == 1


def graph_input(node: Node) -> Node:
    while node.inputs:
        node = node.inputs[0]
    return node


@pytest.mark.parametrize("preset", samples.presets())
def test_every_preset_fuses_to_a_smaller_graph_of_the_same_maps(preset: str) -> None:
    before = archdsl.compile_config(preset, input_shape=(256, 256, 3))
    after, _ = run_passes(before)
    verify(after)
    is_folded = any(isinstance(node.op, BatchNorm) and is_convolution(node.inputs[0].op) for node in before.nodes)
    assert len(after.nodes) < len(before.nodes) if is_folded else len(after.nodes) <= len(before.nodes)
    assert {level: node.type for level, node in after.levels.items()} == {
        level: node.type for level, node in before.levels.items()
    }
    assert list(after.outputs) == list(before.outputs)


# The command line


def test_show_counts_the_fused_graph(run: Run) -> None:
    result = run("show", "yolo_v8_xs_backbone", "--fuse", "--json")
    assert result.returncode == 0, result.stderr
    data = json.loads(result.stdout)
    assert data["params"] == data["trainable_params"] == 1_270_144
    assert "batch_norm" not in {node["op"] for node in data["nodes"]}
    assert "1,270,144 parameters" in run("show", "yolo_v8_xs_backbone", "--fuse").stdout


def test_show_fused_imports_neither_keras_nor_numpy() -> None:
    program = """
import sys
from archdsl.tools.cli import cli
cli(["show", "yolo_v9_s_backbone", "--fuse"], standalone_mode=False)
assert not {"keras", "tensorflow", "numpy"} & set(sys.modules), "imported too early"
"""
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
