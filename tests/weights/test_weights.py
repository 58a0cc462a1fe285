"""Weight files that keras_cv wrote give keras_cv's numbers, whatever layout they have."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras.src.utils.naming import to_snake_case
from support.keras_cv_files import ALL_LAYOUTS, PRESETS, SAMPLE, SMALL, images, ours, preset, write_files

import archdsl
from archdsl import weights
from archdsl.weights.naming import snake_case

TOLERANCE = 1e-5  # of the largest value of the map


@pytest.fixture(scope="module")
def built() -> Callable[[str], archdsl.Backbone]:
    """Our model of an architecture, built once, with weights that no file has."""
    kept: dict[str, archdsl.Backbone] = {}

    def build(name: str) -> archdsl.Backbone:
        model = kept.setdefault(name, None) or ours(name)
        kept[name] = model
        model.set_weights([np.full(weight.shape, 0.5, "float32") for weight in model.weights])
        return model

    return build


@pytest.mark.parametrize("layout", ALL_LAYOUTS)
@pytest.mark.parametrize("name", [*SMALL, *SAMPLE])
def test_a_file_of_keras_cv_gives_keras_cvs_numbers(name: str, layout: str, keras_cv_files: Path, built: Any) -> None:
    assert_same_numbers(built(name), keras_cv_files / name, layout)


@pytest.mark.full
@pytest.mark.parametrize("name", PRESETS)
def test_every_layout_of_every_preset_gives_keras_cvs_numbers(name: str, tmp_path: Path) -> None:
    write_files(tmp_path, {name: preset(name)})
    model = ours(name)
    for layout in ALL_LAYOUTS:
        model.set_weights([np.full(weight.shape, 0.5, "float32") for weight in model.weights])
        assert_same_numbers(model, tmp_path / name, layout)
    shutil.rmtree(tmp_path)  # up to two gigabytes


def assert_same_numbers(model: archdsl.Backbone, folder: Path, layout: str) -> None:
    transfer = weights.load(model, folder / layout)
    expected = np.load(folder / f"{layout[0]}.npy")
    largest = np.abs(expected).max()
    assert 1e-2 < largest < 1e6, "the weights make values vanish or explode"
    assert np.abs(expected[0] - expected[1]).max() > 1e-3 * largest, "the image must matter"
    difference = np.abs(np.asarray(model(images(), training=False)) - expected).max() / largest
    print(f"{folder.name} {layout}: largest relative difference {difference:.1e}, by {transfer.matched_by}")
    assert difference <= TOLERANCE
    assert not transfer.left
    assert not transfer.unused


def test_a_file_of_a_compiled_and_trained_model_loads(tmp_path: Path) -> None:
    """Its optimizer's state is beside the layers."""
    model = ours("yolo")
    model.compile("adam", "mse", jit_compile=False)
    model.fit(images(), np.zeros(model(images()).shape), verbose=0)
    other = ours("yolo")
    for name in ("a.weights.h5", "a.keras", "a.h5"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras calls .h5 legacy
            (model.save_weights if "weights" in name else model.save)(tmp_path / name)
        other.set_weights([np.zeros(weight.shape) for weight in other.weights])
        weights.load(other, tmp_path / name)
        assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), other.get_weights(), strict=True)), name


def test_a_level_beside_the_path_to_the_output_is_loaded_too(tmp_path: Path) -> None:
    config = {
        "stem": {"conv": {"block": "conv_bn_act", "width": 8, "stride": 2}},
        "stages": {"a": {"width": 8, "body": {"block": "conv"}}, "b": {"width": 4, "body": {"block": "conv"}}},
    }
    config["stages"]["c"] = {"width": 4, "body": {"block": "conv", "from": "a"}}
    model, other = archdsl.build_from_config(config), archdsl.build_from_config(config)
    for name in ("a.weights.h5", "a.safetensors"):
        weights.save(model, tmp_path / name)
        other.set_weights([np.zeros(weight.shape) for weight in other.weights])
        weights.load(other, tmp_path / name)
        assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), other.get_weights(), strict=True))


def test_a_class_is_written_in_a_path_as_keras_writes_it() -> None:
    classes = [name for name in dir(keras.layers) if name[0].isupper()]
    assert "Conv2DTranspose" in classes
    assert [snake_case(name) for name in classes] == [to_snake_case(name) for name in classes]


def test_a_bfloat16_model_is_read_back(tmp_path: Path) -> None:
    keras.config.set_dtype_policy("bfloat16")
    try:
        model = ours("yolo")
    finally:
        keras.config.set_dtype_policy("float32")
    model.save_weights(tmp_path / "a.weights.h5")
    other = ours("yolo")
    weights.load(other, tmp_path / "a.weights.h5")
    assert all(
        np.array_equal(np.asarray(keras.ops.cast(a, "float32")), np.asarray(b))
        for a, b in zip(model.weights, other.weights, strict=True)
    )
