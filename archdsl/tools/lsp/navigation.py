"""Definitions, renaming, the outline of a text, and folding."""

from __future__ import annotations

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from archdsl.tools.editing.definition import define
from archdsl.tools.editing.rename import prepare_rename, rename
from archdsl.tools.editing.symbols import Symbol, folds, symbols
from archdsl.tools.lsp.actions import workspace_edit
from archdsl.tools.lsp.diagnostics import location
from archdsl.tools.lsp.open_texts import Opened
from archdsl.tools.lsp.positions import Positions

_KINDS = {
    "section": types.SymbolKind.Namespace,
    "stage": types.SymbolKind.Module,
    "layer": types.SymbolKind.Function,
    "block": types.SymbolKind.Class,
    "key": types.SymbolKind.Property,
}


def definitions(opened: Opened, params: types.DefinitionParams) -> list[types.Location]:
    found = define(opened.document, *opened.positions.place(params.position))
    return [location(each.target, opened) for each in found]


def renameable(opened: Opened, params: types.PrepareRenameParams) -> types.PrepareRenamePlaceholder:
    found = prepare_rename(opened.document, *opened.positions.place(params.position))
    if isinstance(found, str):
        raise _refusal(found)
    return types.PrepareRenamePlaceholder(opened.positions.range(found.range), found.name)


def renamed(opened: Opened, params: types.RenameParams) -> types.WorkspaceEdit:
    found = rename(opened.document, *opened.positions.place(params.position), params.new_name)
    if found.refused:
        raise _refusal(found.refused)
    return workspace_edit(opened, found.edits)


def _refusal(why: str) -> JsonRpcException:
    return JsonRpcException(why, types.LSPErrorCodes.RequestFailed)


def document_symbols(opened: Opened, params: types.DocumentSymbolParams) -> list[types.DocumentSymbol]:
    return [_symbol(each, opened.positions) for each in symbols(opened.document)]


def _symbol(symbol: Symbol, positions: Positions) -> types.DocumentSymbol:
    return types.DocumentSymbol(
        name=symbol.name or "?",  # the protocol wants one
        kind=_KINDS[symbol.kind],
        range=positions.range(symbol.range),
        selection_range=positions.range(symbol.name_range),
        detail=symbol.detail or None,
        children=[_symbol(each, positions) for each in symbol.children],
    )


def foldings(opened: Opened, params: types.FoldingRangeParams) -> list[types.FoldingRange]:
    kinds = {True: types.FoldingRangeKind.Comment, False: types.FoldingRangeKind.Region}
    return [
        types.FoldingRange(each.line - 1, each.end_line - 1, kind=kinds[each.is_comment])
        for each in folds(opened.document)
    ]
