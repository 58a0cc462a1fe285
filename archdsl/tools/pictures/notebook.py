"""How a report shows itself in a notebook: its picture, its table and its totals."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from archdsl.analysis.report import Report
from archdsl.analysis.text import Table
from archdsl.diagnostics.unicode import printable
from archdsl.tools.pictures.diagram import svg_of

MOST_ROWS = 200


def html_of(report: Report) -> str:
    """A part of a page: the diagram, the table of the layers, of very many the first, and the totals."""
    table = report.table()
    rows = [_row("td", row, table) for row in table.rows[:MOST_ROWS]]
    if len(table.rows) > MOST_ROWS:
        rows.append(f'<tr><td colspan="{len(table.headers)}">… {len(table.rows) - MOST_ROWS:,} more</td></tr>')
    totals = "<br>".join(map(_text, report.totals().strip().split("\n")))
    head = f"<thead>{_row('th', table.headers, table)}</thead>"
    return f"<div>{svg_of(report)}</div>\n<table>{head}<tbody>{''.join(rows)}</tbody></table>\n<p>{totals}</p>"


def _row(tag: str, cells: Sequence[str], table: Table) -> str:
    sides = ["right" if header in table.right else "left" for header in table.headers]
    written = [
        f'<{tag} style="text-align:{side}">{_text(cell)}</{tag}>' for side, cell in zip(sides, cells, strict=True)
    ]
    return f"<tr>{''.join(written)}</tr>"


def _text(text: str) -> str:
    return escape(printable(text))
