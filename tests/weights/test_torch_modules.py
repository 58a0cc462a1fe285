"""Networks of timm and torchvision come in by the names they have there, and compute what they computed there.

The files were written by timm 1.0.31 and torchvision 0.28.0 with torch 2.13.0 (support/torch_networks.py): small
networks of theirs with random weights, and what they give for an image of random numbers. torchvision_vit and
timm_vgg16 have the layouts of theirs, and are of PyTorch's own modules (support/torch_layouts.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from safetensors.numpy import save_file
from support.named_checkpoints import CASES, DEPTHS, FILES, PYTORCH, UNSCALED, built, widths

import archdsl
from archdsl import weights


@pytest.mark.parametrize("name", CASES)
def test_a_network_gives_the_numbers_that_it_gave_there(name: str) -> None:
    model = built(name)
    transfer = weights.load(model, FILES / f"{name}.safetensors")
    assert not transfer.left and not transfer.unused
    side = 32 if "vit" in name else 64
    image = np.random.RandomState(0).rand(1, side, side, 3).astype("float32")
    known = np.load(FILES / f"{name}.npz")["result"]
    found = keras.ops.convert_to_numpy(model(image))
    assert np.abs(found - known).max() < 1e-3 * np.abs(known).max(), (found, known)


def test_a_network_takes_what_fits_of_one_with_other_classes_and_of_one_with_a_head() -> None:
    more = built("timm_convnext", "head.classes.units=7")
    with pytest.raises(archdsl.ArchError, match="no module in the place of head_classes_dense, with 7×64 and 7"):
        weights.load(more, FILES / "timm_convnext.safetensors")
    transfer = weights.load(more, FILES / "timm_convnext.safetensors", partial=True)
    assert [each.node for each in transfer.left] == ["head_classes_dense"]
    backbone = archdsl.build_from_config("regnety_004_backbone", [UNSCALED, *widths(8, 16, 24, 32), *DEPTHS])
    with pytest.raises(archdsl.ArchError, match="the file also has fc, which the model does not"):
        weights.load(backbone, FILES / "torchvision_regnet.safetensors")
    transfer = weights.load(backbone, FILES / "torchvision_regnet.safetensors", partial=True)
    assert (len(transfer.left), transfer.unused) == (0, ("fc",))


def test_weights_that_pytorch_pads_otherwise_are_not_taken_without_a_word() -> None:
    """Every shape fits; but a convolution of stride 2 sees other pixels, and no number of the network is right."""
    config, overrides = CASES["torchvision_mobilenet_v2"]
    model = archdsl.build_from_config(config, [each for each in overrides if each not in PYTORCH])
    with pytest.raises(archdsl.ArchError, match="stem_conv_conv pads as TensorFlow does"):
        weights.load(model, FILES / "torchvision_mobilenet_v2.safetensors")
    assert not weights.load(model, FILES / "torchvision_mobilenet_v2.safetensors", partial=True).left


STYLE = {"padding": "symmetric", "activation": "relu", "norm": {"kind": "batch"}}


def test_what_shapes_and_names_do_not_tell_is_refused(tmp_path: Path) -> None:
    """Two convolutions of equal shapes that read one map, and whose results are not exchangeable."""
    conv = {"block": "conv", "width": 4, "from": "p1"}
    tail = {
        "one": conv,
        "two": conv,
        "both": {"block": "concat", "from": ["one", "two"]},
        "last": {**conv, "from": "both"},
    }
    stages = {"p1": {"down": {"block": "conv", "width": 4, "stride": 2, "kernel": 3}}}
    model = archdsl.build_from_config({"conventions": STYLE, "stages": stages, "tail": tail})

    def layer(before: int, kernel: int = 1) -> np.ndarray:
        return np.ones((4, before, kernel, kernel), "float32")

    def load(*names: str) -> None:
        kernels = (layer(3, 3), layer(4), layer(4), layer(8))
        arrays = {f"{name}.weight": kernel for name, kernel in zip(names, kernels, strict=True)}
        save_file(arrays | {f"{name}.bias": np.zeros(4, "float32") for name in names}, tmp_path / "a.safetensors")
        weights.load(model, tmp_path / "a.safetensors")

    with pytest.raises(archdsl.ArchError, match=r"nothing tells which of tail_one_conv and tail_two_conv is x\.cv1"):
        load("stem.conv", "x.cv1", "x.cv2", "x.fuse")
    with pytest.raises(archdsl.ArchError, match="its names fit in several ways"):
        load("stem.conv", "x.left", "x.right", "x.fuse")
    load("stem.conv", "x.downsample", "x.conv", "x.fuse")


def test_a_dense_layer_behind_a_map_reads_its_channels_where_they_are_here(tmp_path: Path) -> None:
    """PyTorch flattens channel after channel, Keras row after row."""
    stages = {"p1": {"down": {"block": "conv", "width": 2, "stride": 2, "kernel": 3, "bias": False}}}
    head = {"flatten": {"block": "flatten"}, "classes": {"block": "dense", "units": 1}}
    shape = {"shape": [4, 6, 3]}
    model = archdsl.build_from_config({"conventions": STYLE, "input": shape, "stages": stages, "head": head})
    draw = np.random.default_rng(0)
    kernel, dense = draw.normal(size=(2, 3, 3, 3)), draw.normal(size=(1, 2 * 2 * 3))
    arrays = {"features.0.weight": kernel, "fc.weight": dense, "fc.bias": np.zeros(1)}
    save_file({name: array.astype("float32") for name, array in arrays.items()}, tmp_path / "a.safetensors")
    weights.load(model, tmp_path / "a.safetensors")
    image = draw.normal(size=(1, 4, 6, 3)).astype("float32")
    seen = np.asarray(model.features(["P1"])(image)["P1"])[0].transpose(2, 0, 1).ravel()
    assert np.allclose(np.asarray(model(image)).ravel(), dense @ seen, atol=1e-5)


def test_a_file_of_theirs_becomes_one_with_its_config(run: Any, tmp_path: Path) -> None:
    """EfficientNet normalises by arrays that files of PyTorch do not have: they stay as they begin."""
    config, overrides = CASES["torchvision_efficientnet"]
    kept = [each for each in overrides if not each.startswith("stem.normalize")]
    file = FILES / "torchvision_efficientnet.safetensors"
    done = run("import", str(file), "-o", "a.safetensors", "--config", config, *kept)
    assert done.returncode == 0, done.stderr
    image = np.random.RandomState(0).rand(1, 64, 64, 3).astype("float32")
    known = np.load(FILES / "torchvision_efficientnet.npz")["result"]
    found = keras.ops.convert_to_numpy(archdsl.build_from_config(tmp_path / "a.safetensors")(image))
    assert np.abs(found - known).max() < 1e-3 * np.abs(known).max()
