"""Weight files that cannot be right: each gives one report and leaves the model as it was."""

from __future__ import annotations

import hashlib
import io
import pickle
import random
import re
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from support.keras_cv_files import ours

import archdsl
from archdsl import weights
from archdsl.weights import formats

pytestmark = pytest.mark.keras


@pytest.fixture(scope="module")
def yolo() -> archdsl.Backbone:
    return ours("yolo")


def report_of(model: archdsl.Backbone, file: Path, **arguments: Any) -> list[archdsl.Problem]:
    """The problems of a load, which must leave the model as it was."""
    before = model.get_weights()
    with pytest.raises(archdsl.ArchError) as caught:
        weights.load(model, file, **arguments)
    assert all(np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True))
    assert all(found.file == str(file) for found in caught.value.problems)
    assert len(caught.value.problems) <= 3
    assert len(str(caught.value)) < 1_000
    return caught.value.problems


def swap(group: Any, first: str, second: str) -> None:
    group.move(first, "aside")
    group.move(second, first)
    group.move("aside", second)


def swap_names(file: h5py.File) -> None:
    """Two batch norms of equal shape exchange what they are called."""
    a, b = file["layers/batch_normalization_10/vars"].attrs, file["layers/batch_normalization_11/vars"].attrs
    a["name"], b["name"] = b["name"], a["name"]


def swap_listed(file: h5py.File) -> None:
    names = list(file.attrs["layer_names"])
    first, second = names.index("stack2_c2f_pre_1_1_bn"), names.index("stack2_c2f_pre_1_2_bn")
    names[first], names[second] = names[second], names[first]
    file.attrs["layer_names"] = names


def drop_listed(file: h5py.File) -> None:
    file.attrs["layer_names"] = [name for name in file.attrs["layer_names"] if name != "stack2_c2f_pre_1_1_bn"]


def add_listed(file: h5py.File) -> None:
    group = file.create_group("head")
    group["head/kernel:0"] = np.zeros((3, 3))
    group.attrs["weight_names"] = ["head/kernel:0"]
    file.attrs["layer_names"] = [*file.attrs["layer_names"], "head"]


def reshape(path: str) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        shape = file[path].shape
        del file[path]
        file[path] = np.zeros((*shape[:-1], shape[-1] + 1), "float32")

    return change


def put(path: str, value: float) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        values = file[path][()]
        values.flat[0] = value
        file[path][...] = values

    return change


CONV, BN = "layers/conv2d_3/vars/0", "layers/batch_normalization_4/vars/1"
LISTED_CONV = "stack1_c2f_pre_0_1_conv/stack1_c2f_pre_0_1_conv/kernel:0"
LISTED_BN = "stack1_c2f_pre_0_1_bn/stack1_c2f_pre_0_1_bn/beta:0"
DAMAGES: list[tuple[str, str, Callable[[h5py.File], None], str]] = [
    ("swapped", "3.weights.h5", swap_names, "'stack2_c2f_pre_1_1_bn' is at layers/batch_normalization_11"),
    ("swapped", "2.h5", swap_listed, "'stack2_c2f_pre_1_1_bn' is at"),
    ("swapped", "2.weights.h5", lambda f: swap(f["layers"], "conv2d_2", "conv2d_3"), "p2_body_split_conv, with"),
    ("missing", "3.weights.h5", lambda f: f["layers"].pop("conv2d_3"), "p2_body_1_conv1_conv is not in the file"),
    ("missing", "2.weights.h5", lambda f: f["layers"].pop("conv2d_3"), "p2_body_1_conv1_conv is not in the file"),
    ("missing", "2.h5", drop_listed, "p3_body_2_conv1_bn is not in the file"),
    ("missing array", "3.weights.h5", lambda f: f.pop(BN), "p2_body_1_conv2_bn, with 4; the file has 4"),
    ("surplus", "3.weights.h5", lambda f: f.copy("layers/conv2d", "layers/dense"), "name 'stem_1_conv' occurs"),
    ("surplus", "2.weights.h5", lambda f: f.copy("layers/conv2d", "layers/dense"), "also has layers/dense"),
    ("surplus", "2.h5", add_listed, "also has head"),
    ("surplus array", "2.weights.h5", lambda f: f.copy(CONV, "layers/conv2d_3/vars/1"), "p2_body_1_conv1_conv"),
    *[("shape", file, reshape(CONV), r"3×3×4×4; the file has 3×3×4×5") for file in ("3.weights.h5", "2.weights.h5")],
    ("shape", "2.h5", reshape(LISTED_CONV), r"3×3×4×4; the file has 3×3×4×5 \(stack1_c2f_pre_0_1_conv\)"),
    ("nan", "3.weights.h5", put(BN, np.nan), "p2_body_1_conv2_bn has values that are not finite numbers"),
    ("nan", "2.weights.h5", put(BN, np.nan), "p2_body_1_conv2_bn has values that are not finite numbers"),
    ("inf", "3.weights.h5", put(CONV, np.inf), "p2_body_1_conv1_conv has values that are not finite numbers"),
    ("nan", "2.h5", put(LISTED_BN, np.nan), "p2_body_1_conv1_bn has values that are not finite numbers"),
    ("names", "2.h5", lambda f: f.attrs.create("layer_names", 3), "damaged or cut short"),
    ("another dtype", "2.h5", lambda f: retype(f, LISTED_BN), "is of int64; expected float32"),
]


def retype(file: h5py.File, path: str) -> None:
    values = file[path][()].astype("int64")
    del file[path]
    file[path] = values


@pytest.mark.parametrize(
    ("layout", "damage", "fact"),
    [pytest.param(layout, damage, fact, id=f"{kind}-{layout}") for kind, layout, damage, fact in DAMAGES],
)
def test_a_file_that_was_changed_is_refused(
    layout: str, damage: Any, fact: str, keras_cv_files: Path, yolo: Any, tmp_path: Path
) -> None:
    path = tmp_path / layout
    shutil.copy(keras_cv_files / "yolo" / layout, path)
    with h5py.File(path, "a") as file:
        damage(file)
    found = report_of(yolo, path)
    assert any(re.search(fact, each.message) for each in found), found


def test_the_layers_inside_a_layer_are_told_by_their_numbers(keras_cv_files: Path, tmp_path: Path) -> None:
    """keras_cv's cross-stage layer numbers what it is made of; the old layout has nothing else to tell them by."""
    path = tmp_path / "2.h5"
    shutil.copy(keras_cv_files / "csp" / "2.h5", path)
    with h5py.File(path, "a") as file:
        names = list(file["dark2_csp"].attrs["weight_names"])
        first, second = (
            next(i for i, name in enumerate(names) if part in name) for part in ("block1_conv", "block2_conv")
        )
        names[first], names[second] = names[second], names[first]
        file["dark2_csp"].attrs["weight_names"] = names
    assert "not in the order of their numbers" in report_of(ours("csp"), path)[0].message


# Files that are something else, or dangerous


def pickled() -> bytes:
    return pickle.dumps({"layer": [1.0]})


def torch_file() -> bytes:
    return zipped({"archive/data.pkl": pickled()})


def zipped(members: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return data.getvalue()


def numpy_file() -> bytes:
    data = io.BytesIO()
    np.savez(data, kernel=np.zeros(3))
    return data.getvalue()


OTHERS = [
    ("a.weights.h5", b"", "an empty file"),
    ("a.weights.h5", b"<!DOCTYPE html><html>", "a web page"),
    ("a.keras", b"\n<html>", "a web page"),
    ("a.h5", pickled(), "a Python pickle, which is never read"),
    ("a.pt", torch_file(), "packed or encrypted"),
    ("a.npz", numpy_file(), "a NumPy archive"),
    ("a.npy", b"\x93NUMPY\x01\x00", "a NumPy array"),
    ("a.weights.h5", b"\x1f\x8b\x08", "a compressed file"),
    ("a.weights.h5", b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer"),
    ("a.weights.h5", b"\x89HDF\r\n\x1a\n" + bytes(100), "damaged or cut short"),
    ("a.weights.h5", b"hello", "no weights file; expected"),
    ("a.keras", zipped({"config.json": b"{}"}), "an archive without one model.weights.h5"),
    ("a.keras", b"PK\x03\x04", "a damaged .keras or .pt file, perhaps one that was cut off"),
    ("a.keras", zipped({"model.weights.h5": b"hello"}), "damaged or cut short"),
    ("a.keras", zipped({"model.weights.h5": bytes(1 << 27)}), "unpacks to more than"),
    ("a.safetensors", struct.pack("<Q", 1 << 60) + b"{}", "no whole safetensors file"),
    ("a.safetensors", struct.pack("<Q", 2) + b"{}", "are not in the file"),
]


@pytest.mark.parametrize(("name", "data", "fact"), OTHERS, ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_no_weights_file_is_told_by_its_content(
    name: str, data: bytes, fact: str, yolo: Any, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert fact in report_of(yolo, path)[0].message


def test_a_file_that_is_not_there_or_cannot_be_read(yolo: Any, tmp_path: Path) -> None:
    assert report_of(yolo, tmp_path / "none.weights.h5")[0].code == "missing-file"
    assert report_of(yolo, tmp_path)[0].code == "missing-file"
    assert "abc" in report_of(yolo, tmp_path / "none.weights.h5", sha256="abc")[0].hint


@pytest.mark.parametrize("layout", ["3.weights.h5", "2.weights.h5", "2.h5", "3.keras"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_a_file_that_was_cut_short_is_refused(
    layout: str, part: float, keras_cv_files: Path, yolo: Any, tmp_path: Path
) -> None:
    data = (keras_cv_files / "yolo" / layout).read_bytes()
    path = tmp_path / layout
    path.write_bytes(data[: int(part * len(data))])
    assert report_of(yolo, path)[0].code == "weights"


def test_a_wrong_sha256_is_told_with_both_and_the_size(keras_cv_files: Path, yolo: Any) -> None:
    path = keras_cv_files / "yolo" / "3.weights.h5"
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    message = report_of(yolo, path, sha256="0" * 64)[0].message
    assert found in message
    assert "0" * 64 in message
    assert f"{path.stat().st_size} bytes" in message
    weights.load(yolo, path, sha256=found.upper())


@pytest.mark.parametrize("name", ["a.safetensors", "a.keras"])
def test_a_mutated_file_is_read_or_refused(name: str, yolo: Any, tmp_path: Path) -> None:
    path, draw = tmp_path / name, random.Random(0)
    weights.save(yolo, path) if name == "a.safetensors" else yolo.save(path)
    data = path.read_bytes()
    begins = range(4000) if name == "a.safetensors" else [*range(200), *range(len(data) - 400, len(data))]
    refused = 0
    for _ in range(500):
        changed = bytearray(data)
        for at in draw.choices(begins, k=draw.choice([1, 2, 8])):
            changed[at] = draw.choice([changed[at] ^ 1 << draw.randrange(8), draw.randrange(256)])
        path.write_bytes(changed)
        try:
            with formats.opened(path, 1 << 20) as contents:
                _ = [array.read() for layer in contents.layers for array in layer.arrays.values()]
        except archdsl.ArchError as error:
            refused += 1
            assert len(str(error)) < 1_000
    assert refused > 100


def external_link(file: h5py.File) -> None:
    file["layers/conv2d_3/vars"].pop("0")
    file["layers/conv2d_3/vars/0"] = h5py.ExternalLink("/etc/hostname", "/x")


def soft_link(file: h5py.File) -> None:
    file["layers/conv2d_3/vars"].pop("0")
    file["layers/conv2d_3/vars/0"] = h5py.SoftLink("/layers/conv2d_4/vars/0")


def virtual(file: h5py.File) -> None:
    file["layers/conv2d_3/vars"].pop("0")
    source = h5py.VirtualLayout((3, 3, 4, 4), "float32")
    source[...] = h5py.VirtualSource("other.h5", "data", (3, 3, 4, 4))
    file["layers/conv2d_3/vars"].create_virtual_dataset("0", source)


def elsewhere(file: h5py.File) -> None:
    file["layers/conv2d_3/vars"].pop("0")
    file["layers/conv2d_3/vars"].create_dataset(
        "0", (3, 3, 4, 4), "float32", external=[("/etc/hostname", 0, h5py.h5f.UNLIMITED)]
    )


def huge(file: h5py.File) -> None:
    file["layers/conv2d_3/vars"].pop("0")
    file["layers/conv2d_3/vars"].create_dataset("0", (3_000_000, 3_000_000), "float32", chunks=(64, 64))


def endless(file: h5py.File) -> None:
    file["layers/conv2d_3/again"] = file["layers"]


def packed(file: h5py.File) -> None:
    """A megabyte that unpacks to one gigabyte, in one chunk."""
    file["layers/conv2d_3/vars"].pop("0")
    chunks = (3, 3, 4, 4)
    file["layers/conv2d_3/vars"].create_dataset("0", chunks, "float32", chunks=chunks, compression="gzip")


def opaque(size: int) -> Callable[[h5py.File], None]:
    """The last array as bytes that are said to be bfloat16, which are two each."""

    def change(file: h5py.File) -> None:
        path = "layers/batch_normalization_19/vars/3"
        count = file[path].shape[0]
        del file[path]
        file[path] = np.zeros(count, f"V{size}")
        file[path].attrs["dtype"] = "bfloat16"

    return change


DANGERS = [
    (packed, "is packed or in chunks"),
    *[(opaque(size), "batch_normalization_19 is of opaque; expected float32") for size in (1, 3, 4)],
    (external_link, "is a link"),
    (soft_link, "is a link"),
    (virtual, "has its values in other files"),
    (elsewhere, "has its values in other files"),
    (huge, "the file has 3000000×3000000"),
    (endless, "nested deeper than 16"),
]


@pytest.mark.parametrize(("danger", "fact"), DANGERS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_file_that_leads_elsewhere_or_asks_for_memory_is_refused(
    danger: Callable[[h5py.File], None], fact: str, keras_cv_files: Path, yolo: Any, tmp_path: Path
) -> None:
    path = tmp_path / "2.weights.h5"
    shutil.copy(keras_cv_files / "yolo" / path.name, path)
    with h5py.File(path, "a") as file:
        danger(file)
    assert fact in report_of(yolo, path)[0].message


def test_what_is_checked_is_what_is_read(
    keras_cv_files: Path, yolo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody writes other weights to the file, or puts another in its place, after its sha256 was found right."""
    good, other = keras_cv_files / "yolo" / "3.weights.h5", tmp_path / "other.weights.h5"
    shutil.copy(good, other)
    with h5py.File(other, "a") as file:
        put(CONV, 7.0)(file)
    weights.load(yolo, good)
    expected = yolo.get_weights()
    contents = formats._contents
    for replace in (shutil.copyfile, lambda new, path: Path(shutil.copy(new, tmp_path / "aside")).replace(path)):
        path = tmp_path / "checked.weights.h5"
        shutil.copy(good, path)

        def late(*arguments: Any, path: Path = path, replace: Any = replace) -> Any:
            replace(other, path)
            return contents(*arguments)

        monkeypatch.setattr(formats, "_contents", late)
        weights.load(yolo, path, sha256=hashlib.sha256(good.read_bytes()).hexdigest())
        assert path.read_bytes() == other.read_bytes()
        assert all(np.array_equal(old, new) for old, new in zip(expected, yolo.get_weights(), strict=True))


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_an_archive_is_unpacked_only_as_keras_packs_it(method: int, yolo: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.keras"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("model.weights.h5", bytes(1000))
    assert "packed in a way that Keras does not use" in report_of(yolo, path)[0].message


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_with_two_files_of_weights_is_refused(yolo: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for content in (formats.HDF5, bytes(1000)):
            archive.writestr("model.weights.h5", content)
    assert "an archive without one model.weights.h5" in report_of(yolo, path)[0].message


def test_an_archive_of_many_members_is_refused_before_they_are_listed(yolo: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.keras"
    path.write_bytes(zipped({"model.weights.h5": b"", **{f"{'x' * 60}{n}": b"" for n in range(10_000)}}))
    assert re.search(r"its directory has \d+ bytes; expected at most", report_of(yolo, path)[0].message)


def test_nothing_in_a_keras_file_is_executed(keras_cv_files: Path, yolo: Any, tmp_path: Path) -> None:
    """Only the weights are looked at: what builds the model may be anything, and other members stay packed."""
    with zipfile.ZipFile(keras_cv_files / "yolo" / "3.keras") as archive:
        data = archive.read("model.weights.h5")
    path = tmp_path / "a.keras"
    config = b'{"module": "os", "class_name": "system", "config": {"command": "touch ran"}}'
    path.write_bytes(zipped({"config.json": config, "../../escaped": b"", "model.weights.h5": data}))
    weights.load(yolo, path)
    assert [each.name for each in tmp_path.iterdir()] == ["a.keras"]


@pytest.fixture(scope="module")
def wider() -> Any:
    return archdsl.build_from_config("yolo_v8_s_backbone")


@pytest.fixture(scope="module")
def deeper() -> Any:
    return archdsl.build_from_config("yolo_v8_xs_backbone", ["stages.p2.depth=6"])


@pytest.mark.parametrize("layout", ["3.weights.h5", "2.weights.h5", "2.h5", "3.keras"])
def test_another_size_is_told_by_the_first_layer_and_both_shapes(
    layout: str, wider: Any, deeper: Any, keras_cv_files: Path
) -> None:
    path = keras_cv_files / "yolo_v8_xs_backbone" / layout
    found = report_of(wider, path)
    assert "the first layer that differs is stem_conv_conv, with 3×3×3×32; the file has 3×3×3×16" in found[0].message
    assert found[-1].hint.startswith("its arrays have the shapes of yolo_v8_xs_backbone")
    assert "coco" not in found[-1].hint  # which differs in its weights only
    assert any("p2_body_2_conv1_conv" in each.message or "differ" in each.message for each in report_of(deeper, path))


def test_a_model_of_another_library_is_told_so() -> None:
    with pytest.raises(archdsl.ArchError, match=r"is not an archdsl\.Backbone"):
        weights.load(object(), "a.weights.h5")  # type: ignore[arg-type]
