"""The same numbers on every backend of Keras, from the same weights: forward, fused, detections, a step of training."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
from support import TESTS
from support.keras_weights import perturbed
from support.on_a_backend import FALL
from support.samples import one_of_each_kind

import archdsl
from archdsl.analysis.trial_images import trial_sides
from archdsl.frontend.compose.config import load

SCRIPT = TESTS / "support" / "on_a_backend.py"
XLA = "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"  # a fifth of the time to compile
PROGRAMS = 200  # that JAX compiles at most: one for a model, one for every size of vector; 700 of single operations
SMALL = ("scale.width=0.125", "scale.depth=0.34")


class Case(NamedTuple):
    """A preset, in a size that is quick to build."""

    config: str
    overrides: tuple[str, ...] = ()
    sides: tuple[int, int] = (64, 96)


SOME = [
    Case("yolo_v8_xs_detect", SMALL),
    Case("yolo_v5_n_detect", SMALL),
    Case("resnet18_v2", ("+scale.width=0.25",)),
    Case("vit_tiny_patch16_classify", ("scale.depth=0.17",)),
]


@pytest.mark.parametrize(("backend", "cases"), [("jax", SOME[:1]), ("torch", SOME)], ids=["jax", "torch"])
def test_a_network_gives_the_same_on_every_backend(backend: str, cases: list[Case], tmp_path: Path) -> None:
    check(backend, cases, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("name", one_of_each_kind())
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_every_family_gives_the_same_on_every_backend(backend: str, name: str, tmp_path: Path) -> None:
    check(backend, [whole(name)], tmp_path)


def whole(name: str) -> Case:
    """A preset as it is, in a size that it takes; but for a softmax, of which no gradient is left where it is sure."""
    classes = load(name).resolved.get("head", {}).get("classes", {})
    overrides = ("head.classes.activation=linear",) if classes.get("activation") == "softmax" else ()
    try:
        archdsl.compile_config(name, overrides, (*Case(name).sides, 3))
    except archdsl.ArchError:
        return Case(name, overrides, trial_sides(archdsl.compile_config(name, overrides)))
    return Case(name, overrides)


def check(backend: str, cases: list[Case], folder: Path) -> None:
    """Run the cases here and on `backend`; all results are equal to 1e-4 of the largest value."""
    expected = [prepared(number, case, folder) for number, case in enumerate(cases)]
    calls = [
        {**case._asdict(), "weights": f"{number}.safetensors", "image": f"{number}.npy"}
        for number, case in enumerate(cases)
    ]
    (folder / "calls.json").write_text(json.dumps(calls))
    environment = {**os.environ, "XLA_FLAGS": XLA, "KERAS_BACKEND": backend}
    subprocess.run([sys.executable, SCRIPT, folder], check=True, env=environment)
    for number, (case, wanted) in enumerate(zip(cases, expected, strict=True)):
        with np.load(folder / f"{number}.npz") as found:
            for name, one in wanted.items():
                for kind in ("model", "fused"):
                    other = found[f"{kind}.{name}"]
                    assert np.abs(other - one).max() <= 1e-4 * max(np.abs(one).max(), 0.01), (case, kind, name)
            trained = {name: found[f"trained.{name}"] for name in wanted}
            assert loss_of(wanted) - loss_of(trained) == pytest.approx(FALL, rel=0.5), (case, "training")
            assert found["programs"] < PROGRAMS and found["kept"] == 0, case
            if "boxes" in wanted:
                assert found["refused"], case
                theirs = {name: found[f"model.{name}"] for name in wanted}  # whose equal scores have an order
                best = archdsl.detections(theirs, confidence=0.0, limit=5)
                own = archdsl.detections(wanted, confidence=0.0, limit=5)
                assert np.allclose(found["detections.scores"], own["scores"], atol=1e-4), case
                assert np.allclose(found["detections.boxes"], best["boxes"], atol=1e-2), case
                assert np.array_equal(found["detections.classes"], best["classes"]), case


def prepared(number: int, case: Case, folder: Path) -> dict[str, Any]:
    """Writes weights and an image, and returns what the model gives here."""
    model = archdsl.build_from_config(case.config, list(case.overrides), weights=False)
    perturbed(model)
    archdsl.weights.save(model, folder / f"{number}.safetensors")
    height, image_width, _ = model.graph.image.shape
    sides = (height or case.sides[0], image_width or case.sides[1])
    image = np.random.default_rng(number).uniform(0, 255, (2, *sides, 3)).astype("float32")
    np.save(folder / f"{number}.npy", image)
    result = model(image, training=False)
    found = result if isinstance(result, dict) else {"": result}
    return {name: keras.ops.convert_to_numpy(each) for name, each in found.items()}


def loss_of(results: dict[str, Any]) -> float:
    weighted = [each * np.arange(1, 1 + each.shape[-1], dtype="float32") for each in results.values()]
    return float(np.log(sum(np.mean(np.square(each)) for each in weighted)))
