"""A weights file of any format → its layers. The content tells the format, not the name; it is opened once."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

from archdsl.diagnostics.problems import Mark, fail
from archdsl.weights.formats import darknet, hdf5, safetensors, torch_zip
from archdsl.weights.formats.archive import BadArchive, member, names_in
from archdsl.weights.formats.contents import Contents, DamagedFile

WEIGHTS_IN_ARCHIVE = "model.weights.h5"
EXPECTED = "expected Keras's .weights.h5, .h5 or .keras, PyTorch's .pt, Darknet's .weights, or .safetensors"

_CHUNK_BYTES = 1 << 20
_IN_MEMORY_BYTES = 1 << 30  # of a copy; what is larger is on disk
HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_OTHERS = {  # what people take for a weights file, by how it begins
    b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19": "a PyTorch file of before 1.6; save it again with PyTorch",
    b"\x80": "a Python pickle, which is never read",
    b"\x93NUMPY": "a NumPy array",
    b"\x1f\x8b": "a compressed file; unpack it first",
    b"<": "a web page or XML; the download was not the file itself",
    b"version https://git-lfs": "a Git LFS pointer; fetch the file itself",
}


@contextmanager
def opened(
    path: Path,
    most_bytes: int,
    sha256: str | None = None,
    unnamed: Callable[[BinaryIO], Contents] | None = None,
) -> Iterator[Contents]:
    """The layers of the weights file at `path`, whose arrays can be read inside the block.

    `most_bytes` bounds what an archive may unpack to, if it is smaller itself. With `sha256`, what is read is a copy
    that nobody else can write to. `unnamed` reads Darknet's .weights, which only the name of the file tells. Raises
    ArchError for a file that is missing, damaged, of another kind, or that does not have the `sha256`.
    """
    mark = Mark(str(path))
    try:
        if not path.is_file():
            hint = f"the file that is expected has the sha256 {sha256}" if sha256 else ""
            raise fail("missing-file", "there is no such weights file", mark=mark, hint=hint)
        with path.open("rb") as stream, _checked(stream, sha256, mark) as checked:
            yield unnamed(checked) if unnamed and path.suffix == darknet.SUFFIX else _contents(checked, most_bytes)
    except DamagedFile as error:
        raise fail("weights", str(error), mark=mark) from None
    except OSError as error:
        raise fail("unreadable", f"cannot be read: {error.strerror or error}", mark=mark) from None


def _contents(stream: BinaryIO, most_bytes: int) -> Contents:
    begin = stream.read(512)
    stream.seek(0)
    if begin.startswith(HDF5):
        return hdf5.contents_of(stream)
    if begin.startswith(_ZIP) and _is_torch(stream):
        return torch_zip.contents_of(stream)
    if begin.startswith(_ZIP):
        return hdf5.contents_of(BytesIO(_from_archive(stream, most_bytes)))
    if begin[8:9] == b"{":
        return safetensors.contents_of(stream)
    raise DamagedFile(_kind(begin))


def _kind(begin: bytes) -> str:
    if not begin:
        return f"an empty file; {EXPECTED}"
    if begin[257:262] == b"ustar":
        return "a tar archive; unpack it first, or if PyTorch wrote it, save it again with PyTorch"
    known = (kind for magic, kind in _OTHERS.items() if begin.lstrip().startswith(magic))
    return next(known, f"no weights file; {EXPECTED}")


def _from_archive(stream: BinaryIO, most_bytes: int) -> bytes:
    """The weights inside a .keras file. Its other members, which describe how to build a model, are not read."""
    try:
        names = names_in(stream)
        if names.count(WEIGHTS_IN_ARCHIVE) != 1:
            raise DamagedFile(f"{_kind_of_archive(names)}; {EXPECTED}")
        return member(stream, WEIGHTS_IN_ARCHIVE, max(most_bytes, stream.seek(0, os.SEEK_END)))
    except BadArchive as error:
        raise DamagedFile(f"a damaged .keras or .pt file, perhaps one that was cut off: {error}") from None


def _is_torch(stream: BinaryIO) -> bool:
    try:
        return any(name.endswith(f"/{torch_zip.PICKLE}") for name in names_in(stream))
    except BadArchive:
        return False


def _kind_of_archive(names: list[str]) -> str:
    if names and all(name.endswith(".npy") for name in names):
        return "a NumPy archive"
    return f"an archive without one {WEIGHTS_IN_ARCHIVE}"


def _checked(stream: BinaryIO, expected: str | None, mark: Mark) -> BinaryIO:
    """A copy of the file that has this sha256: the file itself could be written to between the check and the reading.

    It is in memory, or for a large file under no name in the folder for temporary files. Without a sha256, the file.
    """
    if expected is None:
        return stream
    copy = cast(BinaryIO, tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES))  # noqa: SIM115  (the caller closes it)
    digest = hashlib.sha256()
    while chunk := stream.read(_CHUNK_BYTES):
        digest.update(chunk)
        copy.write(chunk)
    if digest.hexdigest() != expected.lower():
        message = f"its sha256 is {digest.hexdigest()} ({copy.tell()} bytes); expected {expected}"
        copy.close()
        raise fail("checksum", message, mark=mark, hint="download it again")
    copy.seek(0)
    return copy
