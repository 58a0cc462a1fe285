"""HDF5 files are read in Python: what h5py reads of Keras's files, and of broken ones nothing worse than a report."""

from __future__ import annotations

import io
import random
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
import pytest
from support import samples
from support.keras_cv_files import ALL_LAYOUTS
from support.steps import at_most

from archdsl.weights.formats import hdf5, hdf5_file
from archdsl.weights.formats.contents import Contents, DamagedFile
from archdsl.weights.formats.hdf5 import contents_of

HDF5 = [layout for layout in ALL_LAYOUTS if layout.endswith(".h5")]
VERSIONS = ["earliest", "v108", "v110", "v112", "latest"]
Write = Callable[[h5py.File], Any]


def arrays_of(contents: Contents) -> list[tuple[tuple[int, ...], bytes]]:
    found = [array.read() for layer in contents.layers for array in layer.arrays.values()]
    return sorted([(array.shape, array.tobytes()) for array in found])


def by_h5py(stream: BinaryIO) -> list[tuple[tuple[int, ...], bytes]]:
    found: list[tuple[tuple[int, ...], bytes]] = []

    def visit(path: str, each: Any) -> None:
        if isinstance(each, h5py.Dataset) and not path.startswith(("optimizer", "metrics")):
            found.append((each.shape, each[()].tobytes()))

    with h5py.File(stream) as file:
        file.visititems(visit)
    return sorted(found)


def written(write: Write, version: str = "earliest") -> io.BytesIO:
    stream = io.BytesIO()
    with h5py.File(stream, "w", libver=(version, "latest" if version == "earliest" else version)) as file:
        write(file)
    return stream


def like_keras(layers: int) -> Write:
    """Arrays under paths, with as many layers in one group."""

    def write(file: h5py.File) -> None:
        for number in range(layers):
            group = file.create_group(f"layers/conv2d_{number}/vars")
            group.attrs["name"] = f"a name of layer {number}"
            group["0"] = np.full((2, 3), number, "float32")

    return write


def like_keras_2(layers: int) -> Write:
    """A list of names, cut into more attributes than stand in one place since HDF5 1.8."""

    def write(file: h5py.File) -> None:
        names = [f"layer_{number}" for number in range(layers)]
        for number in range(0, layers, 10):
            file.attrs[f"layer_names{number // 10}"] = np.array([name.encode() for name in names[number : number + 10]])
        for name in names:
            file.create_group(name).attrs["weight_names"] = np.array([f"{name}/kernel:0".encode()])
            file[name][f"{name}/kernel:0"] = np.full((2, 3), len(name), "float64")

    return write


@pytest.mark.parametrize("layout", HDF5)
@pytest.mark.parametrize("name", ["yolo", "csp_depthwise", "yolo_v8_xs_backbone"])
def test_it_reads_what_h5py_reads(name: str, layout: str, keras_cv_files: Path) -> None:
    with (keras_cv_files / name / layout).open("rb") as stream:
        assert arrays_of(contents_of(stream)) == by_h5py(stream)


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("write", [like_keras(3), like_keras(1500), like_keras_2(5), like_keras_2(500)])
def test_it_reads_what_every_version_of_hdf5_writes(write: Write, version: str) -> None:
    stream = written(write, version)
    contents = contents_of(stream)
    assert arrays_of(contents) == by_h5py(stream)
    numbers = [int(re.findall(r"\d+$", layer.name)[0]) for layer in contents.layers]
    assert numbers == list(range(len(numbers)))  # of the names, which stand in the order of the layers


def long_names(file: h5py.File) -> None:
    """So many letters that the heap that holds them has blocks in blocks."""
    for number in range(900):
        file[f"layers/{'x' * 900}{number}/vars/0"] = np.full(2, number, "float32")


@pytest.mark.slow
@pytest.mark.parametrize("version", ["earliest", "latest"])
def test_names_of_any_length_that_is_allowed_are_read(version: str) -> None:
    stream = written(long_names, version)
    assert arrays_of(contents_of(stream)) == by_h5py(stream)


@pytest.mark.parametrize("dtype", ["float16", ">f4", ">f8", "float64"])
def test_numbers_of_any_size_and_byte_order(dtype: str) -> None:
    expected = np.random.default_rng(0).normal(size=(3, 2)).astype(dtype)
    (layer,) = contents_of(written(lambda file: file.create_dataset("layers/a/vars/0", data=expected))).layers
    assert np.array_equal(layer.arrays["0"].read(), expected)
    assert layer.arrays["0"].dtype == np.dtype(dtype).name


def names_of_numbers(file: h5py.File) -> None:
    """Of a type that flipped bits may give it."""
    like_keras(1)(file)
    value = np.empty((), h5py.vlen_dtype("int32"))
    value[()] = np.arange(3, dtype="int32")
    file["layers/conv2d_0/vars"].attrs.create("name", value, dtype=h5py.vlen_dtype("int32"))


def two_names(file: h5py.File) -> None:
    like_keras(1)(file)
    file["layers/conv2d_0/vars"].attrs["name"] = ["a", "b"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("write", [names_of_numbers, two_names])
def test_a_name_that_is_not_one_text_is_none(write: Write, version: str) -> None:
    assert contents_of(written(write, version)).layers[0].name == ""


def steps_of(stream: BinaryIO, fact: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """How often a description was read, until the file was refused."""
    steps = []
    read = hdf5_file.File.data
    monkeypatch.setattr(hdf5_file.File, "data", lambda *arguments: (steps.append(1), read(*arguments))[1])
    with pytest.raises(DamagedFile, match=fact):
        contents_of(stream)
    return len(steps)


def endless(file: h5py.File) -> None:
    like_keras(300)(file)
    file["layers/again"] = file["layers"]


def listed_often(file: h5py.File) -> None:
    """A thousand names of layers, each of a thousand arrays."""
    file["a/kernel"] = np.zeros(1)
    file["a"].attrs["weight_names"] = np.array([b"kernel"] * 1000)
    file.attrs["layer_names"] = np.array([b"a"] * 1000)


def test_a_list_of_short_names_costs_more_than_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = written(lambda file: file.attrs.update(layer_names=np.array([b"a"] * 2_000)))
    monkeypatch.setattr(hdf5_file, "MAX_STRUCTURE_BYTES", 40_000)
    with pytest.raises(DamagedFile, match="takes more than 40000 bytes"):
        contents_of(stream)


def test_many_small_reads_are_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5_file, "MAX_STRUCTURE_BYTES", 12_800)
    file = hdf5_file.File(written(like_keras(1)))
    for _ in range(100):
        file.structure(0, 1)
    with pytest.raises(DamagedFile, match="takes more than 12800 bytes"):
        file.structure(0, 1)


def test_an_array_has_as_many_bytes_as_its_shape() -> None:
    data = bytearray(written(like_keras(1)).getvalue())
    layout = re.search(rb"\x03\x01.{8}\x18\0{7}", data, re.DOTALL)  # version, kind, address, 24 bytes
    assert layout
    data[layout.start() + 10] = 16
    with pytest.raises(DamagedFile, match="an array has 16 bytes; expected 24"):
        arrays_of(contents_of(io.BytesIO(data)))


def of_many_paths(file: h5py.File) -> None:
    """Fourteen groups, each of which has the next one ten times: 10^14 paths, and none of them long."""
    group = file.create_group("layers")
    for _ in range(14):
        inner = group.create_group("0")
        for number in range(1, 10):
            group[str(number)] = inner
        group = inner


def test_paths_are_counted_and_not_only_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5, "MAX_OBJECTS", 1_000)
    with at_most(1_000_000), pytest.raises(DamagedFile, match="more than 1000 entries"):
        contents_of(written(of_many_paths))


def test_a_deep_path_is_refused() -> None:
    with pytest.raises(DamagedFile, match="nested deeper than 16"):
        contents_of(written(lambda file: file.create_dataset("a/" * 18 + "0", data=np.zeros(1))))


@pytest.mark.parametrize(
    ("write", "fact"), [(endless, "more than 100000 entries"), (listed_often, "lists more than 100000 arrays")]
)
def test_a_file_that_leads_into_itself_takes_few_steps(
    write: Write, fact: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert steps_of(written(write), fact, monkeypatch) < 3_000


def test_a_tree_that_leads_into_itself_is_refused() -> None:
    data = bytearray(written(like_keras(3)).getvalue())
    at = data.index(b"TREE")
    data[at + 5] = 1  # the level, which was 0: the child is a tree
    struct.pack_into("<Q", data, at + 32, at)  # and this very one
    with pytest.raises(DamagedFile, match="a group's tree is not one"):
        contents_of(io.BytesIO(data))


@pytest.mark.parametrize("name", ["x" * 1_025, "x" * 60_000, "x" + "7" * 60_000])
def test_a_long_name_is_refused(name: str) -> None:
    with pytest.raises(DamagedFile, match=f"a text of {len(name)} bytes"):
        contents_of(written(lambda file: file.create_dataset(name, data=1.0)))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_file_without_its_last_byte_is_refused_before_it_is_read(version: str) -> None:
    data = written(like_keras(3), version).getvalue()
    with pytest.raises(DamagedFile, match=f"it has {len(data) - 1} of {len(data)} bytes"):
        contents_of(io.BytesIO(data[:-1]))


def of_a_named_type(file: h5py.File) -> None:
    file["type"] = np.dtype("float32")
    file.create_dataset("layers/conv2d/vars/0", (2, 3), file["type"])
    del file["type"]  # its name


@pytest.mark.parametrize("version", VERSIONS)
def test_a_description_that_is_in_another_place_is_not_taken_for_one(version: str) -> None:
    with pytest.raises(DamagedFile, match="a description is shared between arrays"):
        contents_of(written(of_a_named_type, version))


SIGNATURES = [b"TREE", b"HEAP", b"SNOD", b"GCOL", b"OHDR", b"OCHK", b"FRHP", b"FHDB", b"FHIB", b"BTHD", b"BTLF"]


def mutated(data: bytes, draw: random.Random) -> bytes:
    """Bits flipped, bytes and addresses replaced: mostly near what describes the arrays."""
    changed = bytearray(data)
    for _ in range(draw.choice([1, 1, 1, 2, 5, 30])):
        place = max(0, changed.find(draw.choice(SIGNATURES), draw.randrange(len(data)))) + draw.randrange(200)
        at = min(draw.choice([place, place, draw.randrange(len(data))]), len(data) - 8)
        address = draw.choice([0, 1, draw.randrange(len(data)), 2**64 - 1, 2**63, 2**32])
        changes = [
            bytes([changed[at] ^ 1 << draw.randrange(8)]),
            bytes([draw.randrange(256)]),
            struct.pack("<Q", address),
        ]
        change = draw.choice(changes)
        changed[at : at + len(change)] = change
    return bytes(changed)


@pytest.fixture(scope="module")
def originals(keras_cv_files: Path) -> list[bytes]:
    small = [keras_cv_files / name / layout for name in ("yolo", "csp") for layout in HDF5]
    made = [written(write, version) for write in (like_keras(40), like_keras_2(200)) for version in VERSIONS]
    return [*[path.read_bytes() for path in small], *[stream.getvalue() for stream in made]]


@pytest.mark.parametrize("part", samples.sampled(range(8), [0]))
def test_a_mutated_file_is_read_or_refused(part: int, originals: list[bytes]) -> None:
    """500 files, and 4,000 with -m full; h5py crashes on some of such, and never comes back from others."""
    draw = random.Random(part)
    outcomes = [outcome(mutated(draw.choice(originals), draw)) for _ in range(500)]
    assert min(outcomes.count(True), outcomes.count(False)) > 50


def outcome(data: bytes) -> bool:
    """Whether every array can be read; nothing but DamagedFile says that they cannot."""
    try:
        for array in floats(contents_of(io.BytesIO(data))):
            assert array.read().nbytes <= len(data)
    except DamagedFile as error:
        assert len(str(error)) < 400
        return False
    return True


def floats(contents: Contents) -> Iterator[Any]:
    arrays = [array for layer in contents.layers for array in layer.arrays.values()]
    return (array for array in arrays if array.dtype in ("float16", "bfloat16", "float32", "float64"))
