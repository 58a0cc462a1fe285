"""Data → one HTML page, with all that it needs inside.

Texts of a config come as JSON, which scripts put in as text, and as the picture, whose writer escapes them. Whatever
gets past that cannot act: the page's Content-Security-Policy runs its own scripts alone, known by their hashes, and
loads nothing.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from archdsl.diagnostics.unicode import printable
from archdsl.tools.pictures.diagram import svg_of
from archdsl.tools.pictures.diagram.themes import colours_of
from archdsl.tools.pictures.report.data import Network, data_of

SCRIPTS = ("elements", "table", "layered", "operations", "zoom", "diagram", "maps", "stages", "report")
MOST_PICTURE_CHARACTERS = 1_000_000
_FOLDER = Path(__file__).parent


def page_of(networks: Sequence[Network]) -> str:
    """The page for these networks, at least one."""
    pictures = [_picture(each) for each in networks]
    style, script = _colours() + _file("page.css"), _scripts()
    values = {
        "policy": _policy(style, script),
        "title": html.escape(printable(", ".join(each.label for each in networks))),
        "style": style,
        "pictures": "\n".join(f"<template>{picture}</template>" for picture in pictures),
        "data": _json(data_of(networks)),
        "script": script,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: values[found[1]], _file("page.html"))


def _picture(network: Network) -> str:
    """The diagram, which follows the page's colours; nothing for a network that is too large for one."""
    found = svg_of(network.costs, theme="page")
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


def _scripts() -> str:
    """All in one scope of their own."""
    return "\n".join(['(() => {\n"use strict";', *[_file(f"{name}.js") for name in SCRIPTS], "})();"])


def _file(name: str) -> str:
    return _FOLDER.joinpath(name).read_text(encoding="utf-8")


def _json(value: Any) -> str:
    """ASCII that no text of can end the element it is in."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
