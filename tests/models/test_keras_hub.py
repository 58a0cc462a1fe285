"""A backbone from here inside keras_hub's RetinaNet: built, trained, saved and loaded as keras_hub's own are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import archdsl

keras_hub = pytest.importorskip("keras_hub")
pytestmark = pytest.mark.keras
IMAGES = np.random.default_rng(0).uniform(0, 255, (2, 128, 128, 3)).astype("float32")
PYRAMIDS = {  # which of the backbone's levels keras_hub takes, and what it makes of them
    "yolo_v8_xs_backbone": (3, 7, False),
    "resnet18_v2": (2, 6, True),
    "efficientnet_b0_backbone": (3, 5, False),
}


def retinanet(preset: str) -> tuple[archdsl.Backbone, Any]:
    keras.utils.set_random_seed(0)
    backbone = archdsl.build_from_config(preset)
    least, most, use_p5 = PYRAMIDS[preset]
    return backbone, keras_hub.models.RetinaNetBackbone(backbone, min_level=least, max_level=most, use_p5=use_p5)


@pytest.mark.parametrize("preset", PYRAMIDS)
def test_a_retinanet_of_keras_hub_reads_the_levels_of_a_backbone(preset: str) -> None:
    backbone, network = retinanet(preset)
    least, most, _ = PYRAMIDS[preset]
    maps = {name: np.asarray(each) for name, each in network(IMAGES).items()}
    sides = {f"P{level}": (2, 128 // 2**level, 128 // 2**level, 256) for level in range(least, most + 1)}
    assert {name: each.shape for name, each in maps.items()} == sides
    levels = [f"P{level}" for level in range(least, min(most, 5) + 1)]
    expected = network.get_layer("fpn")(backbone.features(levels)(IMAGES))
    for name, each in expected.items():
        np.testing.assert_allclose(maps[name], np.asarray(each), rtol=1e-4, atol=1e-4)


def test_it_trains_and_is_saved_with_its_backbone(tmp_path: Path) -> None:
    backbone, network = retinanet("yolo_v8_xs_backbone")
    before = [each.copy() for each in backbone.get_weights()]
    network.compile("sgd", loss="mse", jit_compile=False)
    network.train_on_batch(IMAGES, {name: np.ones(each.shape) for name, each in network(IMAGES).items()})
    changed = [not np.array_equal(one, other) for one, other in zip(before, backbone.get_weights(), strict=True)]
    assert np.mean(changed) > 0.9
    network.save(tmp_path / "net.keras")
    again = keras.models.load_model(tmp_path / "net.keras")
    assert isinstance(again.image_encoder, archdsl.Backbone) and again.image_encoder.config == backbone.config
    for name, each in network(IMAGES, training=False).items():
        np.testing.assert_allclose(
            np.asarray(each), np.asarray(again(IMAGES, training=False)[name]), rtol=1e-5, atol=1e-5
        )
