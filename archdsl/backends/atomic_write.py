"""Files and folders that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import stat
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from uuid import uuid4

from archdsl.diagnostics.problems import Mark, fail

_ATTEMPTS = 100  # each that fails is one of another process that did not
_STOPS = [signal.Signals[name] for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]  # kill; a closed terminal
_HERE, _EXCHANGE = -100, 2  # of Linux's renameat2: AT_FDCWD, RENAME_EXCHANGE; RENAME_SWAP of macOS is 2 too


@contextmanager
def written_whole(path: Path, hint: str = "") -> Iterator[Path]:
    """A temporary name beside `path` with the same suffixes; it gets its own name when the block ends well.

    A file that is replaced keeps its mode, a new one gets that of any other, whatever writes it. Raises ArchError when
    the folder does not exist or cannot be written to; `hint` is what may help then.
    """
    check_place(path)
    partial = _beside(path)
    with stopped_by_an_exception():
        try:
            mode = _mode(path if path.exists() else partial)
            yield partial
            partial.chmod(mode)
            partial.replace(path)
        except OSError as error:
            message = f"cannot be written: {error.strerror or error}"
            raise fail("output", message, mark=Mark(str(path)), hint=hint) from None
        finally:
            with suppress(OSError):  # on a read-only disk even what is not there cannot be removed
                partial.unlink()


@contextmanager
def files_written_whole(path: Path) -> Iterator[Path]:
    """A path of the same name in a folder of its own; what is there when the block ends well goes beside `path`.

    For formats of several files, which find each other by their names. `path` itself comes last; it may be a folder.
    A file that is replaced keeps its mode.
    """
    check_place(path)
    folder = _beside(path)
    try:
        with stopped_by_an_exception():
            folder.mkdir()
            yield folder / path.name
            for each in sorted(folder.iterdir(), key=lambda each: each.name == path.name):
                target = path.with_name(each.name)
                if target.is_file():
                    each.chmod(_mode(target))
                each.replace(target)
    except OSError as error:
        raise fail("output", f"cannot be written: {error.strerror or error}", mark=Mark(str(path))) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def folder_written_whole(path: Path, files: Collection[str]) -> Iterator[Path]:
    """A new folder beside `path` that gets its name when the block ends well, with all that is in it by then.

    A folder that is there already is replaced only if it holds nothing but `files`; who reads it meanwhile finds the
    old or the new one. Of several processes that write it at once the last one's stays. Raises ArchError for any
    other, and when nothing can be written.
    """
    path = path.absolute()
    check_place(path)
    partial = _beside(path)
    try:
        if not _is_folder_or_nothing(path):
            raise fail("output", "is in the way; expected a new folder", mark=Mark(str(path)))
        if foreign := sorted(_names_in(path) - set(files)):
            message = f"the folder contains '{foreign[0]}', which is not part of a preset; nothing was changed"
            raise fail("output", message, mark=Mark(str(path)), hint="choose a new folder")
        partial.mkdir()
        with stopped_by_an_exception():
            yield partial
        _replace_folder(path, partial)
    except OSError as error:
        raise fail("output", f"cannot be written: {error.strerror or error}", mark=Mark(str(path))) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def stopped_by_an_exception() -> Iterator[None]:
    """Lets signals that would end the process at once raise SystemExit, so that what is unfinished is removed."""
    is_main = threading.current_thread() is threading.main_thread()  # no other may set what a signal does
    deadly = [number for number in _STOPS if is_main and signal.getsignal(number) == signal.SIG_DFL]
    for number in deadly:
        signal.signal(number, _exit)
    try:
        yield
    finally:
        for number in deadly:
            signal.signal(number, signal.SIG_DFL)


def _exit(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)  # the status that a shell gives for the signal


def _mode(path: Path) -> int:
    """The mode of a file; where there is none, what the umask leaves a new one, which is there for a moment."""
    if path.exists():
        return stat.S_IMODE(path.stat().st_mode)
    path.touch(exist_ok=False)
    try:
        return _mode(path)
    finally:
        path.unlink()


def make_folder(path: Path, hint: str = "") -> None:
    """Make a folder and those it is in. Raises ArchError with `hint` when that cannot be done."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"the folder cannot be made: {error.strerror or error}"
        raise fail("output", message, mark=Mark(str(path)), hint=hint) from None


def _replace_folder(path: Path, partial: Path) -> None:
    """Give `partial` the name `path`, and remove what had it. Other processes may do the same at the same time."""
    aside: list[Path] = []
    try:
        for _ in range(_ATTEMPTS):
            if _renamed(partial, path) or _exchanged(partial, path):
                return
            before = _beside(path)
            with suppress(FileNotFoundError):  # another process was faster
                path.rename(before)
                aside.append(before)
        raise OSError("other processes replace it all the time")
    except OSError:
        if aside and not path.exists():
            _renamed(aside[-1], path)
        raise
    finally:
        for each in aside:
            shutil.rmtree(each, ignore_errors=True)


def _renamed(folder: Path, path: Path) -> bool:
    """Whether a folder could be given a name, which another one has if not."""
    try:
        folder.rename(path)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
        return False
    return True


def _exchanged(one: Path, other: Path) -> bool:
    """Whether two folders could be given each other's name in one step, so that neither is ever missing."""
    if os.name != "posix":
        return False
    import ctypes

    system, paths = ctypes.CDLL(None), (os.fsencode(one), os.fsencode(other))
    if hasattr(system, "renameat2"):  # Linux
        return bool(system.renameat2(_HERE, paths[0], _HERE, paths[1], _EXCHANGE) == 0)
    return hasattr(system, "renamex_np") and bool(system.renamex_np(*paths, _EXCHANGE) == 0)  # macOS


def _is_folder_or_nothing(path: Path) -> bool:
    """Whether nothing but a folder is at `path`. One call, as another process may be replacing it."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except FileNotFoundError:
        return True


def _names_in(path: Path) -> set[str]:
    try:
        return set(os.listdir(path))  # noqa: PTH208 (a list at once)
    except FileNotFoundError:
        return set()


def _beside(path: Path) -> Path:
    """A name that no other process takes, so that two can write the same file: the last one stays, whole."""
    return path.with_name(f".partial-{uuid4().hex[:8]}-{path.name}")


def check_place(path: Path) -> None:
    """Raise ArchError where there is no folder for `path`, and for a device or a pipe, whose name a file would take."""
    mark = Mark(str(path))
    try:
        has_folder = path.parent.is_dir()
        mode = path.stat().st_mode  # asked once: another process may be replacing it
    except (FileNotFoundError, NotADirectoryError):
        mode = stat.S_IFREG
    except OSError as error:  # a folder that may not be entered, a name that is too long
        raise fail("output", f"cannot be written: {error.strerror}", mark=mark) from None
    if not has_folder:
        raise fail("output", f"there is no folder '{path.parent}'", mark=mark, hint="make it first")
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise fail("output", "a device or a pipe is in the way; expected the name of a file", mark=mark)
