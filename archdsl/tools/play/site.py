"""The routes of the page's server: questions about a text, and opening and saving files of one folder."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archdsl.diagnostics.problems import ArchError, Mark, fail
from archdsl.frontend.compose.search_path import find_config, preset_names
from archdsl.frontend.yaml.embedded import SUFFIX
from archdsl.frontend.yaml.files import real
from archdsl.tools.play.answers import answer
from archdsl.tools.play.folder import START, Changed, Folder, Opened, copy_of

Data = dict[str, Any]


@dataclass(frozen=True)
class Site:
    """A folder, with the text and the overrides that the page begins with."""

    folder: Folder
    first: Opened
    overrides: tuple[str, ...] = ()
    _analysing: threading.Lock = field(default_factory=threading.Lock)

    @property
    def routes(self) -> Mapping[str, Callable[[Any], Data]]:
        """The answering functions, by path."""
        return {"/start": self.start, "/ask": self.ask, "/open": self.open, "/save": self.save}

    def start(self, given: Any) -> Data:
        """The text to begin with, and the files and presets that can be opened."""
        lists = {"files": self.folder.names(), "presets": preset_names(), "folder": str(self.folder.path)}
        return {**self.first._asdict(), "overrides": list(self.overrides), **lists}

    def warm(self) -> None:
        """Asks the first questions in advance, so that their imports are done."""
        for want in ("redraw", "complete", "hover"):
            self.ask(
                {"want": want, "name": self.first.name, "text": self.first.text, "overrides": list(self.overrides)}
            )

    def ask(self, given: Any) -> Data:
        """Answers one question at a time, so that all together stay within the budget of one."""
        with self._analysing:
            return answer(given, self.folder.path)

    def open(self, given: Any) -> Data:
        (name,) = _texts(given, "name")
        return _answered(lambda: self.folder.opened(name))

    def save(self, given: Any) -> Data:
        name, text, stamp = _texts(given, "name", "text", "stamp")
        return _answered(lambda: self.folder.save(name, text, stamp))


def _texts(given: Any, *keys: str) -> list[str]:
    values = [given.get(key) if isinstance(given, dict) else None for key in keys]
    return [value.encode("utf-8", "replace").decode() if isinstance(value, str) else "" for value in values]


def _answered(work: Callable[[], Opened]) -> Data:
    try:
        return work()._asdict()
    except Changed as error:
        return {"refused": _said(error), "stamp": error.stamp}
    except ArchError as error:
        return {"refused": _said(error)}


def _said(error: ArchError) -> str:
    return "; ".join(f"{each.file}: {each.fact}" if each.file else each.fact for each in error.problems)


def site_of(config: str | None, overrides: Sequence[str], folder: Path | None) -> Site:
    """The site that begins with a preset, a file, or the example. Raises ArchError if it cannot be opened."""
    if config is None:
        return Site(Folder(folder or Path()), Opened("my_net.yaml", START), tuple(overrides))
    path = real(find_config(config))
    if path.suffix == SUFFIX or not Path(config).exists() or config in preset_names():
        return Site(Folder(folder or Path()), copy_of(path), tuple(overrides))
    files = Folder(folder or path.parent)
    if path.parent != files.path:
        raise fail("output", f"is not in the folder '{files.path}'", mark=Mark(config), hint="leave out --folder")
    return Site(files, files.opened(path.name), tuple(overrides))
