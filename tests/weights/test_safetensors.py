"""One file that travels: weights with the config that they belong to, which is data like any config."""

from __future__ import annotations

import hashlib
import io
import json
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

import archdsl
from archdsl import weights
from archdsl.weights.formats.contents import DamagedFile
from archdsl.weights.formats.safetensors import contents_of

TINY = {
    "name": "tiny",
    "input": {"shape": [64, 64, 3], "rescale": True},
    "stem": {"conv": {"block": "conv_bn_act", "width": 8, "kernel": 3, "stride": 2}},
    "stage_defaults": {"down": {"block": "conv_bn_act", "kernel": 3, "stride": 2}, "body": {"block": "c2f"}},
    "stages": {"p2": {"width": 8}, "p3": {"width": 16}},
    "conventions": {"norm": {"epsilon": 1e-5}},
}


def image() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype("float32")


@pytest.fixture(scope="module")
def model() -> archdsl.Backbone:
    built = archdsl.build_from_config(TINY)
    generator = np.random.default_rng(0)
    built.set_weights([generator.uniform(0.5, 1, weight.shape) for weight in built.weights])
    return built


@pytest.fixture
def file(model: archdsl.Backbone, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    weights.save(model, path)
    return path


def test_the_file_alone_gives_the_model_again(model: archdsl.Backbone, file: Path) -> None:
    again = archdsl.build_from_config(file)
    assert np.array_equal(np.asarray(again(image())), np.asarray(model(image())))
    assert (again.name, again.config) == ("tiny", model.config)
    assert [layer.get_config() for layer in again.layers] == [layer.get_config() for layer in model.layers]


def test_its_config_is_a_config_for_every_command(file: Path, run: Any) -> None:
    params = archdsl.analyze(TINY).params
    assert archdsl.analyze(file).params == params
    assert f"{params:,} parameters" in run("show", file.name).stdout
    built = run("build", file.name, "-o", "tiny.keras")
    assert built.returncode == 0, built.stderr
    loaded = keras.saving.load_model(file.with_name("tiny.keras"), safe_mode=True)
    assert np.array_equal(np.asarray(loaded(image())), np.asarray(archdsl.build_from_config(file)(image())))


def test_it_holds_float32_by_node_and_says_what_it_is(model: archdsl.Backbone, file: Path) -> None:
    arrays = load_file(file)
    assert {array.dtype for array in arrays.values()} == {np.dtype("float32")}
    assert np.array_equal(arrays["p3_body_fuse_bn/moving_variance"], model.get_layer("p3_body_fuse_bn").moving_variance)
    with safe_open(file, "np") as opened:
        metadata = opened.metadata()
    assert metadata["archdsl"] == "1"
    assert archdsl.build_from_config(model.config).config == model.config
    assert "epsilon: 1.0e-05" in metadata["config"]


def test_a_model_of_lower_precision_and_a_fused_one_travel_too(model: archdsl.Backbone, tmp_path: Path) -> None:
    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = archdsl.build_from_config(TINY)
    finally:
        keras.config.set_dtype_policy("float32")
    half.set_weights(model.get_weights())
    weights.save(half, tmp_path / "half.safetensors")
    assert np.array_equal(
        np.asarray(archdsl.build_from_config(tmp_path / "half.safetensors")(image())), np.asarray(model(image()))
    )
    fused = archdsl.fuse(model)
    weights.save(fused, tmp_path / "fused.safetensors")
    again = archdsl.build_from_config(tmp_path / "fused.safetensors")
    assert again.passes == fused.passes
    assert np.array_equal(np.asarray(again(image())), np.asarray(fused(image())))


def test_overrides_make_a_variant_that_its_weights_must_fit(file: Path) -> None:
    renamed = archdsl.build_from_config(file, ["+conventions.activation=relu"])
    assert renamed.config["conventions"]["activation"] == "relu"
    with pytest.raises(archdsl.ArchError, match="the first layer that differs is p3_down_conv"):
        archdsl.build_from_config(file, ["stages.p3.width=24"])


def rewritten(path: Path, change: Callable[[dict[str, Any], dict[str, str]], None]) -> None:
    """The file with other arrays or other metadata, as its library writes it."""
    arrays = load_file(path)
    with safe_open(path, "np") as opened:
        metadata = opened.metadata()
    change(arrays, metadata)
    save_file(arrays, path, metadata)


def with_header(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """The file with another header over the same bytes."""
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])


def overlap(header: dict[str, Any]) -> None:
    names = [name for name in header if name.endswith("_bn/beta")]
    header[names[0]]["data_offsets"] = header[names[1]]["data_offsets"]


def restate(metadata: dict[str, str], **changes: str) -> None:
    """Changed by someone who knows about the hash."""
    metadata.update(changes)
    metadata["config_sha256"] = hashlib.sha256(metadata["config"].encode()).hexdigest()


def reconfigure(before: str, after: str) -> Callable[[dict[str, Any], dict[str, str]], None]:
    return lambda arrays, metadata: restate(metadata, config=metadata["config"].replace(before, after))


KERNEL = "stem_conv_conv/kernel"
TAMPERED = [
    ("hash", lambda a, m: m.update(config=m["config"].replace("16", "17")), "checksum", "does not have the sha256"),
    ("no hash", lambda a, m: m.pop("config_sha256"), "checksum", "does not have the sha256"),
    ("no config", lambda a, m: m.clear(), "no-config", "carries no config"),
    ("version", lambda a, m: m.update(archdsl="2"), "version", "written in version '2'"),
    ("size", lambda a, m: restate(m, config=m["config"] + "#" * (1 << 20)), "limit", "at most 1048576"),
    ("passes", lambda a, m: m.update(passes="fold_all"), "unknown-pass", "no pass 'fold_all'"),
    ("block", reconfigure("block: c2f", "block: c2ff"), "unknown-block", "no block 'c2ff'"),
    ("tag", reconfigure("name: tiny", "name: !!python/name:os.system tiny"), "tag", "is not allowed"),
    ("extra", lambda a, m: a.update({"more/kernel": np.zeros(3, "float32")}), "weights", "the file also has more"),
    ("missing", lambda a, m: a.pop(KERNEL), "weights", "stem_conv_conv is not in the file"),
    ("shape", lambda a, m: a.update({KERNEL: a[KERNEL][..., :4]}), "weights", "3×3×3×8; the file has 3×3×3×4"),
    ("dtype", lambda a, m: a.update({KERNEL: a[KERNEL].astype("float16")}), "weights", "is of F16; expected float32"),
    ("nan", lambda a, m: a.update({KERNEL: a[KERNEL] * np.nan}), "weights", "not finite numbers"),
]


@pytest.mark.parametrize(("change", "code", "fact"), [row[1:] for row in TAMPERED], ids=[row[0] for row in TAMPERED])
def test_a_file_that_was_tampered_with_is_one_clear_error(change: Any, code: str, fact: str, file: Path) -> None:
    rewritten(file, change)
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.build_from_config(file)
    found = caught.value.problems[0]
    assert (found.code, found.file) == (code, str(file) if code != "unknown-pass" else "")
    assert fact in found.message


HEADERS = [
    ("overlap", overlap, "no whole safetensors file"),
    ("dtype", lambda header: header[KERNEL].update(dtype="F99"), "numbers of an unknown type, F99"),
    ("offsets", lambda header: header[KERNEL].update(data_offsets=[0, 1 << 50]), "no whole safetensors file"),
    ("shape", lambda header: header[KERNEL].update(shape=[1 << 40, 1 << 40]), "no whole safetensors file"),
]


@pytest.mark.parametrize(("change", "fact"), [row[1:] for row in HEADERS], ids=[row[0] for row in HEADERS])
def test_a_header_that_lies_about_its_bytes_is_refused(change: Any, fact: str, file: Path) -> None:
    with_header(file, change)
    with pytest.raises(archdsl.ArchError, match=fact):
        archdsl.build_from_config(file)


ENTRY = '"a/kernel": {"dtype": "F32", "shape": [1], "data_offsets": '


@pytest.mark.parametrize(
    ("entries", "fact"),
    [
        (f"{ENTRY}[4, 8]}}", "leave a gap"),
        (f"{ENTRY}[0, 4]}}", "it has 8 bytes of values; expected 4"),
        (f"{ENTRY}[false, 4]}}", "a place that is not one"),
        (f"{ENTRY}[0, 4]}}, {ENTRY}[4, 8]}}", "no header of JSON"),
    ],
    ids=["before", "after", "no number", "twice"],
)
def test_no_bytes_are_hidden_in_a_file(entries: str, fact: str) -> None:
    header = f"{{{entries}}}".encode()
    with pytest.raises(DamagedFile, match=fact):
        contents_of(io.BytesIO(struct.pack("<Q", len(header)) + header + bytes(8)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        struct.pack("<Q", 1 << 40) + b"{}",
        struct.pack("<Q", 100) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 60_000) + b"[" * 60_000,
    ],
    ids=["empty", "short", "oversized", "cut", "list", "deep"],
)
def test_a_header_is_read_under_a_limit(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(data)
    with pytest.raises(archdsl.ArchError, match="not a safetensors file"):
        archdsl.compile_config(path)


def test_a_file_is_written_whole_or_not_at_all(model: archdsl.Backbone, tmp_path: Path) -> None:
    with pytest.raises(archdsl.ArchError, match="there is no folder"):
        weights.save(model, tmp_path / "none" / "a.safetensors")
    with pytest.raises(archdsl.ArchError, match=re.escape("a weights file is named *.safetensors or *.weights.h5")):
        weights.save(model, tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []
