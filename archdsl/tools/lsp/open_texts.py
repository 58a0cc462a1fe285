"""The texts that are open in the editor, and what is known of each. What is open counts instead of its file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from pygls.uris import to_fs_path

from archdsl.diagnostics.texts import text_of
from archdsl.frontend.compose.config import root_of
from archdsl.tools.editing.document import Document
from archdsl.tools.lsp.positions import Positions

_LARGE = 2**18  # characters: a quarter of what a file may have, ten times the longest preset in one file


class Opened:
    """A text that is open. It is analysed when that is asked for first, and again after `forget`."""

    def __init__(self, uri: str, text: str, version: int | None, around: OpenTexts):
        path = to_fs_path(uri)
        self.uri = uri
        self.name = path or uri
        self.real = os.path.realpath(path) if path else ""
        self.folder = root_of(Path(path)) if path else None
        self.text = text
        self.version = version
        self.read: set[str] = set()
        """The files that it was made of when it was analysed last, wherever their texts came from."""
        self._around = around
        self._document: Document | None = None
        self._before: Document | None = None

    def change(self, text: str, version: int | None) -> None:
        self.text, self.version = text, version
        self.forget()

    def forget(self) -> None:
        """What a text is made of may be another now."""
        self._before = self._document or self._before
        self._document = None
        for name in ("saved", "positions"):
            self.__dict__.pop(name, None)

    @property
    def is_analysed(self) -> bool:
        return self._document is not None

    @property
    def document(self) -> Document:
        if self._document is None:
            others = _Watched(self._around.texts(self), self.read)
            self._document = Document(self.name, self.text, folder=self.folder, before=self._before, others=others)
            self._before = None
        return self._document

    @cached_property
    def saved(self) -> Document | None:
        """The document of what the file holds; None where there is none. Parents are those of the text."""
        text = text_of(self.name) if self.real else ""
        if not text:
            return None
        if text == self.text:
            return self.document
        return Document(self.name, text, folder=self.folder, others=_Watched(self._around.texts(self), set()))

    @cached_property
    def positions(self) -> Positions:
        return Positions(self.text, self._around.encoding)

    def positions_of(self, file: str) -> Positions:
        """Those of this text, or of another that it is made of."""
        is_own = file == self.name
        return self.positions if is_own else Positions(self.document.text_of(file), self._around.encoding)

    @property
    def is_large(self) -> bool:
        """Whether it is longer than anyone writes; then only what is wrong with it is told."""
        return len(self.text) > _LARGE


class OpenTexts:
    """All of them, by URI. `encoding` is what the client counts columns in."""

    def __init__(self, encoding: str = "utf-16"):
        self.encoding = encoding
        self._opened: dict[str, Opened] = {}

    def __iter__(self) -> Iterator[Opened]:
        return iter(list(self._opened.values()))

    def put(self, uri: str, text: str, version: int | None) -> Opened:
        """A text was opened, or is another now."""
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
        """Those that are made of a text, among others."""
        return [each for each in self if each is not of and of.real in each.read]


class _Watched(dict[str, str]):
    """Texts that note which of them, and of others, were asked for."""

    def __init__(self, texts: Mapping[str, str], asked: set[str]):
        super().__init__(texts)
        self.asked = asked
        asked.clear()

    def __bool__(self) -> bool:
        return True

    def get(self, path: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.asked.add(path)
        return super().get(path, default)
