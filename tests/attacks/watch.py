"""What a process does besides computing: notes every audit event that an act may not raise."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import archdsl

READING = {"open", "os.listdir", "os.scandir", "glob.glob", "pathlib.Path.glob"}
CHANGING = {f"os.{verb}" for verb in ("mkdir", "remove", "rename", "rmdir", "chmod", "link", "symlink", "truncate")}
CHANGING |= {"shutil.rmtree", "shutil.copyfile", "shutil.move"}
NEVER = ("subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.putenv", "pty.", "socket.")
NEVER += ("pickle.find_class", "function.__new__", "code.__new__", "webbrowser.", "ftplib.", "urllib.", "http.")

INSTALLED = [Path(folder).resolve() for folder in (sys.prefix, sys.base_prefix, Path(archdsl.__file__).parents[1])]
OF_THE_SYSTEM = [Path("/proc/self"), Path("/proc/meminfo"), Path("/dev/null"), Path("/dev/fd"), Path("/etc/localtime")]
LIBRARIES = frozenset(
    """archdsl PIL annotated_types antlr4 click h5py hydra keras markdown_it matplotlib mdurl ml_dtypes numpy omegaconf
    optree platformdirs pydantic pydantic_core pygments pyfive rich safetensors tensorflow yaml""".split()  # noqa: SIM905
)
"""What archdsl is made of, parts of which are imported late. Any other package is imported by nobody."""
WRITERS_OF_CODE = ("collections/__init__.py", "dataclasses.py", "decorator.py", "functools.py", "inspect.py")
"""Files of the standard library that compile what they wrote themselves: named tuples, data classes."""

SECRET_VARIABLE = "ARCHDSL_SECRET"
"""Of the environment; reading it raises no audit event."""


class Watch:
    """Hooks into this process for good, and takes notes during an act."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.folders: list[Path] = []
        self.touches: tuple[str, ...] = ()
        self.watching = self.busy = False
        sys.addaudithook(self.hook)
        for method in ("__getitem__", "__iter__"):
            setattr(os._Environ, method, self.noting(getattr(os._Environ, method)))

    @contextmanager
    def during(self, folders: Iterable[Path], touches: tuple[str, ...]) -> Iterator[list[str]]:
        """The list that events of the block are written to; only what is in `folders` may be changed."""
        self.seen, self.touches, self.folders = [], touches, [folder.resolve() for folder in folders]
        self.watching = True
        try:
            yield self.seen
        finally:
            self.watching = False

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.watching or self.busy or event in self.touches:
            return
        self.busy = True  # resolving a path may raise an event itself
        try:
            if not self.is_harmless(event, arguments):
                self.seen.append(f"{event} {arguments}"[:300])
        finally:
            self.busy = False

    def noting(self, read: Callable[..., Any]) -> Callable[..., Any]:
        """A way of reading the environment that notes when the secret is read, or everything."""

        def wrapped(environment: Any, *keys: str) -> Any:
            if self.watching and keys in [(), (SECRET_VARIABLE,)]:
                self.seen.append(f"environment {keys}")
            return read(environment, *keys)

        return wrapped

    def is_harmless(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event in READING:
            return self.may_open(*arguments)
        if event in CHANGING:
            return all(
                is_inside(path, self.folders) for path in arguments if isinstance(path, (str, bytes, os.PathLike))
            )
        if event == "import":
            return str(arguments[0]).partition(".")[0] in LIBRARIES | sys.stdlib_module_names
        if event in ("exec", "compile"):
            return is_installed_code(arguments[0] if event == "exec" else arguments[1])
        return not event.startswith(NEVER)

    def may_open(self, path: Any, mode: Any = None, flags: Any = 0) -> bool:
        """In the act's own folders, and to read what is installed; a number stands for a file opened before."""
        if not isinstance(path, (str, bytes, os.PathLike)):
            return True
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        return is_inside(path, self.folders if writes else [*self.folders, *INSTALLED, *OF_THE_SYSTEM])


def is_inside(path: str | bytes | os.PathLike[Any], folders: Iterable[Path]) -> bool:
    """Whether `path` itself, and what it leads to, are in one of the folders."""
    plain = Path(os.path.abspath(os.fsdecode(path)))  # noqa: PTH100 (without following links)
    places = [Path(os.path.realpath(plain.parent), plain.name), Path(os.path.realpath(plain))]
    if any(plain.is_relative_to(place) for place in OF_THE_SYSTEM):  # names of open files, which are links
        places = [plain]
    return all(any(place.is_relative_to(folder) for folder in folders) for place in places)


def is_installed_code(code: Any) -> bool:
    """Whether code about to be run is of an installed file, or written by one of the few that write code."""
    file = getattr(code, "co_filename", code)
    name = os.fsdecode(file) if isinstance(file, (str, bytes)) else "<unknown>"
    if not name.startswith("<"):
        return is_inside(name, INSTALLED) or name == "<frozen importlib._bootstrap>"
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return frame is None or frame.f_code.co_filename.endswith(WRITERS_OF_CODE)
