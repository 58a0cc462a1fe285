"""Completion and hover."""

from __future__ import annotations

from lsprotocol import types

from archdsl.tools.editing.completion import complete
from archdsl.tools.editing.hover import hover
from archdsl.tools.lsp.open_texts import Opened

TRIGGERS = [":", " ", "[", "$", "{", "."]
_KINDS = {
    "key": types.CompletionItemKind.Property,
    "block": types.CompletionItemKind.Function,
    "argument": types.CompletionItemKind.Variable,
    "name": types.CompletionItemKind.Reference,
    "parent": types.CompletionItemKind.File,
    "value": types.CompletionItemKind.Value,
    "reference": types.CompletionItemKind.Variable,
}


def completions(opened: Opened, params: types.CompletionParams) -> list[types.CompletionItem]:
    """The completions in their own order, which is the language's, not alphabetical."""
    found = complete(opened.document, *opened.positions.place(params.position))
    return [
        types.CompletionItem(
            label=each.label,
            kind=_KINDS[each.kind],
            detail=each.detail or None,
            documentation=types.MarkupContent(types.MarkupKind.Markdown, each.documentation)
            if each.documentation
            else None,
            text_edit=types.TextEdit(opened.positions.range(each.range), each.text),
            sort_text=f"{number:05}",
        )
        for number, each in enumerate(found)
    ]


def hovers(opened: Opened, params: types.HoverParams) -> types.Hover | None:
    found = hover(opened.document, *opened.positions.place(params.position))
    if found is None:
        return None
    text = types.MarkupContent(types.MarkupKind.Markdown, found.markdown)
    return types.Hover(text, opened.positions.range(found.range))
