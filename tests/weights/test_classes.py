"""A head keeps the numbers of the classes that the file names too, wherever they are in either."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file
from support.torch_files import write

import archdsl
from archdsl import weights

SMALL = ["scale.width=0.03125", "+head.box.bins=4", "+head.boxes.bins=4"]
OURS = ["bird", "dog", "cat"]


def detector(classes: int) -> archdsl.Backbone:
    return archdsl.build_from_config("yolo_v8_s_detect", [*SMALL, f"head.class.classes={classes}"])


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> tuple[archdsl.Backbone, dict[str, Any]]:
    """A detector of two classes with every array drawn, and its state dict."""
    model, file = detector(2), tmp_path_factory.mktemp("source") / "a.safetensors"
    draw = np.random.default_rng(0)
    model.set_weights([draw.uniform(0.2, 0.6, array.shape) for array in model.get_weights()])
    weights.save(model, file, names="torch")
    return model, load_file(file)


@pytest.mark.parametrize("names", [{0: "cat", 1: "dog"}, ["cat", "dog"]], ids=["mapping", "list"])
def test_classes_keep_their_numbers_by_name_and_the_rest_stays_fresh(names: Any, source: Any, tmp_path: Path) -> None:
    known, arrays = source
    write(tmp_path / "a.pt", {"model": arrays, "names": names})
    model = detector(3)
    fresh = keras.ops.convert_to_numpy(model.get_layer("head_class_n3_logits").kernel)
    transfer = weights.load(model, tmp_path / "a.pt", partial=True, classes=OURS)
    assert not transfer.left and not transfer.unused
    made = {each.node: each.made for each in transfer.moved if each.made}
    assert made == {f"head_class_n{level}_logits": "2 of 3 classes by name" for level in (3, 4, 5)}
    kernel = keras.ops.convert_to_numpy(model.get_layer("head_class_n3_logits").kernel)
    assert np.array_equal(kernel[..., 0], fresh[..., 0])
    image = 255 * np.random.default_rng(0).random((1, 64, 64, 3), "float32")
    found, wanted = np.asarray(model(image)["scores"]), np.asarray(known(image)["scores"])
    assert np.allclose(found[..., [2, 1]], wanted, atol=1e-6)


def test_classes_in_another_order_are_not_taken_by_their_place(source: Any, tmp_path: Path) -> None:
    """Both have two, so every shape fits: without names a dog would be called a cat."""
    known, arrays = source
    write(tmp_path / "a.pt", {"model": arrays, "names": {0: "cat", 1: "dog"}})
    model = detector(2)
    weights.load(model, tmp_path / "a.pt", partial=True, classes=["dog", "cat"])
    for layer in ("head_class_n3_logits", "head_class_n5_logits"):
        ours, theirs = (each.get_layer(layer).get_weights() for each in (model, known))
        assert all(np.array_equal(own[..., ::-1], other) for own, other in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("preset", ["yolo_v5_n_detect", "yolo_v7_tiny_detect"])
def test_a_head_with_anchors_keeps_boxes_and_the_numbers_of_classes_by_name(preset: str, tmp_path: Path) -> None:
    """Outputs of an anchor, one after the other: x, y, width, height, objectness, each class."""
    small = "scale.width=0.03125"
    known = archdsl.build_from_config(preset, [small, "head.raw.classes=2"])
    draw = np.random.default_rng(0)
    known.set_weights([draw.uniform(0.2, 0.6, array.shape) for array in known.get_weights()])
    weights.save(known, tmp_path / "a.safetensors", names="torch")
    write(tmp_path / "a.pt", {"model": load_file(tmp_path / "a.safetensors"), "names": {0: "cat", 1: "dog"}})
    model = archdsl.build_from_config(preset, [small, "head.raw.classes=3"])
    layers = [model.get_layer(f"head_raw_n{level}_conv_conv") for level in (3, 4, 5)]
    fresh = [layer.get_weights() for layer in layers]
    transfer = weights.load(model, tmp_path / "a.pt", partial=True, classes=OURS)
    assert not transfer.left and not transfer.unused
    assert {each.made for each in transfer.moved if each.made} == {"2 of 3 classes by name"}
    for layer, arrays in zip(layers, fresh, strict=True):
        given = known.get_layer(layer.name).get_weights()
        for ours, before, theirs in zip(layer.get_weights(), arrays, given, strict=True):
            of_anchors = ours.reshape(*ours.shape[:-1], 3, 8)
            theirs = theirs.reshape(*theirs.shape[:-1], 3, 7)
            assert np.array_equal(of_anchors[..., :5], theirs[..., :5])
            assert np.array_equal(of_anchors[..., [7, 6]], theirs[..., 5:])  # cat, dog
            assert np.array_equal(of_anchors[..., 5], before.reshape(of_anchors.shape)[..., 5])  # bird


def test_numbers_of_anchors_are_not_taken_for_those_of_classes(tmp_path: Path) -> None:
    """18 outputs are 3 anchors of one class; 2 of four classes would be as many."""
    model = archdsl.build_from_config("yolo_v5_n_detect", ["scale.width=0.03125", "head.raw.classes=1"])
    weights.save(model, tmp_path / "a.safetensors", names="torch")
    write(tmp_path / "a.pt", {"model": load_file(tmp_path / "a.safetensors"), "names": {0: "cat"}})
    with pytest.raises(archdsl.ArchError, match="4 names of classes, and no layer of"):
        weights.load(model, tmp_path / "a.pt", partial=True, classes=["cat", "dog", "cow", "hen"])


def test_names_that_cannot_be_used_are_told_and_nothing_is_changed(source: Any, tmp_path: Path) -> None:
    _, arrays = source
    write(tmp_path / "plain.pt", arrays)
    write(tmp_path / "a.pt", {"model": arrays, "names": {0: "cat", 1: "dog"}})
    model = detector(3)
    before = model.get_weights()

    def refused(file: str, message: str, classes: Any = OURS, partial: bool = True) -> None:
        with pytest.raises(archdsl.ArchError, match=message):
            weights.load(model, tmp_path / file, partial=partial, classes=classes)

    refused("plain.pt", "does not name its classes")
    refused("a.pt", "none of its classes has one of the names", ["x", "y", "z"])
    refused("a.pt", "5 names of classes, and no layer of", [*OURS, "cow", "hen"])
    refused("a.pt", "needs partial=True", partial=False)
    refused("a.pt", "is a list of names", "cat")
    with pytest.raises(archdsl.ArchError, match="and a file"):
        weights.load(model, detector(2), partial=True, classes=OURS)
    write(tmp_path / "b.pt", {"model": arrays, "names": {0: "cat", 1: 3}})
    refused("b.pt", "does not name its classes")
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_the_command_line_takes_a_file_of_names(run: Any, source: Any, tmp_path: Path) -> None:
    write(tmp_path / "a.pt", {"model": source[1], "names": {0: "cat", 1: "dog"}})
    (tmp_path / "names.txt").write_text("bird\ndog\ncat\n")
    command = ["build", "yolo_v8_s_detect", *SMALL, "head.class.classes=3", "--weights", "a.pt", "-o", "a.keras"]
    assert "--classes needs --partial" in run(*command, "--classes", "names.txt").stderr
    done = run(*command, "--partial", "--classes", "names.txt")
    assert "head_class_n3_logits has 2 of 3 classes by name" in done.stdout, done.stderr
