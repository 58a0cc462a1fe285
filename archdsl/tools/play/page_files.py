"""The files of the page, for the server and for `--static`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from archdsl.tools.pictures.diagram.themes import colours_of

_PAGE = Path(__file__).parent / "page"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class PageFile(NamedTuple):
    """The content type and the bytes of a file."""

    kind: str
    data: bytes


@cache
def page_files() -> Mapping[str, PageFile]:
    """All files of the page, by name."""
    found = {path.name: path.read_bytes() for path in sorted(_PAGE.iterdir()) if path.suffix in _TYPES}
    found["diagram.css"] = _diagram_colours().encode()
    return {name: PageFile(_TYPES[Path(name).suffix], data) for name, data in found.items()}


def _diagram_colours() -> str:
    """The diagram's colours in both themes, as CSS."""
    return "".join([f'[data-theme="{theme}"] {{ {_properties(theme)} }}\n' for theme in ("light", "dark")])


def _properties(theme: str) -> str:
    return " ".join([f"--arch-{name}: {colour};" for name, colour in colours_of(theme).items()])
