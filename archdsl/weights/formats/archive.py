"""Members of a .keras file, or another zip archive, under limits: what is small on disk may be large when unpacked."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

MAX_DIRECTORY_BYTES = 1 << 20  # an entry takes about 70; Keras writes three, and one for each asset
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


@contextmanager
def _opened(stream: BinaryIO) -> Iterator[zipfile.ZipFile]:
    """The archive; all that is read to find its members is under a limit."""
    bounded = _Bounded(stream)
    try:
        with zipfile.ZipFile(cast(BinaryIO, bounded)) as archive:
            bounded.most_bytes = None
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
