"""The architecture as one would draw it for a paper: contents → places → layout → scene → SVG, or PNG and PDF.

The config's own nesting is the layout. Rows are sizes of maps, columns are flows; lanes are the backbone, the neck and
the head.
"""

from __future__ import annotations

from pathlib import Path

from archdsl.analysis.report import Report
from archdsl.backends.atomic_write import written_whole
from archdsl.diagnostics.problems import Mark, fail
from archdsl.diagnostics.wording import did_you_mean, one_of
from archdsl.ir.graph import Graph
from archdsl.tools.pictures.diagram.drawing import scene_of
from archdsl.tools.pictures.diagram.svg import svg
from archdsl.tools.pictures.diagram.themes import colours_of

FORMATS = (".svg", ".png", ".pdf")


def svg_of(network: Report | Graph, theme: str = "light") -> str:
    """A network as SVG. `theme` is light, dark, print, or page: with the custom properties of CSS that a page sets."""
    return svg(scene_of(network.outline if isinstance(network, Report) else network), colours_of(theme))


def write_picture(graph: Graph, path: Path, theme: str = "light") -> None:
    """Write a graph, which may be an outline, in the format of the file's ending, whole or not at all.

    Raises ArchError for another ending, and where the file cannot be written.
    """
    suffix = format_of(path)
    with written_whole(path) as partial:
        if suffix == ".svg":
            partial.write_text(svg_of(graph, theme), encoding="utf-8")
            return
        from archdsl.tools.pictures.diagram.figure import write_figure  # Matplotlib takes a second to import

        write_figure(scene_of(graph), colours_of(theme), partial, suffix)


def format_of(path: Path) -> str:
    """The ending of a picture's name. Raises ArchError for what is none."""
    suffix = path.suffix.lower()
    if suffix in FORMATS:
        return suffix
    known = [each.removeprefix(".") for each in FORMATS]
    received = f"'{path.suffix}' is not a picture format here" if suffix else "the name has no ending"
    hint = did_you_mean(suffix.removeprefix("."), known)
    raise fail("output", f"{received}; {one_of(known)}", mark=Mark(str(path)), hint=hint)
