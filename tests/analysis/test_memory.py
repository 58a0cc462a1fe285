"""Memory of the values between operations: by hand, by simulation of every moment, and what it must not depend on."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from support.drawn_configs import drawn_configs
from support.graphs import graph_of, image_of
from support.steps import at_most

import archdsl
from archdsl.analysis import report
from archdsl.analysis.memory import Occupied, in_inference, in_training, kept
from archdsl.ir import ops
from archdsl.ir.graph import Graph
from archdsl.ir.node import Node
from archdsl.ir.passes import run_passes
from archdsl.tools.cli import cli
from archdsl.tools.cli.validate_command import verdict

Run = Callable[..., subprocess.CompletedProcess[str]]
Write = Callable[[str, str], Path]
PRESETS = ["yolo_v8_s_detect", "resnet50_classify", "densenet121_backbone", "convnext_tiny_backbone", "csp_darknet_s"]
PLANE = 4 * 8 * 8  # bytes of a channel of a map of 8 × 8 in float32


def image() -> Node:
    return image_of(4, 8, 8)


def conv(x: Node, filters: int = 8, name: str = "conv") -> Node:
    return ops.Conv2D(filters, 3)(x, name=name)


def inference(graph: Graph) -> Occupied:
    found = in_inference(graph)
    assert found is not None
    return found


def planes(graph: Graph) -> list[float]:
    """Channels of 8 × 8 that are in memory while each node runs."""
    return [taken / PLANE for taken in inference(graph).bytes]


# By hand


def test_in_a_chain_the_input_and_the_result_of_an_operation_are_in_memory() -> None:
    x = ops.Activation("silu")(ops.BatchNorm()(conv(image())))
    assert planes(graph_of(conv(x, 16))) == [4, 4 + 8, 8, 8, 8 + 16]  # norm and silu where the convolution wrote


def test_a_residual_stays_until_it_is_added_and_a_convolution_adds_to_it() -> None:
    x = conv(image())
    inside = conv(conv(x, 2, "narrow"), 8, "wide")
    assert planes(graph_of(ops.Add()(x, inside))) == [4, 4 + 8, 8 + 2, 8 + 2, 8]


def test_a_pooling_cannot_add_and_a_convolution_not_to_what_it_reads_itself() -> None:
    x = conv(image())
    pooled = ops.Add()(x, ops.AvgPool(3, 1)(x))
    assert planes(graph_of(pooled)) == [4, 4 + 8, 8 + 8, 8 + 8]
    assert planes(graph_of(ops.Add()(x, conv(x)))) == [4, 4 + 8, 8 + 8, 8 + 8]


def test_nothing_is_added_to_what_is_read_again_or_is_a_result() -> None:
    x = conv(image())
    total = ops.Add()(x, conv(conv(x, 2), 8))
    assert planes(graph_of(ops.Concat()(total, x)))[3:] == [8 + 2 + 8, 8 + 8, 8 + 8 + 16]
    assert planes(graph_of(total, p1=x))[3:] == [8 + 2 + 8, 8 + 8]


def test_all_inputs_of_a_concat_are_in_memory_beside_its_result_as_in_densenet() -> None:
    layers = [conv(image())]
    for _ in range(3):
        joined = ops.Concat()(*layers) if len(layers) > 1 else layers[0]
        layers.append(conv(joined, 2))
    found = inference(graph_of(ops.Concat()(*layers)))
    assert found.peak == (8 + 2 + 2 + 2 + 14) * PLANE
    assert sorted(size / PLANE for size in found.held.values()) == [2, 2, 2, 8, 14]


def test_outputs_stay_to_the_end() -> None:
    first = conv(image(), 16)
    last = conv(conv(conv(first, 4), 4), 4)
    assert planes(graph_of(last)) == [4, 4 + 16, 16 + 4, 4 + 4, 4 + 4]
    assert planes(graph_of(last, p1=first)) == [4, 4 + 16, 16 + 4, 16 + 4 + 4, 16 + 4 + 4]


def test_views_and_the_borders_of_convolutions_take_nothing_but_hold_what_they_show() -> None:
    x = conv(image())
    half = ops.Part(1)(ops.Split(2)(ops.Dropout(0.5)(x)))
    assert planes(graph_of(conv(half, 1))) == [4, 4 + 8, 8, 8, 8, 8 + 1]
    border = ops.Pad(1)(x)
    assert planes(graph_of(ops.Conv2D(1, 3, padding="valid")(border)))[2:] == [8, 8 + 1]
    assert planes(graph_of(ops.MaxPool(3, 3, "valid")(border)))[2] == 8 + 8 * 100 / 64  # is copied, ten pixels a side


def test_the_image_is_not_overwritten_and_nothing_is_that_is_read_later() -> None:
    assert planes(graph_of(ops.Rescale()(image()))) == [4, 4 + 4]
    x = conv(image())
    assert planes(graph_of(ops.Add()(ops.Activation("relu")(x), x))) == [4, 4 + 8, 8 + 8, 8 + 8]


def test_training_keeps_what_the_backward_pass_needs_each_value_once() -> None:
    x = conv(image())
    y = ops.Activation("relu")(ops.BatchNorm()(x))
    a, b = conv(y, 2), conv(y, 2)
    total = ops.Add()(a, b)
    found = in_training(graph_of(conv(ops.Upsample(1)(total), 1)))
    assert found is not None
    # image, input of the norm, relu's result where the norm wrote, up-sampled: the input of a convolution; result
    assert found.bytes[-1] == (4 + 8 + 8 + 2 + 1) * PLANE


def test_what_training_does_not_reach_keeps_nothing() -> None:
    stage = {"width": 8, "stride": 2, "down": {"block": "conv_bn_act"}}
    config: dict[str, Any] = {"stages": {"p1": stage, "p2": stage}}
    graphs = [archdsl.compile_config({**config, "freeze": frozen}, (), (8, 8, 3)) for frozen in ([], ["p1"])]
    kept_by = [{node.name for node in kept(graph)} for graph in graphs]
    assert kept_by[0] - kept_by[1] == {"input", "p1_down_conv", "p1_down_bn"}


def test_shared_weights_are_counted_once_to_train_but_the_values_of_each_use() -> None:
    branch = {"block": "conv", "filters": 3, "bias": False, "each": ["p1", "p2"]}
    stages = {f"p{n}": {"width": 3, "stride": 2, "body": {"block": "conv"}} for n in (1, 2)}
    own, shared = [
        archdsl.analyze({"stages": stages, "head": {"out": {**branch, "share": share}}}, (), (8, 8, 3))
        for share in (None, True)
    ]
    first, other = own.memory(), shared.memory()
    assert first is not None
    assert other is not None
    assert first.to_train == 4 * 4 * own.params > other.to_train == 4 * 4 * shared.params
    assert first[1:5] == other[1:5]


# Every moment simulated


def simulated(graph: Graph, stay: Collection[Node] = ()) -> int:
    """The peak, by the definitions: looks through the whole graph for who reads a value later, at every moment."""
    nodes = graph.nodes
    readers = {node: [each for each in nodes if node in each.inputs] for node in nodes}

    def is_view(node: Node) -> bool:
        is_border = isinstance(node.op, ops.Pad) and not node.op.value
        return node.op.is_view or (is_border and all(each.op.pads for each in readers[node]))

    def value(node: Node) -> Node:
        return value(node.inputs[0]) if is_view(node) else node

    for_good = {value(node) for node in [*stay, *graph.results, *graph.outputs.values()]}

    def is_needed_after(made: Node, now: int) -> bool:
        return made in for_good or any(made is value(source) for node in nodes[now + 1 :] for source in node.inputs)

    def can_write_over(made: Node, node: Node, now: int) -> bool:
        is_free = made is not graph.input and not is_needed_after(made, now)
        return is_free and made.type.elements == node.type.elements

    def sum_of(now: int) -> tuple[Node, int] | None:
        """The Add that only waits for the node that runs now."""
        here = nodes[now]
        while here not in for_good and len(nodes) > now + 1 and readers[here] == [nodes[now + 1]]:
            here, now = nodes[now + 1], now + 1
            if isinstance(here.op, ops.Add):
                return here, now
            if not here.op.in_place or len(here.inputs) > 1:
                return None
        return None

    def target(now: int) -> Node | None:
        node = nodes[now]
        added = sum_of(now) if node.op.adds_to else None
        if added is not None:
            for made in map(value, added[0].inputs):
                is_other = nodes.index(made) < now and made not in map(value, node.inputs)
                if is_other and can_write_over(made, added[0], added[1]):
                    return made
        made_before = [value(source) for source in node.inputs] if node.op.in_place else []
        return next((made for made in made_before if made in alive and can_write_over(made, node, now)), None)

    alive: dict[Node, int] = {}
    most = 0
    for now, node in enumerate(nodes):
        if not is_view(node):
            alive.pop(target(now), None)  # type: ignore[arg-type]
            alive[node] = 4 * node.type.elements
        most = max(most, sum(alive.values()))
        alive = {made: size for made, size in alive.items() if is_needed_after(made, now)}
    return most


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=25, derandomize=True)
@given(drawn_configs())
def test_a_drawn_network_takes_what_a_simulation_of_every_moment_takes(config: Any) -> None:
    graph = archdsl.compile_config(config)
    found, trained = in_inference(graph), in_training(graph)
    if found is None or trained is None:
        assert any(None in node.type.shape for node in graph.nodes)
        return
    assert found.peak == simulated(graph) == sum(found.held.values())
    assert trained.peak == simulated(graph, kept(graph)) == sum(trained.held.values()) >= found.peak


@pytest.mark.parametrize("name", ["csp_darknet_tiny", "mobileone_s0_backbone", "resnet18_v2"])
def test_a_preset_takes_what_a_simulation_of_every_moment_takes(name: str) -> None:
    graph = archdsl.compile_config(name, (), (96, 64, 3))
    assert inference(graph).peak == simulated(graph)


# What it depends on, and what not


@pytest.mark.parametrize("name", PRESETS)
def test_more_images_and_larger_ones_take_more(name: str) -> None:
    small, large = [archdsl.analyze(name, (), (side, side, 3)) for side in (64, 96)]
    one, eight, larger = small.memory(), small.memory(8), large.memory()
    assert one is not None
    assert eight is not None
    assert larger is not None
    assert (eight.inference, eight.training) == (8 * one.inference, 8 * one.training)
    assert eight.to_train == one.to_train == larger.to_train
    assert larger.inference > one.inference
    assert larger.training > one.training > one.inference


@pytest.mark.parametrize("name", PRESETS)
def test_it_is_the_same_with_batch_norms_folded_away(name: str) -> None:
    graph = archdsl.compile_config(name, (), (96, 96, 3))
    fused, _ = run_passes(graph)
    assert inference(fused).peak == inference(graph).peak


def chain(length: int) -> Graph:
    x = conv(image())
    for _ in range(length):
        x = ops.Add()(x, conv(ops.Activation("relu")(x)))
    return graph_of(x)


def test_the_time_grows_with_the_network_and_not_its_square() -> None:
    short, long = chain(100), chain(400)
    with at_most(10**6) as few:
        in_training(short)
    with at_most(5 * few[0]):
        in_training(long)


def test_analysis_computes_it_only_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(graph: Graph) -> None:
        raise AssertionError

    monkeypatch.setattr(report, "in_inference", refuse)
    costs = archdsl.analyze("yolo_v8_s_detect")
    assert costs.params and costs.macs and costs.outputs and costs.layers
    with pytest.raises(AssertionError):
        _ = costs.activation_memory


# What users see


def test_the_peak_of_yolo_v8_is_just_below_what_runtimes_take() -> None:
    """OpenVINO 2026 takes 27 MiB on one thread; see tests/benchmarks/memory.py."""
    taken = archdsl.analyze("yolo_v8_s_detect").memory()
    assert taken is not None
    assert taken.inference / 2**20 == pytest.approx(21.1, abs=0.1)
    assert taken.layer == "neck.cat3"
    assert list(taken.held)[:2] == ["neck.cat3", "neck.up3"]
    assert sum(taken.held.values()) == taken.inference


def test_show_has_the_memory_and_who_holds_the_peak(run: Run) -> None:
    text = run("show", "yolo_v8_s_detect", "--batch", "2").stdout
    assert "memory, batch 2: at least 42.2 MiB, while neck.cat3 runs\n" in text
    assert "held by neck.cat3 (18.8 MiB), neck.up3 (12.5 MiB), 3 more\n" in text
    found = json.loads(run("show", "yolo_v8_s_detect", "--batch", "2", "--json").stdout)["memory"]
    assert found == archdsl.analyze("yolo_v8_s_detect").memory(2).to_dict()  # type: ignore[union-attr]


def test_an_image_of_unknown_size_takes_an_unknown_amount(run: Run) -> None:
    costs = archdsl.analyze("resnet18_v2", input_shape=(None, None, 3))
    assert costs.memory() is costs.activation_memory is costs.to_dict()["memory"] is None
    assert "memory, batch" not in costs.to_table()


def test_diff_has_the_memory(run: Run) -> None:
    changed = json.loads(run("diff", "yolo_v8_s_backbone", "yolo_v8_m_backbone", "--json").stdout)["costs"]
    sizes = [archdsl.analyze(f"yolo_v8_{size}_backbone").activation_memory for size in "sm"]
    assert {"key": "activation_memory", "before": sizes[0], "after": sizes[1]} in changed


@pytest.mark.parametrize("key", ["params", "trainable_params", "macs", "activation_memory"])
def test_a_file_promises_a_figure_or_a_limit(write: Write, key: str) -> None:
    found = getattr(archdsl.analyze("yolo_v8_xs_backbone"), key)

    def said(promise: str) -> list[str]:
        text = f"defaults: [yolo_v8_xs_backbone, _self_]\nexpect: {{{key}: {promise}}}\n"
        return [f"{each.path}:{each.column} {each.message}" for each in verdict(str(write("net.yaml", text))).problems]

    assert said(f"{found}") == said(f"{{within: {found}}}") == said("{within: 1e12}") == []
    assert said("1e+1") or said("10") == [f"expect.{key}:{len(key) + 12} the file promises 10, the graph has {found:,}"]
    assert said("{within: 1.5e3}") == [
        f"expect.{key}.within:{len(key) + 21} the file promises at most 1,500, the graph has {found:,}"
    ]


def test_a_limit_is_kept_out_of_the_list_of_presets_and_of_other_files(write: Write) -> None:
    write("parent.yaml", "defaults: [yolo_v8_xs_backbone, _self_]\nexpect: {activation_memory: {within: 1}}\n")
    child = write("child.yaml", "defaults: [parent, _self_]\n")
    assert not verdict(str(child)).problems
    assert CliRunner().invoke(cli, ["validate", str(child)]).exit_code == 0
