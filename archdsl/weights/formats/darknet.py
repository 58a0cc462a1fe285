"""Darknet's .weights files: a header, then float32 of each layer in the order of the .cfg, with no names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING, BinaryIO

import numpy

from archdsl.weights.formats.contents import DamagedFile, Shape

if TYPE_CHECKING:
    from archdsl.weights.formats.contents import Array

SUFFIX = ".weights"
_VERSION_BYTES = 12  # major, minor, revision; then the number of images seen, whose size depends on them
_FLOAT_BYTES = 4


def read(stream: BinaryIO, shapes: Sequence[Shape]) -> Iterator[Array]:
    """The arrays of these shapes, one after the other.

    Raises DamagedFile, before any array is read, unless the file is as long as these are, to the byte.
    """
    header, size = _header_bytes(stream), stream.seek(0, os.SEEK_END)
    expected = header + _FLOAT_BYTES * sum(map(prod, shapes))
    if size != expected:
        kind = "short" if size < expected else "long"
        whole = f"its {len(shapes)} arrays take {expected:,}"
        raise DamagedFile(f"too {kind}: it has {size:,} bytes; {whole}, {header} of them the header")
    stream.seek(header)
    for shape in shapes:
        data = stream.read(_FLOAT_BYTES * prod(shape))
        if len(data) < _FLOAT_BYTES * prod(shape):
            raise DamagedFile("it became shorter while it was read")
        yield numpy.frombuffer(data, "<f4").reshape(shape)


def _header_bytes(stream: BinaryIO) -> int:
    """20, or 16 in files from before version 0.2."""
    begin = stream.read(_VERSION_BYTES)
    if len(begin) < _VERSION_BYTES:
        raise DamagedFile(f"too short: it has {len(begin)} bytes, and a header takes at least 16")
    major, minor, _ = numpy.frombuffer(begin, "<i4").tolist()
    if not (0 <= major < 1000 and 0 <= minor < 1000):
        raise DamagedFile(f"no Darknet weights: its version is {major}.{minor}")
    return _VERSION_BYTES + (8 if 10 * major + minor >= 2 else 4)
