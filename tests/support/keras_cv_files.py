"""Writes weights files with keras_cv itself:  python keras_cv_files.py {2|3} FOLDER < architectures.json

One run is one version of Keras, which keras_cv takes from TensorFlow when it is imported. Of {name: [class, arguments]}
each gets random weights, is written in every layout that version has, and run on `images()`: FOLDER/name/3.weights.h5,
…, FOLDER/name/3.npy.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

import archdsl
from archdsl.frontend.importers.keras_cv_arguments import arguments_of

LAYOUTS = {
    "3": ("3.weights.h5", "3.keras", "3_whole.h5"),
    "2": ("2.weights.h5", "2.keras", "2.h5", "2_whole.h5"),
}
ALL_LAYOUTS = [layout for layouts in LAYOUTS.values() for layout in layouts]


DARKNET = {"stackwise_channels": [8, 16, 24], "stackwise_depth": [1, 2, 1], "include_rescaling": True}
RESNET = {
    "stackwise_filters": [64, 8, 16],
    "stackwise_blocks": [2, 3, 2],
    "stackwise_strides": [1, 2, 2],
    "include_rescaling": True,
}
SMALL: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "yolo": ("YOLOV8Backbone", DARKNET),
    "csp": ("CSPDarkNetBackbone", DARKNET),
    "csp_depthwise": ("CSPDarkNetBackbone", {**DARKNET, "use_depthwise": True}),
    "resnet": ("ResNetV2Backbone", RESNET),
    "resnet_basic": ("ResNetV2Backbone", {**RESNET, "block_type": "basic_block"}),
}
PRESETS = {
    **{f"yolo_v8_{size}_backbone": "YOLOV8Backbone" for size in ("xs", "s", "m", "l", "xl")},
    **{f"csp_darknet_{size}": "CSPDarkNetBackbone" for size in ("tiny", "s", "m", "l", "xl")},
    **{f"resnet{depth}_v2": "ResNetV2Backbone" for depth in (18, 34, 50, 101, 152)},
}
SAMPLE = ["yolo_v8_xs_backbone"]


def preset(name: str) -> tuple[str, Mapping[str, Any]]:
    """keras_cv's class and the arguments of a preset, which tests/test_keras_cv.py holds against keras_cv's own."""
    return PRESETS[name], {**arguments_of(PRESETS[name], name), "include_rescaling": True}


def ours(name: str) -> archdsl.Backbone:
    """Our model of an architecture."""
    if name in PRESETS:
        return archdsl.build_from_config(name)
    family, arguments = SMALL[name]
    return getattr(archdsl.models, family)(**arguments)


def images() -> np.ndarray:
    """(2, 64, 96, 3), of values 0 … 255 with coarse structure, so that deep maps depend on them."""
    generator = np.random.default_rng(1)
    coarse = generator.uniform(0, 200, (2, 4, 6, 3)).repeat(16, axis=1).repeat(16, axis=2)
    return (coarse + generator.uniform(0, 55, coarse.shape)).astype("float32")


def write_files(folder: Path, architectures: Mapping[str, tuple[str, Mapping[str, Any]]]) -> None:
    """With both versions at once: Keras 3 is that of this process, Keras 2 has one of its own."""
    with ThreadPoolExecutor() as pool:
        other = pool.submit(write_in_keras_2, folder, architectures)
        write("3", folder, architectures)
        other.result()


def write_in_keras_2(folder: Path, architectures: Mapping[str, tuple[str, Mapping[str, Any]]]) -> None:
    subprocess.run(
        [sys.executable, __file__, "2", str(folder)],
        input=json.dumps(architectures),
        env={**os.environ, "TF_USE_LEGACY_KERAS": "1"},
        text=True,
        check=True,
        capture_output=True,
    )


def write(version: str, folder: Path, architectures: Mapping[str, tuple[str, Mapping[str, Any]]]) -> None:
    import keras_cv
    from keras_cv.src.backend import config, keras

    assert config.keras_3() == (version == "3")
    for name, (family, arguments) in architectures.items():
        keras.backend.clear_session()
        model = getattr(keras_cv.models, family)(**arguments)
        randomize(model, keras, np.random.default_rng(zlib.crc32(f"{name} {version}".encode())))
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        for layout in LAYOUTS[version]:
            save = model.save if layout.endswith((".keras", "_whole.h5")) else model.save_weights
            save(str(place / layout))
        np.save(place / f"{version}.npy", np.asarray(model(images(), training=False)))


def randomize(model: Any, keras: Any, generator: np.random.Generator) -> None:
    """Every weight away from its start, statistics near those of real activations, so that values neither vanish."""
    for weight in model.weights:
        weight.assign(random_values(weight.name.split("/")[-1].split(":")[0], tuple(weight.shape), generator))
    norms = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    momentum = {id(norm): norm.momentum for norm in norms}
    for norm in norms:
        norm.momentum = 0.0
        norm.fused = False  # Keras 2 has an operation of its own for it, whose last digits are others
    model(images(), training=True)
    for norm in norms:
        norm.momentum = momentum[id(norm)]
        variance = np.asarray(norm.moving_variance)
        variance = np.maximum(variance, 0.01 * variance.mean() + 1e-6) * generator.uniform(0.8, 1.2, variance.shape)
        norm.moving_variance.assign(variance)
        shift = 0.1 * np.sqrt(variance) * generator.normal(0, 1, variance.shape)
        norm.moving_mean.assign(np.asarray(norm.moving_mean) + shift)


def random_values(kind: str, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    if kind in ("kernel", "depthwise_kernel"):
        inputs = math.prod(shape[:2] if shape[-1] == 1 else shape[:3])
        return generator.normal(0, math.sqrt(2 / inputs), shape)
    if kind in ("gamma", "moving_variance"):
        return generator.uniform(0.5, 1.5, shape)
    return generator.normal(0, 0.3, shape)


if __name__ == "__main__":
    write(sys.argv[1], Path(sys.argv[2]), json.load(sys.stdin))
