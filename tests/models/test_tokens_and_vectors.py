"""Networks of maps, tokens and vectors as models: counts, weights files, training, saving, fusing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import keras
from support.oracle import largest_relative_difference, trained

import archdsl
from archdsl.backends.keras.arrays import fill
from archdsl.ir.ops import BatchNorm, Conv2D, Dense, TransposedConv2D

VIT = """
input: {shape: [224, 224, 3]}
conventions: {norm: {kind: layer, epsilon: 1e-6}}
stages:
  encoder:
    width: 768
    depth: 12
    pre:
      patches: {block: conv, kernel: 16, stride: 16}
      tokens: {block: to_tokens}
      class: {block: class_token}
      position: {block: position_embedding}
    body: {block: transformer, heads: 12}
    post: {norm: {block: norm}}
head:
  first: {block: first_token}
  logits: {block: dense, units: 1000}
"""
SMALL_VIT = [
    "input.shape=[48,32,3]",
    "stages.encoder.width=12",
    "stages.encoder.depth=2",
    "stages.encoder.body.heads=3",
]
EVERYTHING: dict[str, Any] = {
    "input": {"shape": [32, 48, 3]},
    "conventions": {"activation": "prelu", "padding": "symmetric", "norm": {"scale": False}},
    "stages": {
        "maps": {
            "width": 8,
            "pre": {
                "normalize": {"block": "normalize"},
                "conv": {"block": "conv_bn_act", "kernel": [3, 5], "stride": [2, 1], "bias": True},
                "gate": {"block": "squeeze_excite", "expansion": 0.5, "bias": True, "gate": "hard_sigmoid"},
                "scale": {"block": "layer_scale", "initial": 0.5},
                "up": {"block": "transposed_conv", "kernel": 3, "factor": 2},
                "norm": {"block": "norm", "center": False, "scale": True},
                "attention": {"block": "attention", "heads": 2, "areas": 4},
            },
        }
    },
    "head": {
        "pool": {"block": "global_avg_pool"},
        "hidden": {"block": "dense", "units": 6},
        "norm": {"block": "norm"},
        "scores": {"block": "dense", "units": 5, "activation": "softmax"},
    },
    "outputs": {"scores": "scores"},
}


@pytest.fixture
def vit(tmp_path: Path) -> Path:
    file = tmp_path / "vit.yaml"
    file.write_text(VIT)
    return file


def test_vit_has_the_published_parameters_and_multiplications_counted_by_hand(vit: Path) -> None:
    """ViT-B/16 has 86,567,656 parameters in timm 1.0.31."""
    report = archdsl.analyze(vit, input_shape=(224, 224, 3))
    assert report.params == report.trainable_params == 86_567_656
    patches, tokens, width = 14 * 14, 14 * 14 + 1, 768
    dense = (3 + 1 + 4 + 4) * tokens * width**2  # queries, keys and values; projection; the perceptron
    assert report.macs == patches * 16 * 16 * 3 * width + 12 * (dense + 2 * tokens**2 * width) + width * 1000


@pytest.mark.keras
def test_vit_is_trained_saved_loaded_and_fused(vit: Path, tmp_path: Path) -> None:
    model = archdsl.build_from_config(vit, SMALL_VIT)
    assert model.count_params() == archdsl.analyze(vit, SMALL_VIT, input_shape=(48, 32, 3)).params
    x = np.random.default_rng(0).normal(size=(4, 48, 32, 3)).astype("float32")
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    before = model.get_weights()
    model.fit(x, np.arange(4), epochs=1, verbose=0)
    changed = [not np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True)]
    assert all(changed)
    model.save(tmp_path / "vit.keras")
    loaded = keras.saving.load_model(tmp_path / "vit.keras", safe_mode=True)
    np.testing.assert_array_equal(np.asarray(loaded(x)), np.asarray(model(x)))
    archdsl.weights.save(model, tmp_path / "vit.safetensors")
    again = archdsl.build_from_config(tmp_path / "vit.safetensors")
    np.testing.assert_array_equal(np.asarray(again(x)), np.asarray(model(x)))


def shaken(config: Any) -> archdsl.Backbone:
    """A model with every weight away from its start; what is divided by is positive."""
    model = archdsl.build_from_config(config)
    random = np.random.default_rng(0)
    for layer in model.layers_by_node.values():
        fill(layer, [random.uniform(0.5 if "variance" in each.path else -0.5, 1, each.shape) for each in layer.weights])
    return model


@pytest.mark.keras
def test_a_network_of_everything_keeps_its_numbers(tmp_path: Path) -> None:
    model = shaken(EVERYTHING)
    x = np.random.default_rng(0).normal(size=(2, 32, 48, 3)).astype("float32")
    expected = np.asarray(model(x)["scores"])
    np.testing.assert_allclose(expected.sum(-1), 1, atol=1e-5)
    for file in ("net.safetensors", "net.weights.h5"):
        archdsl.weights.save(model, tmp_path / file)
    model.save(tmp_path / "net.keras")
    filled = archdsl.build_from_config(EVERYTHING)
    archdsl.weights.load(filled, tmp_path / "net.weights.h5")
    for loaded in (
        filled,
        archdsl.build_from_config(tmp_path / "net.safetensors"),
        keras.saving.load_model(tmp_path / "net.keras", safe_mode=True),
    ):
        np.testing.assert_allclose(np.asarray(loaded(x)["scores"]), expected, atol=1e-6)
    fused = archdsl.fuse(model)
    np.testing.assert_allclose(np.asarray(fused(x)["scores"]), expected, rtol=1e-4, atol=1e-6)
    kinds = [type(node.op) for node in fused.graph.nodes]
    assert BatchNorm in kinds  # that of the cropped map
    assert kinds.count(Dense) == 4
    assert {Conv2D, TransposedConv2D} <= {*kinds}


@pytest.mark.keras
@pytest.mark.parametrize("options", [{}, {"center": False}, {"scale": False}, {"center": False, "scale": False}])
@pytest.mark.parametrize(
    "layer",
    [
        {"block": "dense", "units": 5},
        {"block": "dense", "units": 5, "bias": False},
        {"block": "transposed_conv", "width": 5, "kernel": 2},
        {"block": "depthwise_conv", "bias": False},
    ],
    ids=str,
)
def test_a_batch_norm_folds_into_whatever_has_a_kernel(layer: dict[str, Any], options: dict[str, bool]) -> None:
    config = {
        "input": {"shape": [None, None, 3]},
        "stages": {"only": {"post": {"layer": layer, "norm": {"block": "norm", **options}}}},
    }
    model = trained(config)
    fused = archdsl.fuse(model)
    assert len(fused.graph.nodes) == 2
    assert largest_relative_difference(model, fused, (32, 64)) < 1e-4
