"""Where configs are: the shipped folder and the user's own. Finds files, reads only what a config may be."""

from __future__ import annotations

import os
import stat
from functools import lru_cache
from pathlib import Path

from archdsl.errors import Mark, did_you_mean, fail
from archdsl.reader import read_text
from archdsl.source import Source

MAX_BYTES = 1 << 20


@lru_cache(maxsize=1)
def config_root() -> Path:
    """The folder of the shipped configs: inside an installed package, else beside it in the checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "configs"
    return installed if installed.is_dir() else package.parent / "configs"


def preset_names() -> list[str]:
    """Names of the shipped presets: files of the shipped folder itself; those in its sub-folders are families."""
    return sorted(path.stem for path in config_root().glob("*.yaml"))


def find_config(reference: str | os.PathLike[str]) -> Path:
    """The file that a user means by `reference`: a preset name, or a path.

    Raises ArchError with the nearest preset or file when there is none.
    """
    text = os.fspath(reference)
    looks_like_path = text.endswith((".yaml", ".yml")) or os.sep in text or text.startswith(".")
    shipped = config_root() / f"{text}.yaml"
    if not looks_like_path and text in preset_names():
        return shipped
    path = Path(text)
    if leads_somewhere(path):
        return path
    if not path.is_absolute() and ".." not in path.parts and leads_somewhere(shipped):  # a family, `family/yolo_v8`
        return shipped
    if looks_like_path:
        hint = did_you_mean(path.name, _neighbours(path)) or did_you_mean(path.stem, preset_names())
        raise fail("missing-file", "there is no such file", mark=Mark(text), hint=hint)
    hint = did_you_mean(text, preset_names()) or "`archdsl list` prints the presets; a file ends in .yaml"
    raise fail("unknown-preset", f"no preset or file '{text}'", hint=hint)


def leads_somewhere(path: Path) -> bool:
    """Whether there is anything at `path`, perhaps something that cannot be read."""
    try:
        path.stat()
    except PermissionError:
        return True
    except (OSError, ValueError):  # not there, or no name that a file can have
        return False
    return True


def _neighbours(path: Path) -> list[str]:
    try:
        return [other.name for other in path.parent.glob("*.y*ml")]
    except (OSError, ValueError):
        return []


def read_file(path: Path) -> Source:
    """The config in the file at `path`. Raises ArchError when it is not a small text file, or not a config."""
    name = os.fspath(path)
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            raise fail("not-a-file", "not a regular file; expected a YAML file", mark=Mark(name))
        if state.st_size > MAX_BYTES:
            raise fail("limit", f"{state.st_size} bytes; a config has at most {MAX_BYTES}", mark=Mark(name))
        return _read_file(path, name, state.st_mtime_ns, state.st_size)
    except OSError as error:
        raise fail("unreadable", f"cannot be read: {error.strerror}", mark=Mark(name)) from None


@lru_cache(maxsize=256)
def _read_file(path: Path, name: str, changed_ns: int, size: int) -> Source:
    """Parsed once for each state of the file; parents are shared by many presets."""
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"not UTF-8 text (byte {error.start} is 0x{data[error.start]:02x}); expected a YAML file"
        raise fail("encoding", message, mark=Mark(name)) from None
    return read_text(text, name)
