"""The outline of a text, and its foldable lines."""

from __future__ import annotations

from typing import Literal, NamedTuple

from archdsl.diagnostics.fixes import Range
from archdsl.frontend.sections import LAYER_SLOTS, NAMED_SLOTS, STAGES, layer_of
from archdsl.frontend.source import KeyPath
from archdsl.tools.editing.document import Document
from archdsl.tools.editing.surroundings import Surroundings, surroundings
from archdsl.tools.editing.written import Entry, Written

SymbolKind = Literal["section", "stage", "layer", "block", "key"]
_NOT_FOLDED = ("text", "quoted", "nothing")


class Symbol(NamedTuple):
    """An entry of the text: `range` covers all of it, `name_range` its key; `detail` is the block of a layer."""

    name: str
    kind: SymbolKind
    range: Range
    name_range: Range
    detail: str
    children: tuple[Symbol, ...]


class Fold(NamedTuple):
    """Lines that can be folded into the first one; both count from 1."""

    line: int
    end_line: int
    is_comment: bool = False


def symbols(document: Document) -> tuple[Symbol, ...]:
    """The sections of a text, with their stages and layers."""
    around = surroundings(document)
    return tuple([_symbol(around, entry) for entry in around.index.children.get((), ())])


def _symbol(around: Surroundings, entry: Entry) -> Symbol:
    path = around.network_path(entry.path)
    inside = around.index.children.get(entry.path, ()) if path[0] != "defaults" else ()
    children = [each for each in inside if _kind(around.network_path(each.path)) != "key"]
    index, kind = around.index, _kind(path)
    return Symbol(
        str(path[-1]),
        kind,
        index.range(entry.key_start, max(entry.key_end, entry.end)),
        index.range(entry.key_start, entry.key_end),
        around.block_name(path) if kind == "layer" else "",
        tuple([_symbol(around, each) for each in children]),
    )


def _kind(path: KeyPath) -> SymbolKind:
    if type(path[-1]) is int:
        return "key"
    if len(path) == 1:
        return "section"
    if layer_of(path) == path:
        return "layer"
    if path[0] == "blocks" and len(path) < 4:
        return "block" if len(path) == 2 else "section" if path[2] == "layers" else "key"
    if path[0] == STAGES.name and len(path) == 2:
        return "stage"
    is_slot = path[0] in (STAGES.name, STAGES.defaults) and path[-1] in (*NAMED_SLOTS, *LAYER_SLOTS)
    return "section" if is_slot else "key"


def folds(document: Document) -> tuple[Fold, ...]:
    """Mappings, lists and long texts of several lines, and rows of comments."""
    index = surroundings(document).index
    found = [
        Fold(index.scanned.line_of(entry.key_start) + 1, index.scanned.line_of(entry.end) + 1)
        for entry in index.scanned.entries
        if entry.kind not in _NOT_FOLDED
    ]
    several = [fold for fold in found if fold.end_line > fold.line]
    return tuple(sorted({fold.line: fold for fold in reversed(several)}.values()) + _comments(index.scanned))


def _comments(written: Written) -> list[Fold]:
    """Runs of lines that are only comments."""
    rows: list[Fold] = []
    for spot in written.spots:
        number = written.line_of(spot.start) + 1
        is_first = written.skip(written.starts[number - 1], spot.start) == spot.start
        if spot.role == "" and is_first and written.text.startswith("#", spot.start):
            if rows and rows[-1].end_line == number - 1:
                rows[-1] = rows[-1]._replace(end_line=number)
            else:
                rows.append(Fold(number, number, is_comment=True))
    return [row for row in rows if row.end_line > row.line]
