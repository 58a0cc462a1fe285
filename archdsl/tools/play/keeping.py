"""Turns an override into an edit of the text."""

from __future__ import annotations

import re

from archdsl.diagnostics.fixes import Edit
from archdsl.diagnostics.problems import fail
from archdsl.frontend.source import KeyPath
from archdsl.tools.editing.places import Index
from archdsl.tools.editing.written import Entry

_OVERRIDE = re.compile(r"(?P<path>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)=(?P<value>-?[\w.]+)")
_COLON = re.compile(r"[ \t]*:")


def kept(text: str, override: str) -> Edit:
    """The edit that does what `scale.width=0.5` does. Raises ArchError if the value is not a number or a word."""
    found = _OVERRIDE.fullmatch(override)
    if found:
        index, path = Index(text), tuple(found["path"].split("."))
        held = next(path[:length] for length in range(len(path), -1, -1) if path[:length] in index.entries)
        if held == path:
            return _filled(index, index.entries[path], found["value"])
        if index.entries[held].kind != "sequence":
            return _added(index, held, _nested(path[len(held) :], found["value"]))
    message = f"'{override[:100]}' is more than a number or a word for a key; write it into the text yourself"
    raise fail("override", message)


def _filled(index: Index, entry: Entry, value: str) -> Edit:
    """Replaces the value of an entry, or puts one after its colon."""
    if entry.kind != "nothing":
        return Edit(index.range(entry.start, entry.end), value)
    colon = _COLON.match(index.text, entry.key_end)
    end = colon.end() if colon else entry.key_end
    return Edit(index.range(end, end), f" {value}" if colon else f": {value}")


def _added(index: Index, held: KeyPath, written: str) -> Edit:
    """Adds a first entry to a mapping, or a last one to the whole text."""
    entry, inside = index.entries[held], index.children.get(held)
    if inside and (held or inside[0].is_flow):
        after = ", " if inside[0].is_flow else "\n" + " " * inside[0].indent
        return Edit(index.range(inside[0].key_start, inside[0].key_start), written + after)
    if held or (entry.kind != "nothing" and not inside):
        return _filled(index, entry, f"{{{written}}}")
    end = index.scanned.ends[index.scanned.line_of(entry.end)] if inside else len(index.text)
    before = "\n" + " " * inside[0].indent if inside else "\n" * (index.text[-1:] not in ("\n", ""))
    return Edit(index.range(end, end), before + written + "\n" * (end == len(index.text)))


def _nested(path: KeyPath, value: str) -> str:
    """`width: 0.5`, `p4: {depth: 9}`."""
    key, *rest = path
    return f"{key}: {{{_nested(tuple(rest), value)}}}" if rest else f"{key}: {value}"
