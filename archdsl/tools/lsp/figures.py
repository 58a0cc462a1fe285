"""Figures in the text: an inlay hint at every section, stage and layer, and the totals as a code lens."""

from __future__ import annotations

from lsprotocol import types

from archdsl.tools.editing.hints import inlays, lenses
from archdsl.tools.lsp.open_texts import Opened


def inlay_hints(opened: Opened, params: types.InlayHintParams) -> list[types.InlayHint]:
    first, last = params.range.start.line + 1, params.range.end.line + 1
    return [
        types.InlayHint(
            position=opened.positions.position(each.line, each.column),
            label=each.text,
            tooltip=each.tooltip or None,
            padding_left=True,
        )
        for each in inlays(opened.document, opened.saved)
        if first <= each.line <= last
    ]


def code_lenses(opened: Opened, params: types.CodeLensParams) -> list[types.CodeLens]:
    """Titles only: their command is empty."""
    return [
        types.CodeLens(_line(each.line), types.Command(title=each.title, command=""))
        for each in lenses(opened.document, opened.saved)
    ]


def _line(number: int) -> types.Range:
    position = types.Position(number - 1, 0)
    return types.Range(position, position)
