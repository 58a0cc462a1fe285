"""Fusing: the same numbers from fewer layers and parameters, or no model at all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import yaml
from support.graphs import graph_of, image_of, kinds
from support.oracle import largest_relative_difference, random_images, trained

import archdsl
from archdsl.ir.graph import Graph
from archdsl.ir.node import Node, Op
from archdsl.ir.ops import (
    Activation,
    Add,
    BatchNorm,
    Conv2D,
    DepthwiseConv2D,
    GroupNorm,
    Pad,
    Rescale,
    SpaceToDepth,
)
from archdsl.ir.passes import PASSES, run_passes
from archdsl.ir.passes.fold_batch_norm import fold_batch_norm
from archdsl.models import fuse
from archdsl.tools.cli import cli

Run = Callable[..., subprocess.CompletedProcess[str]]

REP = {
    "conventions": {"activation": "silu", "padding": "symmetric"},
    "stem": {"conv": {"block": "conv_bn_act", "width": 8, "kernel": 3, "stride": 2}},
    "stage_defaults": {"down": {"block": "rep_conv", "stride": 2}, "body": {"block": "rep_conv"}, "depth": 2},
    "stages": {"p2": {"width": 8}, "p3": {"width": 12}},
    "outputs": ["p2", "p3"],
}

SIDE_LEVEL = "+stages.side={width: 8, down: null, depth: 1, body: {block: conv_bn_act, from: p2}}"
SMALL = ["++scale.width=0.25"]  # the layers, which take the time to build, are those of the preset
EXTRAS = "+stages.p3.post={se: {block: squeeze_excite}, cbam: {block: cbam}, ghost: {block: ghost_conv, width: 8}}"


MODELS: dict[str, tuple[Any, list[str], dict[str, int]]] = {
    # what is fused, and how many operations of these kinds are left
    "YOLOv8": ("yolo_v8_xs_backbone", [], {"BatchNorm": 0, "Rescale": 0, "Pad": 5}),  # five of stride 2
    "CSPDarkNet": ("csp_darknet_tiny", SMALL, {"BatchNorm": 0, "Rescale": 0}),
    "CSPDarkNet, dense": (
        "csp_darknet_tiny",
        [*SMALL, "stage_defaults.body.depthwise=false"],
        {"BatchNorm": 0, "Rescale": 0},
    ),
    "ResNetV2": ("resnet18_v2", SMALL, {"BatchNorm": 9, "Rescale": 0}),  # one before each of 8 blocks, one at the end
    "Darknet": ("darknet53_backbone", [*SMALL, "scale.depth=0.2"], {"BatchNorm": 0, "Rescale": 0}),
    "YOLOv9": ("yolo_v9_s_backbone", SMALL, {"BatchNorm": 0, "Rescale": 0}),
    "RepConv": (REP, [], {"BatchNorm": 0, "Pad": 3, "Conv2D": 7, "Add": 0}),
    "RepConv, same": (REP, ["conventions.padding=same"], {"BatchNorm": 0, "Conv2D": 9, "Add": 2}),
    "RepConv, no norm": (REP, ["+conventions.norm={kind: none}"], {"Conv2D": 7, "Add": 0}),
    "RepConv, group norm": (
        REP,
        ["+conventions.norm={kind: group, groups: 4}", "+input.rescale=true"],
        {"GroupNorm": 17, "Add": 6, "Rescale": 0},
    ),
    "RepConv, groups": (REP, ["+stage_defaults.body.groups=4"], {"BatchNorm": 0, "Conv2D": 7, "Add": 0}),
    "a level beside the output": (REP, [SIDE_LEVEL], {"BatchNorm": 0, "Conv2D": 8}),
    "attention and ghosts": (REP, [EXTRAS], {"BatchNorm": 0}),
    "no rescaling": (REP, ["+input.rescale=false"], {"BatchNorm": 0, "Conv2D": 7}),
}


@cache
def model_and_fused(name: str) -> tuple[archdsl.Backbone, archdsl.Backbone]:
    """Made once; a test that changes one makes its own."""
    config, overrides, _ = MODELS[name]
    model = trained(config, *overrides)
    return model, archdsl.fuse(model)


@pytest.mark.parametrize("name", MODELS)
def test_a_fused_model_gives_the_same_numbers_with_fewer_layers(name: str) -> None:
    left = MODELS[name][2]
    model, fused = model_and_fused(name)
    assert largest_relative_difference(model, fused, (96, 160)) < 1e-4
    counts = kinds(fused.graph)
    assert {kind: counts[kind] for kind in left} == left
    assert len(fused.graph.nodes) < len(model.graph.nodes)
    assert fused.count_params() == sum(weight.size for node in fused.graph.nodes for weight in node.weights)


def test_a_rep_conv_is_one_convolution_in_the_end() -> None:
    model, fused = model_and_fused("RepConv")
    down = [node for node in model.graph.nodes if node.name.startswith("p2_down")]
    assert sum(weight.size for node in down for weight in node.weights) == (9 + 1) * 8 * 8 + 2 * 4 * 8
    stem = 9 * 3 * 8 + 8
    p2, p3 = 3 * (9 * 8 * 8 + 8), (9 * 8 * 12 + 12) + 2 * (9 * 12 * 12 + 12)
    assert fused.count_params() == stem + p2 + p3


def test_the_levels_and_the_names_are_those_of_the_config() -> None:
    model, fused = model_and_fused("YOLOv9")
    assert list(fused.graph.levels) == list(model.graph.levels)
    assert list(fused.graph.outputs) == list(model.graph.outputs)
    assert fused.pyramid_level_inputs == model.pyramid_level_inputs
    assert (fused.name, fused.config) == (model.name, model.config)
    origins = {node.name: node.origin for node in model.graph.nodes}
    assert all(node.origin == origins[node.name] for node in fused.graph.nodes)
    for layer in fused.layers:
        assert type(layer).__module__.startswith("keras.")


def test_the_model_before_is_not_touched() -> None:
    model = trained(REP)
    weights, graph = model.get_weights(), str(model.graph)
    archdsl.fuse(model)
    assert str(model.graph) == graph
    assert all(np.array_equal(old, new) for old, new in zip(weights, model.get_weights(), strict=True))


def test_fusing_again_changes_nothing() -> None:
    _, fused = model_and_fused("RepConv")
    assert archdsl.fuse(fused) is fused
    graph, _ = run_passes(fused.graph)
    assert graph is fused.graph


def test_saved_in_safe_mode_it_gives_the_same(tmp_path: Path) -> None:
    _, fused = model_and_fused("RepConv")
    fused.save(tmp_path / "fused.keras")
    loaded = keras.saving.load_model(tmp_path / "fused.keras", safe_mode=True)
    assert str(loaded.graph) == str(fused.graph)
    assert loaded.passes == tuple(PASSES)
    assert archdsl.fuse(loaded) is loaded
    assert largest_relative_difference(loaded, fused, (64, 96)) == 0


def test_its_plain_copy_loads_where_archdsl_is_not(tmp_path: Path) -> None:
    _, fused = model_and_fused("RepConv")
    image = random_images(np.random.default_rng(0), 64, 96)
    fused.to_keras().save(tmp_path / "plain.keras")
    np.save(tmp_path / "image.npy", image)
    np.save(tmp_path / "expected.npy", np.asarray(fused(image)))
    program = """
import sys
sys.modules["archdsl"] = None  # importing it fails
import keras, numpy as np
model = keras.saving.load_model("plain.keras", safe_mode=True)
assert np.abs(np.asarray(model(np.load("image.npy"))) - np.load("expected.npy")).max() == 0
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)


def test_an_unknown_pass_in_a_file_is_refused() -> None:
    config = model_and_fused("RepConv")[1].get_config()
    with pytest.raises(archdsl.ArchError, match="no pass 'fold_time'; expected one of: fold_rescale"):
        archdsl.Backbone.from_config({**config, "passes": ["fold_time"]})


def forgetful(graph: Graph, weights: Any) -> Any:
    """Folds the batch norms, but loses a tenth of one bias on the way."""
    folded, arrays = fold_batch_norm(graph, weights)
    if arrays is None or folded is graph:
        return folded, arrays
    kernel, bias = arrays["stem_conv_conv"]
    return folded, {**arrays, "stem_conv_conv": (kernel, 0.9 * bias)}


def run_shapes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes of the batches that functional models are called with from now on."""
    shapes: list[tuple[int, ...]] = []
    call = keras.Model.__call__

    def recorded(model: Any, batch: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(batch, np.ndarray):
            shapes.append(batch.shape)
        return call(model, batch, *arguments, **options)

    monkeypatch.setattr(keras.Model, "__call__", recorded)
    return shapes


def test_a_model_of_large_images_is_checked_with_small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    model = archdsl.build_from_config(REP, input_shape=(640, 640, 3))
    shapes = run_shapes(monkeypatch)
    assert archdsl.fuse(model).input_shape == (None, 640, 640, 3)
    assert shapes == [(2, 64, 72, 3)] * 2


@pytest.mark.parametrize(("kernel", "side"), [(3, 64), (15, 64), (17, 72)])
def test_the_check_has_a_pixel_for_every_weight(kernel: int, side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A map at stride 8 of 64 pixels has 8 rows, in which a kernel of 15 is used whole, and one of 17 is not."""
    model = archdsl.build_from_config(
        REP, [f"+stages.p3.post={{conv: {{block: conv_bn_act, width: 4, kernel: {kernel}}}}}"]
    )
    shapes = run_shapes(monkeypatch)
    archdsl.fuse(model)
    assert shapes == [(2, side, side + 8, 3)] * 2


def test_jax_is_told_to_keep_double_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    entered: list[bool] = []

    @contextmanager
    def enable_x64(new: bool) -> Iterator[None]:
        entered.append(new)
        yield

    monkeypatch.setitem(sys.modules, "jax", SimpleNamespace(enable_x64=enable_x64))
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with fuse._float64_enabled():
        assert entered == [True]
    monkeypatch.setitem(sys.modules, "jax", SimpleNamespace())  # where it was before JAX 0.8
    monkeypatch.setitem(sys.modules, "jax.experimental", SimpleNamespace(enable_x64=enable_x64))
    with fuse._float64_enabled():
        assert entered == [True, True]


def test_where_single_precision_differs_double_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = model_and_fused("RepConv")
    exact, tried = fuse._maps, []

    def rounded(model: archdsl.Backbone, batch: Any, dtype: str) -> list[Any]:
        tried.append(dtype)
        return [each * (1 + len(tried) / 1000 * (dtype == "float32")) for each in exact(model, batch, dtype)]

    monkeypatch.setattr(fuse, "_maps", rounded)
    archdsl.fuse(model)
    assert tried == ["float32", "float32", "float64", "float64"]


def test_a_fold_that_changes_the_numbers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model, _ = model_and_fused("RepConv")
    monkeypatch.setitem(PASSES, "fold_batch_norm", forgetful)
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.fuse(model)
    assert [problem.code for problem in caught.value.problems] == ["fuse"] * 3
    assert "level P2 of" in caught.value.problems[1].message


def test_a_model_that_gives_no_numbers_is_refused() -> None:
    model = trained(REP)
    layer = model.get_layer("stem_conv_conv")
    layer.set_weights([np.full(layer.kernel.shape, np.nan)])
    with pytest.raises(archdsl.ArchError, match="differs by nan"):
        archdsl.fuse(model)


def test_only_a_backbone_is_fused() -> None:
    with pytest.raises(archdsl.ArchError, match=r"is not an archdsl\.Backbone"):
        archdsl.fuse(model_and_fused("RepConv")[0].to_keras())


def test_a_model_of_lower_precision_stays_one() -> None:
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = trained(REP)
    finally:
        keras.config.set_dtype_policy("float32")
    fused = archdsl.fuse(model)
    assert fused.dtype_policy.name == "mixed_float16"
    assert largest_relative_difference(model, fused, (64, 96)) < 0.02


def test_keras_cvs_classes_are_fused_too() -> None:
    model = archdsl.models.YOLOV8Backbone([8, 8, 16, 16], [1, 1, 1, 1], include_rescaling=True, input_shape=(64, 64, 3))
    fused = archdsl.fuse(model)
    assert largest_relative_difference(model, fused, (64, 64)) < 1e-4
    assert list(fused.pyramid_level_inputs) == ["P2", "P3", "P4", "P5"]


# Single graphs, where a fold is exact and where it is not


def random_weights(graph: Graph) -> dict[str, tuple[np.ndarray, ...]]:
    generator = np.random.default_rng(0)
    return {
        node.name: tuple(generator.uniform(0.5, 1.5, weight.shape) for weight in node.weights)
        for node in graph.nodes
        if node.weights
    }


def values(graph: Graph, weights: Any, image: np.ndarray) -> np.ndarray:
    from archdsl.backends.keras.emit import emit

    tensors = emit(graph)
    model = keras.Model(tensors[graph.input.name], tensors[graph.output.name])
    for name, arrays in weights.items():
        model.get_layer(name).set_weights(arrays)
    return np.asarray(model(image))


def branches(kernel: int, dilation: int = 1, *, op: Callable[..., Op] = Conv2D, pad: int | None = None) -> Node:
    """kernel × kernel + 1 × 1 + identity, of four channels. A `pad` stands before the first."""
    x = image_of()
    shape = {"filters": 4} if op is Conv2D else {}
    padded = x if pad is None else Pad(pad)(x, name="pad")
    padding = "same" if pad is None else "valid"
    dense = BatchNorm()(op(**shape, kernel=kernel, dilation=dilation, padding=padding)(padded, name="dense"), name="a")
    pointwise = BatchNorm()(op(**shape, kernel=1)(x, name="pointwise"), name="b")
    return Add()(dense, pointwise, BatchNorm()(x, name="c"), name="sum")


def rescaled(scale: float, offset: float, *then: Op) -> Node:
    x = Rescale(scale, offset)(image_of(height=8), name="rescale")
    for number, op in enumerate(then):
        x = op(x, name=f"then_{number}")
    return x


def plus_itself(x: Node, *, active: bool) -> Node:
    deep = Conv2D(4, 3)(x, name="conv")
    return Add()(x, Activation("relu")(deep, name="act") if active else deep, name="sum")


EXACT: dict[str, tuple[Node, dict[str, int]]] = {
    "three branches": (branches(3), {"Input": 1, "Conv2D": 1}),
    "three branches, padded": (branches(3, pad=1), {"Input": 1, "Conv2D": 1}),
    "a wide dilated kernel": (branches(5, 2, pad=4), {"Input": 1, "Conv2D": 1}),
    "depthwise branches": (branches(3, op=DepthwiseConv2D), {"Input": 1, "DepthwiseConv2D": 1}),
    "an even kernel": (branches(2), {"Input": 1, "Conv2D": 2, "BatchNorm": 1, "Add": 1}),
    "a residual without activation": (plus_itself(image_of(), active=False), {"Input": 1, "Conv2D": 1}),
    "a residual with activation": (
        plus_itself(image_of(), active=True),
        {"Input": 1, "Conv2D": 1, "Activation": 1, "Add": 1},
    ),
    "two norms in a row": (
        BatchNorm()(BatchNorm()(Conv2D(4, 3)(image_of(), name="conv"), name="one"), name="two"),
        {"Input": 1, "Conv2D": 1},
    ),
    "a norm after a sum": (BatchNorm()(branches(3), name="last"), {"Input": 1, "Conv2D": 1}),
    "group norm": (
        GroupNorm(2)(Conv2D(4, 3)(image_of(), name="conv"), name="norm"),
        {"Input": 1, "Conv2D": 1, "GroupNorm": 1},
    ),
    "a pad that is too wide": (
        Conv2D(4, 3, padding="valid")(Pad(2)(image_of(), name="pad"), name="conv"),
        {"Input": 1, "Pad": 1, "Conv2D": 1},
    ),
    "a pad before a stride": (
        Conv2D(4, 3, 2, "valid")(Pad(1)(image_of(), name="pad"), name="conv"),
        {"Input": 1, "Pad": 1, "Conv2D": 1},
    ),
    "a scale through padding": (
        rescaled(0.1, 0, Pad(1), Conv2D(4, 3, 2, "valid")),
        {"Input": 1, "Pad": 1, "Conv2D": 1},
    ),
    "a scale through focus": (
        rescaled(0.1, 0, SpaceToDepth(), Conv2D(4, 3)),
        {"Input": 1, "SpaceToDepth": 1, "Conv2D": 1},
    ),
    "an offset without padding": (rescaled(0.1, 1, Conv2D(4, 3, padding="valid")), {"Input": 1, "Conv2D": 1}),
    "an offset before depthwise": (
        rescaled(0.1, 1, DepthwiseConv2D(3, padding="valid", bias=True)),
        {"Input": 1, "DepthwiseConv2D": 1},
    ),
    "an offset before padding": (rescaled(0.1, 1, Conv2D(4, 3)), {"Input": 1, "Rescale": 1, "Conv2D": 1}),
    "an offset before a pad": (
        rescaled(0.1, 1, Pad(1), Conv2D(4, 3, 2, "valid")),
        {"Input": 1, "Rescale": 1, "Pad": 1, "Conv2D": 1},
    ),
    "a scale before an activation": (
        rescaled(0.1, 0, Activation("silu"), Conv2D(4, 3)),
        {"Input": 1, "Rescale": 1, "Activation": 1, "Conv2D": 1},
    ),
}


@pytest.mark.parametrize("name", EXACT)
def test_what_can_be_folded_exactly_is_and_nothing_else(name: str) -> None:
    output, left = EXACT[name]
    graph = graph_of(output)
    weights = random_weights(graph)
    fused, folded = run_passes(graph, weights)
    assert dict(kinds(fused)) == left
    image = np.random.default_rng(1).normal(0, 1, (2, 9 if graph.input.type.height == 9 else 8, 12, 4))
    expected, received = values(graph, weights, image), values(fused, folded, image)
    assert fuse.relative_difference(expected, received) < 1e-5
    assert str(run_passes(graph)[0]) == str(fused)  # the same graph without weights


# The command line


@pytest.mark.parametrize("plain", [True, False])
def test_build_writes_a_fused_model(
    plain: bool, write: Callable[[str, str], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = write("net.yaml", yaml.safe_dump(REP))
    cli(
        ["build", str(config), "--fuse", "-o", str(tmp_path / "model.keras"), *["--plain"] * plain],
        standalone_mode=False,
    )
    fused, _ = run_passes(archdsl.compile_config(config))
    params = sum(weight.size for node in fused.nodes for weight in node.weights)
    assert f"{params:,} parameters" in capfd.readouterr().out
    model = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert model.count_params() == params
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers)
