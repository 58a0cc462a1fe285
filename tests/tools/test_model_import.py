"""archdsl import MODEL.keras: a Keras model as YAML, or with its weights as one .safetensors file."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copyfile
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras import layers
from support import TESTS

import archdsl
from archdsl.tools.cli import main

FILES = TESTS / "models" / "files"


def small() -> keras.Model:
    image = keras.Input((32, 32, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="first")(image)
    for number in range(5):
        y = layers.Conv2D(8, 3, padding="same", use_bias=False, name=f"unit{number}_conv")(x)
        y = layers.ReLU(name=f"unit{number}_relu")(layers.BatchNormalization(name=f"unit{number}_bn")(y))
        x = layers.Add(name=f"unit{number}_add")([x, y])
    return keras.Model(image, x, name="small")


def numbers(model: Any) -> np.ndarray:
    return np.array(model(np.random.default_rng(0).normal(size=(1, 32, 32, 3)).astype("float32")))


def test_a_keras_file_becomes_a_config_that_a_person_can_read(run: Any, tmp_path: Path) -> None:
    model = small()
    model.save(tmp_path / "a.keras")
    done = run("import", "a.keras", "-o", "a.yaml")
    assert (done.returncode, done.stdout) == (0, f"a.yaml: a, {model.count_params():,} parameters\n"), done.stderr
    config = archdsl.config_of(model)
    assert config["stages"]["p1"]["depth"] == 5
    assert (tmp_path / "a.yaml").read_text().count("\n") == 15
    assert archdsl.analyze(tmp_path / "a.yaml").params == model.count_params()


def test_with_its_weights_it_is_one_file_that_gives_the_same_numbers(tmp_path: Path) -> None:
    model = small()
    model.save(tmp_path / "a.keras")
    main(["import", str(tmp_path / "a.keras"), "-o", str(tmp_path / "a.safetensors")])
    assert np.array_equal(numbers(archdsl.build_from_config(tmp_path / "a.safetensors")), numbers(model))


def test_a_whole_model_in_hdf5_as_keras_2_wrote_it_gives_its_numbers(run: Any, tmp_path: Path) -> None:
    """support/keras2_model.py wrote it, and what Keras 2 computed."""
    main(["import", str(FILES / "keras2.h5"), "-o", str(tmp_path / "a.safetensors")])
    wanted = np.load(FILES / "keras2.npy")
    assert np.allclose(numbers(archdsl.build_from_config(tmp_path / "a.safetensors")), wanted, atol=1e-6)
    assert np.ptp(wanted) > 0.01
    done = run("import", str(FILES / "keras2.h5"), "-o", "b.yaml")
    assert (done.returncode, archdsl.analyze(tmp_path / "b.yaml").params) == (0, 333), done.stderr


@pytest.mark.parametrize("name", ["keras2_nested", "keras2_sequential"])
def test_models_in_models_as_keras_2_wrote_them_give_their_numbers(tmp_path: Path, name: str) -> None:
    """Rows of layers that were made before it was known what they read, called twice; layers that are frozen."""
    main(["import", str(FILES / f"{name}.h5"), "-o", str(tmp_path / "a.safetensors")])
    wanted = np.load(FILES / f"{name}.npy")
    found = numbers(archdsl.build_from_config(tmp_path / "a.safetensors"))
    assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()
    assert np.ptp(wanted) > 0.01


def test_a_row_of_layers_as_the_first_keras_2_wrote_it_says_what_it_reads_in_its_first_layer(tmp_path: Path) -> None:
    copyfile(FILES / "keras2_sequential.h5", tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        described = json.loads(file.attrs["model_config"])
        described["config"] = described["config"]["layers"][1:]
        file.attrs["model_config"] = json.dumps(described)
    main(["import", str(tmp_path / "a.h5"), "-o", str(tmp_path / "a.safetensors")])
    wanted = np.load(FILES / "keras2_sequential.npy")
    assert np.allclose(numbers(archdsl.build_from_config(tmp_path / "a.safetensors")), wanted, rtol=1e-5)


def test_a_row_of_layers_becomes_a_config(tmp_path: Path) -> None:
    image, conv = keras.Input((32, 32, 3)), layers.Conv2D(4, 3, strides=2)
    model = keras.Sequential([image, conv, layers.ReLU(), layers.GlobalAveragePooling2D(), layers.Dense(5)])
    model.save(tmp_path / "a.h5")
    main(["import", str(tmp_path / "a.h5"), "-o", str(tmp_path / "a.safetensors")])
    assert np.allclose(numbers(archdsl.build_from_config(tmp_path / "a.safetensors")), numbers(model), rtol=1e-5)


def test_a_whole_model_in_hdf5_with_a_model_inside_as_keras_3_writes_it(tmp_path: Path) -> None:
    inner = keras.Sequential([keras.Input((16, 16, 8)), layers.Conv2D(8, 1), layers.BatchNormalization()], name="inner")
    plain = small()
    model = keras.Model(plain.inputs[0], inner(plain.outputs[0]), name="outer")
    draw = np.random.default_rng(2)
    model.set_weights([draw.uniform(0.2, 0.6, array.shape) for array in model.get_weights()])
    model.save(tmp_path / "a.h5")
    main(["import", str(tmp_path / "a.h5"), "-o", str(tmp_path / "a.safetensors")])
    assert np.allclose(numbers(archdsl.build_from_config(tmp_path / "a.safetensors")), numbers(model), rtol=1e-5)


def test_weights_alone_in_hdf5_are_not_a_model(run: Any, tmp_path: Path) -> None:
    small().save_weights(tmp_path / "a.weights.h5")
    done = run("import", "a.weights.h5", "-o", "a.yaml")
    assert done.returncode == 2
    assert "it has weights, and nothing that describes a model" in done.stderr


def test_everything_that_cannot_be_said_is_named_and_nothing_is_run(run: Any, tmp_path: Path) -> None:
    @keras.saving.register_keras_serializable("import_tests")
    class Own(layers.Layer):
        def call(self, x: Any) -> Any:
            return x

    image = keras.Input((8, 8, 3))
    x = layers.Lambda(lambda each: __import__("pytest") and each, name="twice")(image)
    keras.Model(image, Own(name="mine")(x)).save(tmp_path / "a.keras")
    done = run("import", "a.keras", "-o", "a.yaml")
    assert done.returncode == 2
    assert "'Lambda'" in done.stderr and "twice" in done.stderr
    assert "'Own'" in done.stderr and "mine" in done.stderr
    assert not (tmp_path / "a.yaml").exists()


def test_layers_without_words_are_named_at_once(run: Any, tmp_path: Path) -> None:
    image = keras.Input((8, 8, 3))
    x = layers.GaussianNoise(0.1, name="noise")(image)
    keras.Model(image, layers.DepthwiseConv2D(3, depth_multiplier=2, name="deep")(x)).save(tmp_path / "a.keras")
    done = run("import", "a.keras", "-o", "a.yaml")
    assert done.returncode == 2
    assert "'noise'" in done.stderr and "'deep'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "fact"),
    [
        (["a.keras", "-o", "a.keras"], "ends in .yaml or .safetensors"),
        (["b.keras", "-o", "a.yaml"], "there is no such model file"),
        (["a.keras", "-o", "a.yaml", "--scale", "n"], "takes no other arguments"),
        (["a.keras", "stages=null", "-o", "a.yaml"], "takes no other arguments"),
    ],
)
def test_other_calls_are_refused_before_keras_is_imported(
    run: Any, tmp_path: Path, arguments: list[str], fact: str
) -> None:
    (tmp_path / "a.keras").write_bytes(b"")
    done = run("import", *arguments)
    assert done.returncode == 2
    assert fact in done.stderr
    assert "importing" not in done.stderr
