"""The architecture as one would draw it for a paper: contents → places → layout → scene → SVG, or PNG and PDF.

The config's own nesting is the layout. Rows are sizes of maps, columns are flows; lanes are the
backbone, the neck and the head.
"""

from __future__ import annotations

from archdsl.analysis.report import Report
from archdsl.ir.graph import Graph
from archdsl.tools.pictures.diagram.drawing import scene_of
from archdsl.tools.pictures.diagram.svg import svg
from archdsl.tools.pictures.diagram.themes import colours_of


def svg_of(report: Report | Graph, theme: str = "light") -> str:
    """A network as SVG. `theme` is light, dark, print, or page: with the custom properties of CSS that a page sets."""
    graph = report if isinstance(report, Graph) else report.outline
    return svg(scene_of(graph), colours_of(theme))
