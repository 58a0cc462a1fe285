"""Networks that are not shipped, written as a user would: the parameters that torchvision and timm publish for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

import archdsl

FOLDER = Path(__file__).parent / "networks"
NETWORKS = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("file", NETWORKS, ids=lambda file: file.stem)
def test_a_network_has_the_parameters_that_are_published(file: Path) -> None:
    written = yaml.safe_load(file.read_text())
    sides = written.get("input", {}).get("shape", (640, 640, 3))
    report = archdsl.analyze(file, input_shape=sides)
    assert {key: getattr(report, key) for key in written["expect"]} == written["expect"]


def test_a_map_of_one_pixel_is_not_taken_for_one_of_unknown_size() -> None:
    layers = {"mean": {"block": "global_avg_pool", "keep_sides": True}, "sum": {"block": "add", "from": ["p1", "mean"]}}
    config = {"stages": {"p1": {"width": 4, "stride": 2, "body": {"block": "conv"}}}, "neck": layers}
    for side in (None, 32):
        with pytest.raises(archdsl.ArchError, match="one of them has one pixel") as caught:
            archdsl.compile_config(config, input_shape=(side, side, 3))
        assert "block: resize_like" in caught.value.problems[0].hint
    config["neck"] = {**layers, "up": {"block": "resize_like", "from": ["mean", "p1"], "after": "mean"}}
    config["neck"]["sum"] = {"block": "add", "from": ["p1", "up"]}
    assert archdsl.analyze(config, input_shape=(32, 32, 3)).outputs["sum"].shape == (16, 16, 4)


@pytest.mark.keras
def test_deeplab_gives_each_pixel_its_classes_at_any_size() -> None:
    file, size = FOLDER / "deeplab_v3.yaml", (33, 49, 3)
    small = ["scale.width=0.125", "+scale.divisor=8"]
    models = [archdsl.build_from_config(file, small, input_shape=shape) for shape in ((None, None, 3), size)]
    images = np.random.default_rng(0).normal(size=(2, *size)).astype("float32")
    models[1].set_weights(models[0].get_weights())
    one, other = [np.asarray(model(images)) for model in models]
    assert one.shape == (2, 33, 49, 21)
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * np.abs(one).max())
