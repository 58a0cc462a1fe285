"""The server's answers for a page without a server: called by Python in the browser, JSON in and out."""

from __future__ import annotations

import json
from pathlib import Path

from archdsl.tools.play.folder import Folder, Opened
from archdsl.tools.play.site import Site


class Desk:
    """Its files are in the browser's memory, and gone with the page."""

    def __init__(self, start: str):
        first = json.loads(start)
        self.routes = Site(Folder(Path.home()), Opened(first["name"], first["text"]), tuple(first["overrides"])).routes

    def reply(self, path: str, question: str) -> str:
        return json.dumps(self.routes[path](json.loads(question)), allow_nan=False)
