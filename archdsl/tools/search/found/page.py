"""The page of a search: data, and the diagrams and configs of its first networks, as many as there is room for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from archdsl.analysis.report import report
from archdsl.diagnostics.problems import Mark, fail
from archdsl.diagnostics.unicode import printable
from archdsl.frontend.lower import outline
from archdsl.tools.pictures.report.page import PARTS, Page, picture_of, scripts
from archdsl.tools.search.found.data import Shown, data_of, shown_of
from archdsl.tools.search.parts import Results
from archdsl.tools.search.taken import text_of

MOST_NETWORKS = 20
"""Diagrams and configs in a page, of the best variants."""
MOST_CHARACTERS = 1_300_000
"""Of data, configs and diagrams; scripts and styles take a tenth of that."""
_FOLDER = Path(__file__).parent
_OWN = ("scatter", "variant", "found")


def page_of(results: Results) -> str:
    """The page. Raises ArchError where there is nothing to show."""
    shown = shown_of(results)
    if not shown.numbers:
        raise fail("empty", "no variant is within the budget", mark=Mark(str(results.folder)))
    room = MOST_CHARACTERS - len(json.dumps(data_of(results, shown, ())))
    networks = list(_networks(results, shown, room))
    data = data_of(results, shown, [text for text, _ in networks])
    title = printable(results.folder.absolute().name)
    parts = [*scripts(PARTS), *[_FOLDER / f"{name}.js" for name in _OWN]]
    return Page(title, data, [picture for _, picture in networks], parts, [_FOLDER / "found.css"]).html()


def _networks(results: Results, shown: Shown, room: int) -> Iterator[tuple[str, str]]:
    """The config of each of the first rows, and its diagram, while there is room for them."""
    for number, row in zip(shown.numbers[: min(MOST_NETWORKS, shown.in_front)], shown.rows, strict=False):
        loaded = results.space.base(results.choices(row))
        text, picture = printable_text(text_of(results, number, row)), picture_of(report(outline(loaded)))
        room -= len(json.dumps(text)) + len(picture)
        if room < 0:
            return
        yield text, picture


def printable_text(text: str) -> str:
    """The same lines, each printable."""
    return "\n".join(map(printable, text.splitlines())) + "\n"
