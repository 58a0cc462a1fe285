"""Checkpoints as PyTorch writes them, without PyTorch: a pickle written operation by operation, numbers beside it."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

STORAGES = {"float32": "Float", "float64": "Double", "float16": "Half", "int64": "Long", "uint16": "BFloat16"}
BEGIN, END = b"\x80\x02", b"."


@dataclass(frozen=True)
class Name:
    """A class or a function."""

    module: str
    name: str


@dataclass(frozen=True)
class Call:
    """What a name gives for arguments."""

    what: Name
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Made:
    """An object of a class with a state."""

    of: Name
    state: Any


@dataclass(frozen=True)
class Reference:
    """A storage outside of the pickle."""

    kind: str
    key: str
    count: int


@dataclass
class Written:
    """Storages of the arrays in a value, and the value as a pickle."""

    storages: dict[str, bytes] = field(default_factory=dict)

    def data(self, value: Any) -> bytes:
        return BEGIN + self.encoded(value) + END

    def encoded(self, value: Any) -> bytes:
        if isinstance(value, np.ndarray):
            return self.encoded(self.tensor(value))
        if isinstance(value, dict):
            items = b"".join(self.encoded(key) + self.encoded(item) for key, item in value.items())
            return b"ccollections\nOrderedDict\n)R(" + items + b"u"
        if isinstance(value, tuple):
            return b"(" + b"".join(map(self.encoded, value)) + b"t"
        if isinstance(value, list):
            return b"](" + b"".join(map(self.encoded, value)) + b"e"
        if isinstance(value, Name):
            return f"c{value.module}\n{value.name}\n".encode()
        if isinstance(value, Call):
            return self.encoded(value.what) + self.encoded(value.arguments) + b"R"
        if isinstance(value, Made):
            return self.encoded(value.of) + b")\x81" + self.encoded(value.state) + b"b"
        if isinstance(value, Reference):
            of = Name("torch", f"{value.kind}Storage")
            return self.encoded(("storage", of, value.key, "cpu", value.count)) + b"Q"
        return pickle.dumps(value, 2)[2:-1]

    def tensor(self, array: np.ndarray) -> Call:
        key = str(len(self.storages))
        self.storages[key] = array.tobytes()
        reference = Reference(STORAGES[array.dtype.name], key, array.size)
        steps = tuple(step // array.itemsize for step in np.array(array, order="C").strides)
        return tensor(reference, 0, array.shape, steps)


def tensor(storage: Any, offset: Any, shape: Any, steps: Any) -> Call:
    return Call(Name("torch._utils", "_rebuild_tensor_v2"), (storage, offset, shape, steps, False, {}))


def module(kind: str, *, modules: Any = None, **arrays: np.ndarray) -> Made:
    """A module of this class with arrays, and modules inside of it."""
    state = {"training": False, "_parameters": {}, "_buffers": arrays, "_modules": modules or {}}
    return Made(Name("ultralytics.nn.modules", kind), state)


def members_of(value: Any) -> dict[str, bytes]:
    written = Written()
    described = written.data(value)
    return with_description(described, written.storages)


def with_description(described: bytes, storages: Mapping[str, bytes] | None = None) -> dict[str, bytes]:
    numbers = {f"net/data/{key}": data for key, data in (storages or {}).items()}
    return {"net/data.pkl": described, "net/byteorder": b"little", **numbers, "net/version": b"3\n"}


def write_zip(path: Path, members: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def write(path: Path, value: Any) -> None:
    """A checkpoint of a value, the arrays in which are tensors."""
    write_zip(path, members_of(value))


def unit(draw: np.random.Generator, path: str, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """A convolution of this shape with its batch norm, as a state dict has them."""
    wide = shape[0]
    norm = {name: draw.uniform(0.5, 1.5, wide) for name in ("weight", "bias", "running_mean", "running_var")}
    arrays = {f"{path}.conv.weight": draw.normal(size=shape)} | {f"{path}.bn.{name}": a for name, a in norm.items()}
    counter = {f"{path}.bn.num_batches_tracked": np.array(7)}
    return {name: array.astype("float32") for name, array in arrays.items()} | counter
