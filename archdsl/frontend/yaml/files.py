"""Files → configs: only small, regular files of UTF-8 text are read."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from archdsl.diagnostics.problems import ArchError, Mark, fail
from archdsl.frontend.budget import DEFAULT, Budget, allow_more
from archdsl.frontend.source import Source
from archdsl.frontend.yaml.conformance import LINE_END
from archdsl.frontend.yaml.embedded import SUFFIX, carried_by
from archdsl.frontend.yaml.parser import read_text
from archdsl.frontend.yaml.sniff import HEAD, binary_kind, wide_encoding

Reader = Callable[[str, str, Budget], Source]
"""Text, name and limits → config."""
NAMED = 5
_LOOKED_AT = 1_000
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class ConfigText(NamedTuple):
    """A config as a text under a name: a file that is being edited, or one that was never written.

    `file` is what messages call it. Parents are looked for in `folder`, then among the shipped configs; without a
    folder only there. `others` are texts that count instead of the files at these paths, which have no symbolic links:
    parents that are being edited too.
    """

    text: str
    file: str = "<text>"
    folder: Path | None = None
    others: Mapping[str, str] = {}


def real(path: str | os.PathLike[str]) -> Path:
    """The path without symbolic links. One that goes round in a circle, or that no file can have, stays as it is."""
    try:
        return Path(os.path.realpath(path))
    except ValueError:
        return Path(path)


@dataclass(frozen=True)
class Reading:
    """How the files of one config are read: their limits, and the texts that count instead of some of them, by path."""

    budget: Budget
    others: Mapping[str, str] = field(default_factory=dict)
    _real: dict[str, Path] = field(default_factory=dict)

    def real(self, path: str | os.PathLike[str]) -> Path:
        """`real`, of each path once: a preset of three files asks for four paths nineteen times."""
        name = os.fspath(path)
        if name not in self._real:
            self._real[name] = real(name)
        return self._real[name]

    def file(self, path: Path) -> Source:
        """The config at `path`. Raises ArchError as read_file does."""
        text = self.others.get(os.fspath(self.real(path))) if self.others else None
        return read_file(path, budget=self.budget) if text is None else self.text(text, os.fspath(path))

    def text(self, text: str, file: str) -> Source:
        """The config in `text`. Raises ArchError as for a file of that text."""
        size = len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))
        if size > self.budget.file_bytes:
            raise _too_large(size, file, self.budget)
        return _read_text(text.removeprefix("\ufeff"), file, self.budget)


_read_text = lru_cache(maxsize=8)(read_text)  # of parents, and of what a file holds, while one text is edited


def config_files(folder: Path) -> list[str]:
    """Names of the config files in `folder`."""
    return names_in(folder, lambda entry: entry.name.endswith((".yaml", ".yml")))


def names_in(folder: Path, wanted: Callable[[os.DirEntry[str]], bool]) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted([entry.name for entry in islice(entries, _LOOKED_AT) if wanted(entry)])
    except (OSError, ValueError):
        return []


def read_file(path: Path, read: Reader = read_text, budget: Budget = DEFAULT) -> Source:
    """The config in the file at `path`. Raises ArchError when it is not a small text file, or not a config."""
    name = os.fspath(path)
    try:
        state = path.stat()
        _require_regular(path, state)
        if path.suffix == SUFFIX:
            return read_text(carried_by(path).config, name, budget)
        return _read_file(path, name, read, budget, state.st_mtime_ns, state.st_size)
    except OSError as error:
        raise fail("unreadable", f"cannot be read: {error.strerror}", mark=Mark(name)) from None


def _require_regular(path: Path, state: os.stat_result) -> None:
    kind = next((kind for test, kind in _KINDS if test(state.st_mode)), "")
    if kind:
        held = config_files(path) if stat.S_ISDIR(state.st_mode) else []
        hint = f"it holds {', '.join(held[:NAMED])}" if held else ""
        message = f"{kind}, not a regular file; expected a YAML file"
        raise fail("not-a-file", message, mark=Mark(os.fspath(path)), hint=hint)


def _opener(path: str, flags: int) -> int:
    """Waits for nobody: a pipe without a writer, or what the system only calls a file, would never answer."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


@lru_cache(maxsize=1024)  # more than ship, all of which `archdsl list` reads
def _read_file(path: Path, name: str, read: Reader, budget: Budget, changed_ns: int, size: int) -> Source:
    """Parsed once for each state of the file; parents are shared by many presets."""
    with open(path, "rb", opener=_opener) as file:
        _require_regular(path, os.fstat(file.fileno()))  # it may have changed since
        head = file.read(HEAD)
        if head is None:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        kind = binary_kind(head)
        if kind:
            raise fail("encoding", f"binary file ({kind}); expected YAML text", mark=Mark(name))
        most = int(min(budget.file_bytes, max(size, DEFAULT.file_bytes)))
        data = head + ((file.read(most) or b"") if size <= most else b"")
    size = max(size, len(data))
    if size > most:  # some files, such as those in /proc, hold more than their size
        raise _too_large(size, name, budget)
    return read(decoded(data, name), name, budget)


def _too_large(size: int, name: str, budget: Budget) -> ArchError:
    hint = f"a config is a few lines; was another file meant? {allow_more('file_bytes', size)}"
    return fail("limit", f"{size} bytes; a config has at most {budget.file_bytes:.0f}", mark=Mark(name), hint=hint)


def decoded(data: bytes, name: str) -> str:
    """Text in UTF-8. Raises ArchError that names another encoding, or the place of the byte that is not UTF-8."""
    encoding = wide_encoding(data)
    if encoding:
        raise fail("encoding", f"{encoding} text; expected UTF-8", mark=Mark(name), hint="save the file as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = LINE_END.split(data[: error.start].decode("utf-8-sig", "replace"))
        mark = Mark(name, len(before), len(before[-1]) + 1)
        byte = data[error.start]
        message = f"not UTF-8 text (byte {error.start} is 0x{byte:02x}); expected a YAML file"
        letter = bytes([byte]).decode("cp1252", "ignore")
        hint = f"save the file as UTF-8; in Latin-1 this byte is '{letter}'" if letter and b"\0" not in data else ""
        raise fail("encoding", message, mark=mark, hint=hint) from None
