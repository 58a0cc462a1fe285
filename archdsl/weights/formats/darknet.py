"""Darknet's .weights files: a header, then float32 of each convolution in the order of the .cfg, with no names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy

from archdsl.frontend.importers.darknet import StoredConv
from archdsl.weights.formats.contents import DamagedFile

if TYPE_CHECKING:
    from archdsl.weights.formats.contents import Array

_VERSION_BYTES = 12  # major, minor, revision; then the number of images seen, whose size depends on them
_FLOAT_BYTES = 4
NORM = ("beta", "gamma", "moving_mean", "moving_variance")  # as they follow each other in the file


def read(path: Path, convs: Sequence[StoredConv]) -> list[dict[str, Array]]:
    """The arrays of each convolution by our names: its kernel as HWIO, and a bias or the four of its norm.

    Raises DamagedFile, before any array is read, unless the file is as long as these are, to the byte.
    """
    with path.open("rb") as stream:
        header, size = _header_bytes(stream), stream.seek(0, os.SEEK_END)
        floats = sum(_floats(conv) for conv in convs)
        expected = header + _FLOAT_BYTES * floats
        if size != expected:
            kind = "short" if size < expected else "long"
            whole = f"{len(convs)} convolutions take {expected:,}"
            raise DamagedFile(f"too {kind}: it has {size:,} bytes; {whole}, {header} of them the header")
        stream.seek(header)
        return [_arrays(stream, conv) for conv in convs]


def _header_bytes(stream: BinaryIO) -> int:
    """20, or 16 in files from before version 0.2."""
    begin = stream.read(_VERSION_BYTES)
    if len(begin) < _VERSION_BYTES:
        raise DamagedFile(f"too short: it has {len(begin)} bytes, and a header takes at least 16")
    major, minor, _ = numpy.frombuffer(begin, "<i4").tolist()
    if not (0 <= major < 1000 and 0 <= minor < 1000):
        raise DamagedFile(f"no Darknet weights: its version is {major}.{minor}")
    return _VERSION_BYTES + (8 if 10 * major + minor >= 2 else 4)


def _floats(conv: StoredConv) -> int:
    return prod(conv.shape) + conv.shape[0] * (len(NORM) if conv.has_norm else 1)


def _arrays(stream: BinaryIO, conv: StoredConv) -> dict[str, Array]:
    names = NORM if conv.has_norm else ("bias",)
    found = {name: _read(stream, conv.shape[:1]) for name in names}
    return {**found, "kernel": _read(stream, conv.shape).transpose(2, 3, 1, 0)}


def _read(stream: BinaryIO, shape: Sequence[int]) -> Array:
    data = stream.read(_FLOAT_BYTES * prod(shape))
    if len(data) < _FLOAT_BYTES * prod(shape):
        raise DamagedFile("it became shorter while it was read")
    return numpy.frombuffer(data, "<f4").reshape(shape)
