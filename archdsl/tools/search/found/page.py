"""The page of a search: data, and the configs and diagrams of its networks, the best first, as there is room."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from archdsl.diagnostics.problems import ArchError, Mark, fail
from archdsl.diagnostics.unicode import printable
from archdsl.frontend.lower import outline
from archdsl.tools.pictures.report.packed import streams_of
from archdsl.tools.pictures.report.page import PARTS, Page, picture_of, scripts
from archdsl.tools.search.found.data import Shown, data_of, shown_of
from archdsl.tools.search.parts import Configs, Results
from archdsl.tools.search.taken import text_of

MOST_CHARACTERS = 1_300_000
"""Of data, configs and diagrams; scripts and styles take a tenth of that."""
MOST_NETWORKS = 1_000
MOST_OPENED = 30_000_000
"""Characters of configs and diagrams before they are packed: how long it takes to make them goes with that."""
_FOLDER = Path(__file__).parent
_OWN = ("scatter", "variant", "found")


def page_of(results: Results) -> str:
    """The page. Raises ArchError where there is nothing to show."""
    shown = shown_of(results)
    if not shown.numbers:
        raise fail("empty", "no variant is within the budget", mark=Mark(str(results.folder)))
    data = data_of(results, shown)
    networks = streams_of(_networks(results, shown), MOST_CHARACTERS - len(json.dumps(data)))
    title = printable(results.folder.absolute().name)
    parts = [*scripts(PARTS), *[_FOLDER / f"{name}.js" for name in _OWN]]
    return Page(title, data, list(networks), parts, [_FOLDER / "found.css"]).html()


def _networks(results: Results, shown: Shown) -> Iterator[str]:
    """The config and the diagram of each of the first rows, with a zero between them; nothing where it has none."""
    configs, room = Configs(results.space), MOST_OPENED
    for number, row in zip(shown.numbers[:MOST_NETWORKS], shown.rows, strict=False):
        found = ""
        with suppress(ArchError):  # a row that somebody else wrote
            config = configs.of(row)
            found = f"{printable_text(text_of(results, number, row, config))}\0{picture_of(outline(config))}"
        room -= len(found)
        if room < 0:
            return
        yield found


def printable_text(text: str) -> str:
    """The same lines, each printable."""
    return "\n".join(map(printable, text.splitlines())) + "\n"
