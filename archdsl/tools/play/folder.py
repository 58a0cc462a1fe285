"""The config files of one folder, opened and saved; nothing outside of it is read or written."""

from __future__ import annotations

import os
import re
import threading
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from archdsl.backends.atomic_write import written_whole
from archdsl.diagnostics.problems import ArchError, Mark, fail
from archdsl.diagnostics.wording import did_you_mean
from archdsl.frontend.compose.search_path import config_root, preset_names
from archdsl.frontend.yaml.conformance import LINE_END
from archdsl.frontend.yaml.embedded import SUFFIX, carried_by
from archdsl.frontend.yaml.files import config_files, decoded, real

MAX_FILE_BYTES = 1 << 20  # as for any config
_NAME = re.compile(r"[^\s./\\:\0][^/\\:\0]{0,99}\.ya?ml")
_ONLY_ITS_OWN = re.compile(r"^(?:expect|published):.*\n(?:[ \t]+.*\n)*", re.MULTILINE)
_HOW = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
START = """\
# Change anything: the picture follows.
defaults: [yolo_v8_s_backbone, _self_]
scale: {width: 0.375}
stages:
  p3: {depth: 9}
  p4: {body: {block: csp}}
outputs: [p3, p4, p5]
"""


class Opened(NamedTuple):
    """A text to edit. `stamp` identifies the content of its file; it is empty for a text without one."""

    name: str
    text: str
    stamp: str = ""


class Changed(ArchError):
    """The file has changed since it was opened. `stamp` is its present one."""

    def __init__(self, name: str, stamp: str):
        hint = "save under another name, or replace what is there"
        super().__init__(fail("output", "has changed on disk since it was opened", mark=Mark(name), hint=hint).problems)
        self.stamp = stamp


class Folder:
    """A folder of configs. Files are given by name, never by path, and links are refused."""

    def __init__(self, path: Path):
        self.path = real(path)
        if not self.path.is_dir():
            raise fail("missing-file", "there is no such folder", mark=Mark(str(path)))
        self.saving = threading.Lock()

    def names(self) -> list[str]:
        """The files that can be opened."""
        return [name for name in config_files(self.path) if _is_name(name) and _is_file(self.path / name)]

    def opened(self, name: str) -> Opened:
        """A file of the folder, or a shipped preset. Raises ArchError."""
        if name in preset_names():
            return copy_of(config_root() / f"{name}.yaml")
        data = _read(self._path_of(name))
        return Opened(name, LINE_END.sub("\n", decoded(data, name)), _stamp(data))

    def save(self, name: str, text: str, stamp: str) -> Opened:
        """Write the file atomically if it still has this `stamp`. Line ends stay as they were.

        Raises Changed where it is another one by now, ArchError where it cannot be written.
        """
        path = self._path_of(name)
        with self.saving:
            before = _read(path) if os.path.lexists(path) else b""
            found = _stamp(before) if os.path.lexists(path) else ""
            if found != stamp:
                raise Changed(name, found)
            data = text.replace("\n", "\r\n" if b"\r\n" in before else "\n").encode()
            if len(data) > MAX_FILE_BYTES:
                raise fail("limit", f"more than {MAX_FILE_BYTES} bytes", mark=Mark(name))
            with written_whole(path) as partial:
                partial.write_bytes(data)
        return Opened(name, text, _stamp(data))

    def _path_of(self, name: str) -> Path:
        if not _is_name(name):
            hint = "write one such as my_net.yaml"
            raise fail("output", f"'{name[:100]}' is not the name of a config in this folder", hint=hint)
        return self.path / name


def copy_of(path: Path) -> Opened:
    """The text of a shipped config without `expect` and `published`, or of one carried by a weights file."""
    text = carried_by(path).config if path.suffix == SUFFIX else _ONLY_ITS_OWN.sub("", _read(path).decode())
    return Opened(f"{path.stem}.yaml", text)


def _stamp(data: bytes) -> str:
    return sha256(data).hexdigest()


def _is_name(name: str) -> bool:
    return name.isprintable() and _NAME.fullmatch(name) is not None


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _read(path: Path) -> bytes:
    """Read a small regular file. Never blocks, and never follows a link."""
    mark = Mark(path.name)
    if not os.path.lexists(path):
        hint = did_you_mean(path.name, config_files(path.parent))
        raise fail("missing-file", "there is no such file", mark=mark, hint=hint)
    if not _is_file(path):
        raise fail("not-a-file", "not a regular file of this folder; expected a YAML file, and no link", mark=mark)
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | _HOW)) as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise fail("unreadable", f"cannot be read: {error.strerror}", mark=mark) from None
    if data is None or len(data) > MAX_FILE_BYTES:
        raise fail("limit", f"more than {MAX_FILE_BYTES} bytes", mark=mark)
    return data
