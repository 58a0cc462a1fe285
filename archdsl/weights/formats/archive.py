"""Members of a .keras or PyTorch file, under limits: what is small on disk may be large when unpacked."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple, cast

MAX_DIRECTORY_BYTES = 1 << 20  # an entry takes about 70; Keras writes three, and one for each asset
_HEADER_BYTES = 30  # before the name of a member
_PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # which are unpacked under a limit, and are all that Keras writes


class BadArchive(ValueError):
    """An archive that is damaged, or beyond a limit: the fact."""


def names_in(stream: BinaryIO) -> list[str]:
    """Names of all members, in their order. Raises BadArchive."""
    with _opened(stream) as archive:
        return archive.namelist()


def size_of(stream: BinaryIO, name: str) -> int:
    """How many bytes of the file a member takes, packed as it is; 0 for none. Raises BadArchive."""
    with _opened(stream) as archive:
        return archive.getinfo(name).compress_size if name in archive.namelist() else 0


def member(stream: BinaryIO, name: str, most_bytes: int) -> bytes:
    """What the member of this name unpacks to, at most `most_bytes`. Raises BadArchive."""
    with _opened(stream) as archive:
        if name not in archive.namelist():
            raise BadArchive(f"there is no {name}")
        if archive.getinfo(name).compress_type not in _PLAIN:
            raise BadArchive(f"{name} is packed in a way that Keras does not use")
        with archive.open(name) as opened:
            data = opened.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise BadArchive(f"{name} unpacks to more than the {most_bytes} bytes that are allowed")
    return data


class Stored(NamedTuple):
    """A member that is not packed: its bytes in the file itself."""

    name: str
    begin: int
    size: int
    crc: int


def stored_in(stream: BinaryIO) -> dict[str, Stored]:
    """All members by name: none is packed, and no two have bytes in common. Raises BadArchive."""
    with _opened(stream) as archive:
        found = [_stored(stream, info) for info in archive.infolist()]
    end = 0
    for each in sorted(found, key=lambda each: (each.begin, each.size)):
        if each.begin < end:
            raise BadArchive("members overlap")
        end = each.begin + each.size
    if end > stream.seek(0, os.SEEK_END):
        raise BadArchive("it ends within a member")
    if len({each.name for each in found}) < len(found):
        raise BadArchive("a name appears twice")
    return {each.name: each for each in found}


def _stored(stream: BinaryIO, info: zipfile.ZipInfo) -> Stored:
    if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size or info.flag_bits & 1:
        raise BadArchive(f"{info.filename} is packed or encrypted; PyTorch writes it as it is")
    stream.seek(info.header_offset)
    header = stream.read(_HEADER_BYTES)
    if len(header) < _HEADER_BYTES or header[:4] != b"PK\x03\x04":
        raise BadArchive(f"{info.filename} is not where the directory has it")
    name, extra = (int.from_bytes(header[at : at + 2], "little") for at in (26, 28))
    return Stored(info.filename, info.header_offset + _HEADER_BYTES + name + extra, info.file_size, info.CRC)


@contextmanager
def _opened(stream: BinaryIO) -> Iterator[zipfile.ZipFile]:
    """The archive; all that is read to find its members is under a limit."""
    bounded = _Bounded(stream)
    try:
        with zipfile.ZipFile(cast(BinaryIO, bounded)) as archive:
            bounded.most_bytes = None
            if any(info.header_offset < 0 for info in archive.infolist()):
                raise BadArchive("a member would begin before the file")
            yield archive
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, UnicodeError, zlib.error) as error:
        raise BadArchive(str(error) or type(error).__name__) from None


class _Bounded:
    """A stream that gives at most `most_bytes` at a time."""

    def __init__(self, stream: BinaryIO):
        self._stream = stream
        self.most_bytes: int | None = MAX_DIRECTORY_BYTES

    def read(self, count: int = -1) -> bytes:
        if self.most_bytes is not None and count > self.most_bytes:
            raise BadArchive(f"its directory has {count} bytes; expected at most {self.most_bytes}")
        return self._stream.read(count)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        """The stream is the caller's."""
