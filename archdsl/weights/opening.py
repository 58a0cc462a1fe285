"""Any weights file → its layers, by what it holds and not by what it is called."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from archdsl.errors import ArchError, Mark, fail
from archdsl.weights import hdf5, tensors
from archdsl.weights.stored import Contents

WEIGHTS_IN_ARCHIVE = "model.weights.h5"
EXPECTED = "expected Keras's .weights.h5, .h5 or .keras, or .safetensors"

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_OTHERS = {  # what people take for a weights file, by how it begins
    b"\x80": "a Python pickle, which is never read",
    b"\x93NUMPY": "a NumPy array",
    b"\x1f\x8b": "a compressed file; unpack it first",
    b"<": "a web page or XML; the download was not the file itself",
    b"version https://git-lfs": "a Git LFS pointer; fetch the file itself",
}


@contextmanager
def opened(path: Path, most_bytes: int, sha256: str | None = None) -> Iterator[Contents]:
    """The layers of the weights file at `path`, whose arrays can be read inside the block.

    `most_bytes` bounds what an archive may unpack to, if it is smaller itself. Raises ArchError for a file that is
    missing, damaged, of another kind, or that does not have the `sha256`.
    """
    mark = Mark(str(path))
    with _stream(path, mark, sha256) as stream:
        if sha256 is not None:
            _check_sha256(stream, sha256, mark)
        try:
            with _contents(stream, path, most_bytes, mark) as contents:
                yield contents
        except hdf5.DamagedFile as error:
            raise _unusable(str(error), mark) from None


def _stream(path: Path, mark: Mark, sha256: str | None) -> BinaryIO:
    if not path.is_file():
        hint = f"the file that is expected has the sha256 {sha256}" if sha256 else ""
        raise fail("missing-file", "there is no such weights file", mark=mark, hint=hint)
    try:
        return path.open("rb")
    except OSError as error:
        raise fail("unreadable", f"cannot be read: {error.strerror}", mark=mark) from None


@contextmanager
def _contents(stream: BinaryIO, path: Path, most_bytes: int, mark: Mark) -> Iterator[Contents]:
    begin = stream.read(64)
    stream.seek(0)
    if begin.startswith(_HDF5):
        with hdf5.opened(path) as contents:  # by name: through a Python stream it takes twice as long
            yield contents
    elif begin.startswith(_ZIP):
        unpacked = _from_archive(stream, max(most_bytes, path.stat().st_size), mark)
        with hdf5.opened(BytesIO(unpacked)) as contents:
            yield contents
    elif begin[8:9] == b"{":
        with tensors.opened(path) as contents:
            yield contents
    else:
        raise _unusable(_kind(begin), mark)


def _kind(begin: bytes) -> str:
    if not begin:
        return f"an empty file; {EXPECTED}"
    known = (kind for magic, kind in _OTHERS.items() if begin.lstrip().startswith(magic))
    return next(known, f"no weights file; {EXPECTED}")


def _from_archive(stream: BinaryIO, most_bytes: int, mark: Mark) -> bytes:
    """The weights inside a .keras file. Its other members, which say how to build a model, are not looked at."""
    try:
        with zipfile.ZipFile(stream) as archive:
            names = archive.namelist()
            if names.count(WEIGHTS_IN_ARCHIVE) != 1:
                raise _unusable(f"{_kind_of_archive(names)}; {EXPECTED}", mark)
            with archive.open(WEIGHTS_IN_ARCHIVE) as member:
                data = member.read(most_bytes + 1)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error) as error:
        raise _unusable(f"a damaged .keras file: {error}", mark) from None
    if len(data) > most_bytes:
        raise _unusable(f"its weights unpack to more than {most_bytes} bytes, which no file of this model has", mark)
    return data


def _kind_of_archive(names: list[str]) -> str:
    if any(name.endswith("data.pkl") for name in names):
        return "a PyTorch file, whose pickles are never read"
    if names and all(name.endswith(".npy") for name in names):
        return "a NumPy archive"
    return f"an archive without one {WEIGHTS_IN_ARCHIVE}"


def _check_sha256(stream: BinaryIO, expected: str, mark: Mark) -> None:
    found = hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
    size = stream.tell()
    stream.seek(0)
    if found != expected.lower():
        hint = "download it again"
        message = f"its sha256 is {found} ({size} bytes); expected {expected}"
        raise fail("checksum", message, mark=mark, hint=hint)


def _unusable(fact: str, mark: Mark) -> ArchError:
    return fail("weights", fact, mark=mark)
