"""Any block in any family, with any activation, norm, scale and outputs: all compile, train, save, load, fuse."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import yaml
from support.drawn_configs import blocks
from support.oracle import largest_relative_difference, random_images, trained
from support.samples import sampled

import archdsl
from archdsl.blocks.registry import all_blocks
from archdsl.frontend.compose.config import load
from archdsl.frontend.compose.search_path import config_root
from archdsl.ir.ops import ACTIVATIONS
from archdsl.models import fuse

COMBINATIONS = 500
SAMPLE = [165, 199, 299, 331]
"""Of every run: each kind of norm, each padding and each stage."""

FAMILIES = {path.stem: load(path).values for path in sorted((config_root() / "family").glob("*.yaml"))}
APART = {"hrnet", "nasnet", "unet", "yolo_12"}  # whose stages have several maps, or whose image has one size
UNTRAINED = {"efficientnet"}  # it normalises the image by statistics, which random numbers are not
FAMILIES = {
    name: values
    for name, values in FAMILIES.items()
    if name not in APART | UNTRAINED and {"p3", "p4", "p5"} <= {*values.get("stages", {})}
}
BODIES = sorted(block.name for block in blocks(taking="width"))
NORMS: list[dict[str, Any]] = [
    {"kind": "batch"},
    {"kind": "sync_batch"},
    {"kind": "group", "groups": 2},
    {"kind": "none"},
]
PLAIN = {"width": 256, **dict.fromkeys(("stride", "stride_at", "first", "dilation"))}
"""Nothing of what a ResNet's stage says, and a width where Inception's has none."""
HALVING = {"block": "conv_bn_act", "kernel": 3, "stride": 2}


def combination(seed: int) -> dict[str, Any]:
    """A family with another block in one of its stages, another activation, norm, size and other outputs.

    Every family, body, activation and norm has its turn: the seed counts through them at steps that share no factor.
    """
    choose = random.Random(seed)
    family = list(FAMILIES)[seed % len(FAMILIES)]
    stage = choose.choice(["p3", "p4", "p5"])
    levels = [level for level, said in FAMILIES[family]["stages"].items() if said]
    return {
        "defaults": [f"family/{family}", "_self_"],
        "conventions": {
            "activation": ACTIVATIONS[seed // 3 % len(ACTIVATIONS)],
            "padding": choose.choice(["same", "symmetric"]),
            "norm": choose.choice(NORMS),
        },
        "scale": {"width": choose.choice([0.0625, 0.125]), "depth": choose.choice([0.1, 0.34]), "divisor": 16},
        "stages": {
            stage: {
                **PLAIN,
                "down": {**unsaid(family, stage, "down"), **HALVING},
                "body": {**unsaid(family, stage, "body"), **body(BODIES[seed // 2 % len(BODIES)])},
            }
        },
        "outputs": sorted(choose.sample(levels, choose.randint(1, len(levels)))),
    }


def unsaid(family: str, stage: str, slot: str) -> dict[str, None]:
    """What takes away all that the family says to the block in a slot."""
    places = [FAMILIES[family].get("stage_defaults", {}), FAMILIES[family]["stages"][stage]]
    return {key: None for said in places for key in said.get(slot) or {}}


def body(name: str) -> dict[str, Any]:
    """A body that keeps the map's size, without what the family says to the block that stood there."""
    stride = {"stride": 1} if "stride" in all_blocks()[name].parameters else {}
    return {"block": name, **stride}


def test_every_family_body_activation_and_norm_is_among_the_combinations() -> None:
    drawn = [combination(seed) for seed in range(COMBINATIONS)]
    assert {config["defaults"][0] for config in drawn} == {f"family/{name}" for name in FAMILIES}
    assert {stage["body"]["block"] for config in drawn for stage in config["stages"].values()} == set(BODIES)
    assert {config["conventions"]["activation"] for config in drawn} == set(ACTIVATIONS)
    assert {config["conventions"]["norm"]["kind"] for config in drawn} == {norm["kind"] for norm in NORMS}
    kept = [combination(seed) for seed in SAMPLE]
    assert {config["conventions"]["norm"]["kind"] for config in kept} == {norm["kind"] for norm in NORMS}
    assert {config["conventions"]["padding"] for config in kept} == {"same", "symmetric"}
    assert {stage for config in kept for stage in config["stages"]} == {"p3", "p4", "p5"}
    assert {"c2f", "csp", "elan", "rep_ncsp_elan", "rep_conv", "ghost_conv", "preact_basic", "residual"} <= set(BODIES)


@pytest.mark.parametrize("seed", sampled(range(COMBINATIONS), SAMPLE))
def test_a_combination_trains_saves_loads_and_fuses_to_the_same_numbers(seed: int, tmp_path: Path) -> None:
    config = combination(seed)
    print(yaml.safe_dump(config, sort_keys=False))  # shown when it fails
    model = trained(config)
    assert model.count_params() == archdsl.analyze(config).params
    assert list(model.features().output) == [level.upper() for level in config["outputs"]]
    check_gradients(model)
    model.save(tmp_path / "model.keras")
    assert largest_relative_difference(model, keras.models.load_model(tmp_path / "model.keras"), (96, 128)) == 0
    fused = largest_relative_difference(model, archdsl.fuse(model), (96, 128))
    # Random weights can make a deep model blow up float32's own rounding beyond what fusing changes.
    assert fused < 1e-4 or fused < 1e-4 + 2 * float_rounding(model)


def float_rounding(model: archdsl.Backbone) -> float:
    """How far float32 is from double precision, over all maps."""
    images = random_images(np.random.default_rng(1), 96, 128)
    single, double = fuse._all_levels(model)(images, training=False), fuse._maps(model, images, "float64")
    pairs = zip(double, single, strict=True)
    return max(fuse.relative_difference(exact, np.asarray(rounded)) for exact, rounded in pairs)


def check_gradients(model: archdsl.Backbone) -> None:
    """One step back from the sum of squares of all maps reaches every trainable weight with finite numbers."""
    import tensorflow

    images = random_images(np.random.default_rng(0), 96, 128)
    everything = model.features(model.graph.levels)
    with tensorflow.GradientTape() as tape:
        maps = [*everything(images, training=True).values(), model(images, training=True)]
        loss = sum(tensorflow.reduce_mean(tensorflow.square(found)) for found in maps)
    gradients = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
    lost = [weight.path for weight, found in zip(model.trainable_weights, gradients, strict=True) if found is None]
    assert not lost
    assert all(np.isfinite(np.asarray(found)).all() for found in gradients)
