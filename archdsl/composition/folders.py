"""Where configs are: the shipped folder and the user's own. Finds files, reads only what a config may be."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from functools import lru_cache
from itertools import islice
from pathlib import Path

from archdsl.budget import DEFAULT, Budget, allow_more
from archdsl.carried import SUFFIX, carried_by
from archdsl.errors import ArchError, Mark, did_you_mean, fail
from archdsl.reading.binary import HEAD, binary_kind, wide_encoding
from archdsl.reading.layout import LINE_END
from archdsl.reading.reader import read_text
from archdsl.source import Source

Reader = Callable[[str, str, Budget], Source]
"""Text, name and limits → config."""

_NAMED = 5
_LOOKED_AT = 1_000
_FOLDERS = 100
_NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@lru_cache(maxsize=1)
def config_root() -> Path:
    """The folder of the shipped configs: inside an installed package, else beside it in the checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "configs"
    return installed if installed.is_dir() else package.parent / "configs"


def preset_names() -> list[str]:
    """Names of the shipped presets: files of the shipped folder itself; those in its sub-folders are families."""
    return sorted(path.stem for path in config_root().glob("*.yaml"))


def find_config(reference: str | os.PathLike[str]) -> Path:
    """The file that a user means by `reference`: a preset name, or a path.

    Raises ArchError with the nearest preset or file when there is none.
    """
    text = os.fsdecode(reference)
    looks_like_path = text.endswith((".yaml", ".yml", SUFFIX)) or os.sep in text or text.startswith(".")
    shipped = config_root() / f"{text}.yaml"
    if not looks_like_path and text in preset_names():
        return shipped
    path = Path(text)
    if text and leads_somewhere(path):
        return path
    if not path.is_absolute() and ".." not in path.parts and leads_somewhere(shipped):  # a family, `family/yolo_v8`
        return shipped
    raise _missing(text, path) if looks_like_path else _unknown(text)


def _unknown(text: str) -> ArchError:
    known = [*preset_names(), *_files(Path())]
    hint = did_you_mean(text, known) or "`archdsl list` prints the presets; a file ends in .yaml"
    return fail("unknown-preset", f"no preset or file '{text[:200]}'", hint=hint)


def _missing(text: str, path: Path) -> ArchError:
    """There is no such file; what there is, in its folder and among the shipped configs."""
    mark = Mark(text[:200])
    folder = path.parent
    if not leads_somewhere(folder):
        hint = did_you_mean(folder.name, _folders(folder.parent)) or did_you_mean(text, _shipped())
        if text.startswith("~"):
            hint = "write the whole path; ~ is expanded by the shell only where no quote is around it"
        return fail("missing-file", f"there is no folder '{str(folder)[:200]}'", mark=mark, hint=hint)
    hint = did_you_mean(path.name, _files(folder)) or did_you_mean(path.stem, [*preset_names(), *_shipped()])
    if not hint and _files(folder):
        hint = f"its folder holds {', '.join(_files(folder)[:_NAMED])}"
    return fail("missing-file", "there is no such file", mark=mark, hint=hint)


def real(path: str | os.PathLike[str]) -> Path:
    """The path without symbolic links; one that goes round in a circle stays as it is."""
    return Path(os.path.realpath(path))


def leads_somewhere(path: Path) -> bool:
    """Whether there is anything at `path`, perhaps something that cannot be read."""
    try:
        path.stat()
    except OSError as error:
        return error.errno not in _NOWHERE
    except ValueError:  # no name that a file can have
        return False
    return True


def _files(folder: Path) -> list[str]:
    """Names of the config files in `folder`."""
    return _names(folder, lambda entry: entry.name.endswith((".yaml", ".yml")))


def _folders(folder: Path) -> list[str]:
    return _names(folder, lambda entry: entry.is_dir())


def parent_names(root: Path) -> list[str]:
    """What parents in `root` and its sub-folders are called: c2f, family/yolo_v8. Of large folders not all."""
    groups = ["", *[f"{name}/" for name in _folders(root)[:_FOLDERS]]]
    names = (f"{group}{name.removesuffix('.yaml')}" for group in groups for name in _files(root / group))
    return list(islice((name for name in names if not name.endswith(".yml")), _LOOKED_AT))


def _names(folder: Path, wanted: Callable[[os.DirEntry[str]], bool]) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted([entry.name for entry in islice(entries, _LOOKED_AT) if wanted(entry)])
    except (OSError, ValueError):
        return []


def _shipped() -> list[str]:
    """The shipped families, as a config names them: family/yolo_v8."""
    return [str(path.relative_to(config_root()).with_suffix("")) for path in config_root().glob("*/*.yaml")]


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
        held = _files(path) if stat.S_ISDIR(state.st_mode) else []
        hint = f"it holds {', '.join(held[:_NAMED])}" if held else ""
        message = f"{kind}, not a regular file; expected a YAML file"
        raise fail("not-a-file", message, mark=Mark(os.fspath(path)), hint=hint)


def _opener(path: str, flags: int) -> int:
    """Waits for nobody: a pipe without a writer, or what the system only calls a file, would never answer."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


@lru_cache(maxsize=256)
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
    if size > most:  # some files, as those in /proc, hold more than they say
        hint = f"a config is a few lines; was another file meant? {allow_more('file_bytes', size)}"
        message = f"{size} bytes; a config has at most {budget.file_bytes:.0f}"
        raise fail("limit", message, mark=Mark(name), hint=hint)
    return read(_decoded(data, name), name, budget)


def _decoded(data: bytes, name: str) -> str:
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
