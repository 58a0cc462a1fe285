"""Data → one HTML page, with all that it needs inside.

Texts of a config come as JSON, which scripts put in as text, and in pictures, whose writer escapes them; those are
packed, as the networks of a page are much alike. Whatever gets past that cannot act: the page's Content-Security-Policy
runs its own scripts alone, known by their hashes, and loads nothing.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from archdsl.analysis.report import Report
from archdsl.diagnostics.unicode import printable
from archdsl.ir.graph import Graph
from archdsl.tools.pictures.diagram import svg_of
from archdsl.tools.pictures.diagram.themes import colours_of
from archdsl.tools.pictures.report.data import Network, data_of
from archdsl.tools.pictures.report.packed import PIECE, Stream, streams_of

PARTS = ("elements", "packed", "theme", "table", "zoom")
"""The scripts that any page may have; the others are of this one."""
SCRIPTS = (*PARTS, "layered", "operations", "diagram", "maps", "stages", "report")
MOST_PICTURE_CHARACTERS = 1_000_000
_FOLDER = Path(__file__).parent


class Page(NamedTuple):
    """What is in a page: plain data, packed texts, the scripts that show them, and styles beside those of all."""

    title: str
    data: Any
    packed: Sequence[Stream]
    scripts: Sequence[Path]
    styles: Sequence[Path] = ()

    def html(self) -> str:
        style = _colours() + "".join(map(_text, (_FOLDER / "page.css", *self.styles)))
        script = _scripts(self.scripts)
        values = {
            "policy": _policy(style, script),
            "title": html.escape(printable(self.title)),
            "style": style,
            "data": _json(self.data),
            "packed": _json({"piece": PIECE, "streams": self.packed}),
            "script": script,
        }
        return re.sub(r"\{\{(\w+)\}\}", lambda found: values[found[1]], _text(_FOLDER / "page.html"))


def page_of(networks: Sequence[Network]) -> str:
    """The page for these networks, at least one."""
    title = ", ".join(each.label for each in networks)
    pictures = list(streams_of([picture_of(each.costs) for each in networks]))
    return Page(title, data_of(networks), pictures, scripts(SCRIPTS)).html()


def scripts(names: Sequence[str]) -> list[Path]:
    return [_FOLDER / f"{name}.js" for name in names]


def picture_of(network: Report | Graph) -> str:
    """The diagram, which follows the page's colours; nothing for a network that is too large for one."""
    found = svg_of(network, theme="page")
    return found if len(found) <= MOST_PICTURE_CHARACTERS else ""


def _colours() -> str:
    """Those of diagrams, light and dark, by the names that they have on a page."""
    light, dark = colours_of("light"), colours_of("dark")
    named = [f"--arch-{name}: light-dark({colour}, {dark[name]});" for name, colour in light.items()]
    return ":root { " + " ".join(named) + " }\n"


def _policy(style: str, script: str) -> str:
    """Nothing but this style and this script, and no address."""
    allowed = f"style-src {_hash(style)}; script-src {_hash(script)}"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _scripts(files: Sequence[Path]) -> str:
    """All in one scope of their own."""
    return "\n".join(['(async () => {\n"use strict";', *map(_text, files), "})();"])


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def _json(value: Any) -> str:
    """ASCII that no text of can end the element it is in."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
