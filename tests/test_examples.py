"""The examples: each runs as it is and does what its text says."""

from __future__ import annotations

import re
from pathlib import Path

import keras
import numpy
import pytest
from PIL import Image
from support import EXAMPLES, warm

import archdsl
from archdsl.analysis.expect import check_expectations
from archdsl.ir.ops import Activation


def run(folder: Path, name: str, *arguments: str) -> str:
    """What an example prints when it is run in an empty folder."""
    result = warm.run(str(EXAMPLES / name), *arguments, folder=folder, keras=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda file: file.stem)
def test_a_config_compiles_and_keeps_what_it_promises(file: Path) -> None:
    costs = archdsl.analyze(file)
    check_expectations(archdsl.frontend.compose.config.load(file), costs)
    for level, info in costs.outputs.items():
        assert info.shape == (640 // info.stride, 640 // info.stride, info.channels)
        assert level[0] != "P" or info.stride == 2 ** int(level[1:])


def test_my_backbone_changes_the_preset_where_it_says_so() -> None:
    file = EXAMPLES / "my_backbone.yaml"
    layers = {layer.path: layer.block for layer in archdsl.analyze(file).layers}
    before = {layer.path: layer.block for layer in archdsl.analyze("yolo_v8_s_backbone").layers}
    assert list(layers) == list(before)
    assert [path for path in layers if layers[path] != before[path]] == ["stages.p3.body", "stages.p4.body"]
    assert list(archdsl.analyze(file).outputs) == ["P2", "P3", "P4", "P5"]
    operations = [node.op for node in archdsl.compile_config(file).nodes]
    assert {operation for operation in operations if isinstance(operation, Activation)} == {Activation("relu")}


def test_from_scratch_is_a_family_that_scales() -> None:
    file = EXAMPLES / "from_scratch.yaml"
    whole, half = archdsl.analyze(file), archdsl.analyze(file, ["scale.width=0.5"])
    assert {level: info.stride for level, info in whole.outputs.items()} == {"P2": 4, "P3": 8, "top_down": 16, "P5": 32}
    assert all(half.outputs[level].channels * 2 == whole.outputs[level].channels for level in whole.outputs)
    maps = archdsl.build_from_config(file).features()(numpy.zeros((1, 64, 96, 3)))
    assert {level: tuple(features.shape[1:3]) for level, features in maps.items()} == {
        "P2": (16, 24),
        "P3": (8, 12),
        "top_down": (4, 6),
        "P5": (2, 3),
    }


def test_add_a_block_gives_the_mobilenet_v2_of_the_paper(tmp_path: Path) -> None:
    printed = run(tmp_path, "add_a_block.py")
    theirs = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(224, 224, 3))
    last = 320 * 1280 + 4 * 1280  # the convolution and norm after the last bottleneck
    assert f"{theirs.count_params() - last:,} parameters" in printed
    assert re.findall(r"^(P\d): \((.*)\)$", printed, re.MULTILINE) == [
        ("P3", "1, 28, 28, 32"),
        ("P4", "1, 14, 14, 96"),
        ("P5", "1, 7, 7, 320"),
    ]
    assert not list(tmp_path.iterdir())


def test_detector_features_trains_and_measures(tmp_path: Path) -> None:
    printed = run(tmp_path, "detector_features.py", "--steps", "3", "--images", "16")
    assert len(re.findall(r"^step +\d+  loss +\d+\.\d+", printed, re.MULTILINE)) == 2
    assert re.search(r"^hit rate \d+\.\d% on 16 held-out images .* by chance \d+\.\d%$", printed, re.MULTILINE)
    assert not list(tmp_path.iterdir())


def test_transfer_learning_is_worth_it_and_comes_out_the_same_again(tmp_path: Path) -> None:
    arguments = ("transfer_learning.py", "--epochs", "3", "--head-epochs", "20")
    printed = run(tmp_path, *arguments)
    trained, untrained, chance = map(float, re.findall(r": (?:accuracy )?(\d+\.\d)%", printed))
    assert trained > untrained + 10
    assert trained > chance + 30
    assert re.findall(r"accuracy.*", run(tmp_path, *arguments)) == re.findall(r"accuracy.*", printed)
    assert not list(tmp_path.iterdir())


def test_hydra_app_takes_overrides_and_leaves_nothing_behind(tmp_path: Path) -> None:
    costs = archdsl.analyze("yolo_v8_s_backbone", ["scale.width=0.375"])
    assert f"{costs.params:,} parameters" in run(tmp_path, "hydra_app.py", "backbone.scale.width=0.375")
    assert not list(tmp_path.iterdir())


def test_hydra_app_sweeps(tmp_path: Path) -> None:
    printed = run(tmp_path, "hydra_app.py", "--multirun", "backbone.scale.width=0.25,0.5")
    for width in (0.25, 0.5):
        costs = archdsl.analyze("yolo_v8_s_backbone", [f"scale.width={width}"])
        assert f"backbone.scale.width={width}: {costs.params:,} parameters" in printed
    assert [path.name for path in tmp_path.iterdir()] == ["multirun"]  # .gitignore lists it


def test_digits_are_searched_for_networks_that_are_accurate_and_cheap(tmp_path: Path) -> None:
    """Two networks of the ten that the example trains."""
    search = ("search", str(EXAMPLES / "search" / "digits.yaml"), "--trials", "2", "-o", str(tmp_path / "found"))
    objective = f"{EXAMPLES / 'search' / 'digits.py'}:accuracy"
    result = warm.run("archdsl", *search, "--objective", objective, folder=tmp_path, keras=True)
    assert result.returncode == 0, result.stderr
    accuracies = re.findall(r"^trial \d+: accuracy (\d\.\d+|1)", result.stdout, re.MULTILINE)
    assert len(accuracies) == 2 and max(map(float, accuracies)) > 0.3  # by chance 0.1
    assert "2 trials" in result.stdout and "the front:" in result.stdout


def test_the_photo_is_small_and_says_where_it_is_from() -> None:
    with Image.open(EXAMPLES / "photo.jpg") as photo:
        assert photo.mode == "RGB" and min(photo.size) >= 400
    assert (EXAMPLES / "photo.jpg").stat().st_size < 200_000
    assert "CC0" in (EXAMPLES / "PHOTO.md").read_text()
