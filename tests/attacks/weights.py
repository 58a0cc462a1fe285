"""Weights files: loaded into a small model by whoever got them from somewhere."""

from __future__ import annotations

import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attacks.case import Attack

CONFIG = {"stages": {"p1": {"width": 8, "down": {"block": "conv_bn_act", "kernel": 3, "stride": 2}}}}
KERNEL = (3, 3, 3, 8)
NAME = "a.weights.h5"
Change = Callable[[Any], object]


def load(name: str = NAME, **arguments: Any) -> Callable[[Path], object]:
    """The act of loading a weights file of this name."""

    def act(folder: Path) -> object:
        import archdsl
        from archdsl import weights

        return weights.load(archdsl.build_from_config(CONFIG), name, **arguments)

    return act


def hdf5(change: Change, version: str = "earliest", name: str = NAME) -> Callable[[Path], object]:
    """A file of the model's weights as Keras writes them, and then a change."""

    def make(folder: Path) -> None:
        import h5py
        import numpy as np

        with h5py.File(folder / name, "w", libver=(version, "latest")) as file:
            file["layers/conv2d/vars/0"] = np.ones(KERNEL, "float32")
            for index in range(4):
                file[f"layers/batch_normalization/vars/{index}"] = np.ones(8, "float32")
            file["layers/conv2d/vars"].attrs["name"] = "p1_down_conv"
            file["layers/batch_normalization/vars"].attrs["name"] = "p1_down_bn"
            change(file)

    return make


def kernel(**storage: Any) -> Change:
    """The kernel is stored in another way."""

    def change(file: Any) -> None:
        del file["layers/conv2d/vars/0"]
        shape = storage.pop("shape", KERNEL)
        file["layers/conv2d/vars"].create_dataset("0", shape, "float32", **storage)

    return change


def linked(kind: str, *where: str) -> Change:
    def change(file: Any) -> None:
        import h5py

        del file["layers/conv2d/vars/0"]
        file["layers/conv2d/vars/0"] = getattr(h5py, kind)(*where)

    return change


def virtual(file: Any) -> None:
    import h5py

    del file["layers/conv2d/vars/0"]
    layout = h5py.VirtualLayout(KERNEL, "float32")
    layout[...] = h5py.VirtualSource("../secret.txt", "data", KERNEL)
    file["layers/conv2d/vars"].create_virtual_dataset("0", layout)


def large_chunk(file: Any) -> None:
    """Of the size of the kernel, in one chunk that is far larger."""
    import numpy as np

    del file["layers/conv2d/vars/0"]
    shape = *KERNEL[:3], 3_700_000
    more = {"maxshape": (*KERNEL[:3], None), "chunks": shape, "compression": "gzip"}
    file["layers/conv2d/vars"].create_dataset("0", data=np.zeros(KERNEL, "float32"), **more)


def endless(file: Any) -> None:
    file["layers/again"] = file["layers"]


def endless_everywhere(file: Any) -> None:
    """Each of a hundred links leads to the same group, again and again."""
    for number in range(100):
        file[f"layers/again_{number}"] = file["layers"]


def listed(file: Any) -> None:
    """A thousand layers of a thousand arrays each, all the same one."""
    import numpy as np

    group = file.create_group("x")
    group["kernel"] = np.zeros(1)
    group.attrs["weight_names"] = np.array([b"kernel"] * 1000)
    file.attrs["layer_names"] = np.array([b"x"] * 1000)


def of_applications(file: Any) -> None:
    """As many values as keras.applications' ResNet50V2 has, none of which is stored."""
    import numpy as np

    group = file.create_group("conv1_conv")
    group.create_dataset("kernel", (23_564_800,), "float32", chunks=(1 << 20,))
    group.attrs["weight_names"] = np.array([b"kernel"])
    file.attrs["layer_names"] = np.array([b"conv1_conv"])


def opaque(size: int) -> Change:
    def change(file: Any) -> None:
        import numpy as np

        del file["layers/batch_normalization/vars/3"]
        file["layers/batch_normalization/vars/3"] = np.zeros(8, f"V{size}")
        file["layers/batch_normalization/vars/3"].attrs["dtype"] = "bfloat16"

    return change


def many_groups(file: Any) -> None:
    for number in range(20_000):
        file.create_group(f"layers/x{number}")


def rewritten(before: bytes, after: bytes, count: int = -1) -> Callable[[Path], object]:
    """The file with other bytes in the place of some."""

    def make(folder: Path) -> None:
        hdf5(lambda file: None)(folder)
        data = (folder / NAME).read_bytes()
        assert before in data
        (folder / NAME).write_bytes(data.replace(before, after, count))

    return make


def cut(part: float) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        hdf5(lambda file: None)(folder)
        data = (folder / NAME).read_bytes()
        (folder / NAME).write_bytes(data[: int(part * len(data))])

    return make


def endless_heap(folder: Path) -> None:
    """The collection of texts says of its first one that it has no end."""
    hdf5(lambda file: None)(folder)
    data = bytearray((folder / NAME).read_bytes())
    at = data.index(b"GCOL") + 16 + 8
    data[at : at + 8] = struct.pack("<Q", 2**64 - 16)
    (folder / NAME).write_bytes(data)


def text_of_numbers(folder: Path) -> None:
    """The type of the attribute `name`, a text of any length, becomes a list of what is no text."""
    hdf5(lambda file: None)(folder)
    data = (folder / NAME).read_bytes()
    (folder / NAME).write_bytes(data.replace(b"\x19\x01\x01\0\x10\0\0\0", b"\x19\0\x01\0\x10\0\0\0"))


def archive(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        with zipfile.ZipFile(folder / "a.keras", "w", method) as opened:
            for name, content in members.items():
                opened.writestr(name, content)

    return make


def bomb(folder: Path) -> None:
    """A megabyte that unpacks to a gigabyte."""
    made = zipfile.ZipFile(folder / "a.keras", "w", zipfile.ZIP_DEFLATED)
    with made, made.open("model.weights.h5", "w") as member:
        for _ in range(1024):
            member.write(bytes(1 << 20))


def safetensors(header: object, data: bytes = b"") -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        (folder / "a.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)

    return make


def tensor(shape: list[int], begin: int, end: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def contents(data: bytes, name: str = NAME) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(data)


class Act:
    """What a pickle would run."""

    def __reduce__(self) -> Any:
        return os.system, ("touch ran",)


def symlinks(folder: Path) -> None:
    (folder / "loop").symlink_to("loop")


def row(name: str, make: Callable[[Path], object], answer: str, file: str = NAME, **more: Any) -> Attack:
    return Attack(f"weights: {name}", make, load(file), answer, keras=True, **more)


FITS = "does not fit"
BROKEN = "damaged or cut short"
ATTACKS: list[Attack] = [
    row("a link to another file", hdf5(linked("ExternalLink", "../secret.txt", "/x")), "is a link"),
    row("a link to another place", hdf5(linked("SoftLink", "/layers")), "is a link"),
    row("values in another file", hdf5(kernel(external=[("../secret.txt", 0, 864)])), "has its values in other files"),
    row("values put together from other files", hdf5(virtual), "has its values in other files"),
    row("a chunk that unpacks to 400 MB", hdf5(large_chunk), "in chunks"),
    row("a shape of petabytes", hdf5(kernel(shape=(3_000_000, 3_000_000), chunks=(64, 64))), "3000000×3000000"),
    row("a group within itself", hdf5(endless), "nested deeper than 16"),
    row("a hundred groups within themselves", hdf5(endless_everywhere), "more than 100000 entries"),
    row("a group within itself, HDF5 1.8", hdf5(endless, "v108"), "nested deeper than 16"),
    row("the same array a million times", hdf5(listed), "lists more than 100000 arrays"),
    row("the size of a model of keras.applications", hdf5(of_applications), FITS),
    row("twenty thousand groups", hdf5(many_groups), ""),
    *[row(f"opaque values of {size}", hdf5(opaque(size)), "expected float32") for size in (1, 3, 4)],
    row("a text that is a list of numbers", text_of_numbers, ""),
    row("a text without end", endless_heap, BROKEN),
    row("a link name of 60 KB", hdf5(lambda file: file.create_group("x" * 60_000)), "a text of 60000 bytes"),
    row("a link name of 60,000 digits", hdf5(lambda file: file.create_group("7" * 60_000)), "a text of 60000 bytes"),
    row("a tree that is none", rewritten(b"TREE", b"TREF"), BROKEN),
    row("a heap that is none", rewritten(b"HEAP", b"HEAQ"), BROKEN),
    row("texts that are none", rewritten(b"GCOL", b"GCOM"), BROKEN),
    *[row(f"cut at {part}", cut(part), BROKEN) for part in (0.002, 0.1, 0.5, 0.99)],
    row("an archive that unpacks to a gigabyte", bomb, "unpacks to more than", "a.keras"),
    row("LZMA", archive({"model.weights.h5": bytes(99)}, zipfile.ZIP_LZMA), "that Keras does not use", "a.keras"),
    row("bzip2", archive({"model.weights.h5": bytes(99)}, zipfile.ZIP_BZIP2), "that Keras does not use", "a.keras"),
    row(
        "members beside the folder",
        archive({"../out": b"x", "model.weights.h5": b""}),
        "it has 0 of 64 bytes",
        "a.keras",
    ),
    row("50,000 members", archive({f"{'x' * 40}{n}": b"" for n in range(50_000)}), "its directory has", "a.keras"),
    row("a header of 5 MB", safetensors({"x" * 5_000_000: 1}), "no whole safetensors", "a.safetensors"),
    row("a name of 5 MB", safetensors({"x" * 5_000_000: tensor([0], 0, 0)}), "too long", "a.safetensors"),
    row(
        "a header of 2 EB", contents(struct.pack("<Q", 1 << 61) + b"{", "a.safetensors"), "a header of", "a.safetensors"
    ),
    row("deep JSON", safetensors(b'{"a":' + b"[" * 100_000), "no header of JSON", "a.safetensors"),
    row(
        "overlapping tensors",
        safetensors({"a": tensor([1], 0, 4), "b": tensor([1], 0, 4)}, bytes(4)),
        "overlap",
        "a.safetensors",
    ),
    row(
        "bytes between tensors",
        safetensors({"a": tensor([1], 0, 4), "b": tensor([1], 8, 12)}, bytes(12)),
        "leave a gap",
        "a.safetensors",
    ),
    row("a tensor of petabytes", safetensors({"a": tensor([1 << 50], 0, 1 << 52)}), "bytes of values", "a.safetensors"),
    row(
        "a million dimensions", safetensors({"a": tensor([1] * 1_000_000, 0, 4)}, bytes(4)), "too long", "a.safetensors"
    ),
    row("a pickle", contents(pickle.dumps(Act())), "which is never read"),
    row("a named pipe", lambda folder: os.mkfifo(folder / NAME), "no such weights file"),
    row("a loop of links", symlinks, "weights file", "loop/a.weights.h5"),
    row("a folder", lambda folder: (folder / NAME).mkdir(), "no such weights file"),
]
