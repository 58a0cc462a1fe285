"""PyTorch checkpoints, read without PyTorch: the networks compute what PyTorch computed (support/torch_modules.py)."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from support.numbered_checkpoints import CASES, FILES, STYLE, built
from support.torch_files import unit, write

import archdsl
from archdsl import weights
from archdsl.weights import formats


@pytest.mark.parametrize("file", CASES)
def test_a_checkpoint_gives_the_numbers_that_pytorch_gave(file: str) -> None:
    model, ends = built(file), CASES[file][2]
    transfer = weights.load(model, FILES / file)
    assert not transfer.left and not transfer.unused
    with np.load(FILES / f"{file.removesuffix('.pt').removesuffix('_folded')}.npz") as known:
        found = model.features(ends)(255 * known["image"])
        for number, end in enumerate(ends):
            theirs = known[f"result{number}"]
            scale = np.abs(theirs).max()
            assert np.abs(np.asarray(found[end]) - theirs).max() < (5e-3 if "folded" in file else 1e-5) * scale, end


def test_the_report_says_which_module_each_layer_came_from() -> None:
    model = built("yolo_v5.pt")
    moved = {each.node: each.stored for each in weights.load(model, FILES / "yolo_v5.pt").moved}
    assert moved["p4_body_deep_conv"] == "model.6.cv1.conv"
    assert moved["p4_body_short_bn"] == "model.6.cv2.bn"
    assert moved["p4_body_3_conv_conv"] == "model.6.m.2.cv2.conv"


def test_a_backbone_takes_its_part_of_a_detector_and_no_more_without_being_asked() -> None:
    model = archdsl.build_from_config("yolo_v8_s_backbone", ["scale.width=0.03125"])
    with pytest.raises(archdsl.ArchError, match=r"the file also has model\.12\.cv1\.conv"):
        weights.load(model, FILES / "yolo_v8.pt")
    transfer = weights.load(model, FILES / "yolo_v8.pt", partial=True)
    assert not transfer.left
    assert len(transfer.unused) > 30


def test_a_variant_keeps_the_modules_that_fit_wherever_another_is_put_between_them() -> None:
    more = "+stages.p3.post={extra: {block: conv_bn_act, width: 256, kernel: 3}}"
    model = archdsl.build_from_config("yolo_v5_s_backbone", ["scale.width=0.03125", more])
    transfer = weights.load(model, FILES / "yolo_v5.pt", partial=True)
    assert {each.entry for each in transfer.left} == {"stages.p3.post.extra"}
    assert not transfer.unused


def test_modules_that_could_be_of_several_layers_are_of_none(tmp_path: Path) -> None:
    """Of three equal layers the file has two, and nothing tells which."""
    draw, shapes = np.random.default_rng(0), [(4, 3, 3, 3), (4, 4, 3, 3), (4, 4, 3, 3), (4, 4, 1, 1)]
    arrays = [unit(draw, f"model.{number}", shape) for number, shape in enumerate(shapes)]
    write(tmp_path / "a.pt", {name: array for each in arrays for name, array in each.items()})
    conv = {"block": "conv_bn_act", "width": 4, "kernel": 3}
    tail = {"first": conv, "second": conv, "last": {**conv, "kernel": 1}}
    stages = {"p1": {"down": {**conv, "stride": 2}}}
    model = archdsl.build_from_config({"conventions": STYLE, "stem": {"conv": conv}, "stages": stages, "tail": tail})
    transfer = weights.load(model, tmp_path / "a.pt", partial=True)
    assert {each.entry for each in transfer.moved} == {"stem.conv", "tail.last"}


def test_the_index_of_a_module_tells_its_place_and_not_its_line_in_the_file(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    arrays = {**unit(draw, "model.10", (4, 4, 3, 3)), **unit(draw, "model.9", (4, 3, 3, 3))}
    write(tmp_path / "a.pt", arrays)
    conv = {"block": "conv_bn_act", "width": 4, "kernel": 3}
    stages = {"p1": {"down": {**conv, "stride": 2}, "body": conv}}
    model = archdsl.build_from_config({"conventions": STYLE, "stages": stages})
    weights.load(model, tmp_path / "a.pt")
    kernel = np.asarray(model.get_layer("p1_body_conv").kernel)
    assert np.array_equal(kernel, arrays["model.10.conv.weight"].transpose(2, 3, 1, 0))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_numbers_of_any_precision_are_read(dtype: str, tmp_path: Path) -> None:
    arrays = {name: a.astype(dtype) for name, a in unit(np.random.default_rng(0), "model.0", (8, 3, 3, 3)).items()}
    model = one_convolution()
    write(tmp_path / "a.pt", arrays)
    weights.load(model, tmp_path / "a.pt")
    kernel = np.asarray(model.get_layer("p1_down_conv").kernel)
    assert np.array_equal(kernel, arrays["model.0.conv.weight"].transpose(2, 3, 1, 0).astype("float32"))


@pytest.mark.parametrize("is_checked", [False, True])
def test_a_member_before_the_file_is_damage(is_checked: bool, tmp_path: Path) -> None:
    write(tmp_path / "a.pt", unit(np.random.default_rng(0), "model.0", (8, 3, 3, 3)))
    data = bytearray((tmp_path / "a.pt").read_bytes())
    place = data.rindex(b"PK\x05\x06") + 16  # of the number of bytes before the directory
    struct.pack_into("<I", data, place, struct.unpack_from("<I", data, place)[0] + 5)
    (tmp_path / "a.pt").write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest() if is_checked else None
    with pytest.raises(archdsl.ArchError, match="damaged"), formats.opened(tmp_path / "a.pt", 1 << 20, sha256):
        pass


@pytest.mark.parametrize("wrappers", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
def test_what_was_put_around_a_model_for_training_is_left_out(wrappers: str, tmp_path: Path) -> None:
    write(tmp_path / "a.pt", unit(np.random.default_rng(0), f"{wrappers}model.0", (8, 3, 3, 3)))
    assert not weights.load(one_convolution(), tmp_path / "a.pt").unused


def test_the_same_arrays_as_safetensors(tmp_path: Path) -> None:
    arrays = unit(np.random.default_rng(0), "model.0", (8, 3, 3, 3))
    model = one_convolution()
    save_file(arrays, tmp_path / "a.safetensors")
    weights.load(model, tmp_path / "a.safetensors")
    norm = model.get_layer("p1_down_bn")
    assert np.array_equal(norm.moving_variance, arrays["model.0.bn.running_var"])


def test_a_batch_norm_that_was_folded_away_adds_its_bias(tmp_path: Path) -> None:
    kernel, bias = np.ones((8, 3, 3, 3), "float32"), np.arange(8, dtype="float32")
    write(tmp_path / "a.pt", {"model.0.conv.weight": kernel, "model.0.conv.bias": bias})
    model = one_convolution()
    weights.load(model, tmp_path / "a.pt")
    made = np.asarray(model(np.zeros((1, 8, 8, 3))))
    assert np.allclose(made, keras.ops.silu(bias), rtol=1e-6)


@pytest.mark.parametrize(
    ("more", "fact"),
    [
        ("conv.bias", r"with 3×3×3×8; the file has 3×3×3×8 and 8 \(model\.0\.conv\)"),
        ("conv.scale", r"the file has 3×3×3×8 and 8"),
        ("bn.scale", r"the file has 8"),
    ],
)
def test_an_array_that_would_be_lost_is_refused(more: str, fact: str, tmp_path: Path) -> None:
    """A bias between a convolution and its batch norm changes every number."""
    arrays = unit(np.random.default_rng(0), "model.0", (8, 3, 3, 3)) | {f"model.0.{more}": np.ones(8, "float32")}
    write(tmp_path / "a.pt", arrays)
    with pytest.raises(archdsl.ArchError, match=fact):
        weights.load(one_convolution(), tmp_path / "a.pt")


def test_a_batch_norm_that_the_network_does_not_have_is_not_left_out(tmp_path: Path) -> None:
    write(tmp_path / "a.pt", unit(np.random.default_rng(0), "model.0", (8, 3, 3, 3)))
    down = {"block": "conv", "width": 8, "kernel": 3, "stride": 2, "bias": False}
    model = archdsl.build_from_config({"conventions": STYLE, "stages": {"p1": {"down": down}}})
    with pytest.raises(archdsl.ArchError, match="p1_down_conv, with 3×3×3×8; the file has 3×3×3×8 and 8"):
        weights.load(model, tmp_path / "a.pt")


def one_convolution() -> archdsl.Backbone:
    down = {"block": "conv_bn_act", "width": 8, "kernel": 3, "stride": 2}
    return archdsl.build_from_config({"conventions": STYLE, "stages": {"p1": {"down": down}}})


def theirs(file: str) -> dict[str, np.ndarray]:
    """All arrays of a checkpoint by their names, but for the counters of training."""
    with formats.opened(FILES / file, 0) as contents:
        found = {f"{each.name}.{leaf}": a.read() for each in contents.layers for leaf, a in each.arrays.items()}
    return {name: array for name, array in found.items() if not name.endswith("num_batches_tracked")}


@pytest.mark.parametrize("file", ["yolo_v8.pt", "yolo_v5.pt", "gelan.pt"])
def test_weights_go_home_under_the_names_they_came_with(file: str, tmp_path: Path) -> None:
    model = built(file)
    weights.load(model, FILES / file)
    weights.save(model, tmp_path / "a.safetensors", names="torch")
    saved, known = load_file(tmp_path / "a.safetensors"), theirs(file)
    assert set(saved) == set(known)
    assert all(np.array_equal(saved[name], array) for name, array in known.items())
    again = built(file)
    weights.load(again, tmp_path / "a.safetensors")
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), again.get_weights(), strict=True))


def test_what_has_no_name_in_pytorch_is_told_before_anything_is_written(tmp_path: Path) -> None:
    down = {"block": "factorized_down", "width": 8}
    unknown = archdsl.build_from_config({"conventions": STYLE, "stages": {"p1": {"down": down}}})
    with pytest.raises(archdsl.ArchError, match="block 'factorized_down' is not known there"):
        weights.save(unknown, tmp_path / "a.safetensors", names="torch")
    with pytest.raises(archdsl.ArchError, match="folded away"):
        weights.save(archdsl.fuse(one_convolution()), tmp_path / "a.safetensors", names="torch")
    with pytest.raises(archdsl.ArchError, match=r"is named \*\.safetensors"):
        weights.save(unknown, tmp_path / "a.pt", names="torch")
    assert list(tmp_path.iterdir()) == []
