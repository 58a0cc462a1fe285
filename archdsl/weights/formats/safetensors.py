"""Our own weights files: safetensors by node name, with the config that they belong to."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy
import safetensors
from safetensors.numpy import save_file

from archdsl.frontend.yaml.embedded import BadHeader, header_of, metadata
from archdsl.weights.formats.contents import MAX_NAME, MAX_RANK, Contents, DamagedFile, Layout, Stored, StoredArray

if TYPE_CHECKING:
    from archdsl.ir.node import Node
    from archdsl.weights.formats.contents import Array
    from archdsl.weights.model import Model

_FLOAT = "F32"  # what `write` writes
_DTYPES = {  # what can be read, and how NumPy writes it; ours are of the first
    _FLOAT: ("float32", "<f4"),
    "F64": ("float64", "<f8"),
    "F16": ("float16", "<f2"),
    "BF16": ("bfloat16", "<u2"),
    **{f"I{bits}": (f"int{bits}", f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
    "U8": ("uint8", "u1"),
    "BOOL": ("bool", "?"),
}
_BYTES = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3"), 1),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 2),
    **dict.fromkeys(("I32", "U32", _FLOAT), 4),
    **dict.fromkeys(("I64", "U64", "F64"), 8),
}


def write(model: Model, path: Path) -> None:
    """Write every array of a model as float32 under "node/array", and the model's config beside them."""
    layers = model.layers_by_node
    nodes = (node for node in model.graph.nodes if node.weights)
    write_arrays({node: layers[node.name].get_weights() for node in nodes}, metadata(model.config, model.passes), path)


def write_arrays(values: Mapping[Node, Sequence[Array]], header: dict[str, str], path: Path) -> None:
    """Write the arrays of nodes as `write` does, with this metadata. Raises OSError."""
    arrays = {
        f"{node.name}/{weight.name}": numpy.asarray(value, "float32")
        for node, own in values.items()
        for weight, value in zip(node.weights, own, strict=True)
    }
    save_arrays(arrays, header, path)


def save_arrays(arrays: Mapping[str, Array], header: dict[str, str], path: Path) -> None:
    """Write arrays by their names. Raises OSError."""
    try:
        save_file({name: numpy.asarray(array, order="C") for name, array in arrays.items()}, path, header)
    except safetensors.SafetensorError as error:  # a full disk comes as this too
        raise OSError(str(error)) from None


class _Entry(NamedTuple):
    """An array's entry in the header; its bytes count from the end of the header."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def contents_of(stream: BinaryIO) -> Contents:
    """The layers of a safetensors file, whose arrays can be read while `stream` is open. Raises DamagedFile."""
    try:
        header = header_of(stream)
        start = stream.tell()
        found = {name: _entry(name, value) for name, value in header.items() if name != "__metadata__"}
    except (BadHeader, KeyError, TypeError, ValueError, OverflowError) as error:
        raise DamagedFile(f"no whole safetensors file: {error}") from None
    _check_places(found, stream.seek(0, os.SEEK_END) - start)
    is_torch = bool(found) and not any("/" in name for name in found)
    layout: Layout = "torch" if is_torch else "nodes"
    layers: dict[str, dict[str, StoredArray]] = {}
    for name, entry in found.items():
        node, _, role = name.rpartition("/" if layout == "nodes" else ".")
        known = _DTYPES.get(entry.dtype) if layout == "torch" or entry.dtype == _FLOAT else None
        dtype = known[0] if known else entry.dtype
        layers.setdefault(node, {})[role] = StoredArray(entry.shape, dtype, partial(_read, stream, start, entry))
    return Contents(layout, tuple([Stored(node, node, arrays) for node, arrays in layers.items()]))


def _entry(name: str, value: Any) -> _Entry:
    begin, end = value["data_offsets"]
    shape = tuple(value["shape"])
    if len(name) > MAX_NAME or len(shape) > MAX_RANK:
        raise ValueError("a name or a shape that is too long")
    if not all(type(number) is int and 0 <= number < 1 << 60 for number in (begin, end, *shape)):
        raise ValueError("a shape or a place that is not one")
    if value["dtype"] not in _BYTES:
        raise ValueError(f"numbers of an unknown type, {str(value['dtype'])[:20]}")
    if _BYTES[value["dtype"]] * prod(shape) != end - begin:
        raise ValueError("an array of another size than its shape")
    return _Entry(value["dtype"], shape, begin, end)


def _check_places(found: Mapping[str, _Entry], size: int) -> None:
    """Arrays fill the file one after the other, so that no bytes are those of two, and none are hidden."""
    last = 0
    for entry in sorted(found.values(), key=lambda each: (each.begin, each.end)):
        if entry.begin != last:
            raise DamagedFile("no whole safetensors file: arrays overlap, or leave a gap")
        last = entry.end
    if last != size:
        raise DamagedFile(f"no whole safetensors file: it has {size} bytes of values; expected {last}")


def _read(stream: BinaryIO, start: int, entry: _Entry) -> Array:
    stream.seek(start + entry.begin)
    data = stream.read(entry.end - entry.begin)
    if len(data) < entry.end - entry.begin:
        raise DamagedFile("it became shorter while it was read")
    if entry.dtype not in _DTYPES:
        raise DamagedFile(f"an array of {entry.dtype}; expected {_FLOAT}")
    return numpy.frombuffer(data, _DTYPES[entry.dtype][1]).reshape(entry.shape)
