"""What the page's server answers, for a page without one: Python in the browser calls it with JSON, for JSON."""

from __future__ import annotations

import json
from pathlib import Path

from archdsl.tools.play.folder import Folder, Opened
from archdsl.tools.play.site import Site


class Desk:
    """Files are those of the browser's memory, and gone with the page."""

    def __init__(self, start: str):
        first = json.loads(start)
        self.routes = Site(Folder(Path.home()), Opened(first["name"], first["text"]), tuple(first["overrides"])).routes

    def reply(self, path: str, question: str) -> str:
        return json.dumps(self.routes[path](json.loads(question)), allow_nan=False)
