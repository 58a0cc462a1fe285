"""The texts open in the editor, with their analyses. An open text counts instead of its file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from pygls.uris import to_fs_path

from archdsl.diagnostics.texts import text_of
from archdsl.frontend.compose.config import root_of
from archdsl.frontend.yaml.files import real
from archdsl.tools.editing.document import Document
from archdsl.tools.lsp.positions import Positions

_LARGE = 2**18  # characters: a quarter of what a file may have, ten times the longest preset in one file


class Opened:
    """An open text. It is analysed on first use, and again after `change` or `forget`."""

    def __init__(self, uri: str, text: str, version: int | None, around: OpenTexts):
        path = to_fs_path(uri)
        self.uri = uri
        self.name = path or uri
        self.real = str(real(path)) if path else ""
        self.folder = root_of(Path(path)) if path else None
        self.text = text
        self.version = version
        self.read: set[str] = set()
        """The files that the last analysis read, from disk or from the editor."""
        self._around = around
        self._document: Document | None = None
        self._before: Document | None = None
        self._saved: Document | None = None

    def change(self, text: str, version: int | None) -> None:
        self.text, self.version = text, version
        self._before = self._document or self._before
        self._document = None
        self.__dict__.pop("positions", None)

    def forget(self) -> None:
        """Drops the analysis: a file that the text is made of may have changed."""
        self._saved = None
        self.change(self.text, self.version)

    @property
    def document(self) -> Document:
        if self._document is None:
            others = _Watched(self._around.texts(self), self.read)
            self._document = Document(self.name, self.text, folder=self.folder, before=self._before, others=others)
            self._before = None
        return self._document

    @property
    def saved(self) -> Document | None:
        """The document of the file on disk, with the parents of the text; None if there is no file."""
        text = text_of(self.name) if self.real else ""
        if text == self.text:
            self._saved = self.document
        elif self._saved is None or self._saved.text != text:
            others = _Watched(self._around.texts(self), set())
            self._saved = Document(self.name, text, folder=self.folder, others=others)
        return self._saved if text else None

    @cached_property
    def positions(self) -> Positions:
        return Positions(self.text, self._around.encoding)

    def positions_of(self, file: str) -> Positions:
        """The positions of this text, or of one of its parents."""
        is_own = file == self.name
        return self.positions if is_own else Positions(self.document.text_of(file), self._around.encoding)

    @property
    def is_large(self) -> bool:
        """Whether it is longer than anyone writes; then it only gets diagnostics."""
        return len(self.text) > _LARGE


class OpenTexts:
    """All open texts, by URI. The client counts columns in `encoding`."""

    def __init__(self, encoding: str = "utf-16"):
        self.encoding = encoding
        self._opened: dict[str, Opened] = {}

    def __iter__(self) -> Iterator[Opened]:
        return iter(list(self._opened.values()))

    def put(self, uri: str, text: str, version: int | None) -> Opened:
        """Records a text that was opened or changed."""
        if uri in self._opened:
            self._opened[uri].change(text, version)
        else:
            self._opened[uri] = Opened(uri, text, version, self)
        return self._opened[uri]

    def get(self, uri: str) -> Opened | None:
        return self._opened.get(uri)

    def close(self, uri: str) -> Opened | None:
        return self._opened.pop(uri, None)

    def texts(self, besides: Opened) -> dict[str, str]:
        """The texts of the others, by the path of their files."""
        return {each.real: each.text for each in self if each.real and each is not besides}

    def readers(self, of: Opened) -> list[Opened]:
        """The texts that inherit from a text."""
        return [each for each in self if each is not of and of.real in each.read]


class _Watched(dict[str, str]):
    """Texts by path, which note every path that is asked for."""

    def __init__(self, texts: Mapping[str, str], asked: set[str]):
        super().__init__(texts)
        self.asked = asked
        asked.clear()

    def __bool__(self) -> bool:
        return True

    def get(self, path: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.asked.add(path)
        return super().get(path, default)
