"""An override as an edit of the text: what was tried beside it is written into it."""

from __future__ import annotations

import re

from archdsl.diagnostics.fixes import Edit
from archdsl.diagnostics.problems import fail
from archdsl.frontend.source import KeyPath
from archdsl.tools.editing.places import Index

_OVERRIDE = re.compile(r"(?P<path>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)=(?P<value>-?[\w.]+)")


def kept(text: str, override: str) -> Edit:
    """The edit that does what `scale.width=0.5` does. Raises ArchError for what is more than a number or a word."""
    found = _OVERRIDE.fullmatch(override)
    if not found:
        message = f"'{override[:100]}' is more than a number or a word for a key; write it into the text yourself"
        raise fail("override", message)
    index, path = Index(text), tuple(found["path"].split("."))
    place = index.value_range(path)
    if place is not None and index.entries[path].kind != "nothing":
        return Edit(place, found["value"])
    return _added(index, path, found["value"])


def _added(index: Index, path: KeyPath, value: str) -> Edit:
    """As the first entry of the innermost mapping on the way that the text has, or as its last line."""
    held = next(path[:length] for length in range(len(path) - 1, -1, -1) if path[:length] in index.entries)
    written = _nested(path[len(held) :], value)
    if not held:
        end = len(index.text)
        line_end = "\n" * (not index.text.endswith("\n") and end > 0)
        return Edit(index.range(end, end), f"{line_end}{written}\n")
    entry, inside = index.entries[held], index.children.get(held, [])
    if inside:
        is_flow = index.text.startswith("{", entry.start)
        after = ", " if is_flow else "\n" + " " * inside[0].indent
        return Edit(index.range(inside[0].key_start, inside[0].key_start), written + after)
    if entry.kind == "nothing":
        after_colon = index.text.index(":", entry.key_end) + 1
        return Edit(index.range(after_colon, after_colon), f" {{{written}}}")
    return Edit(index.range(entry.start, entry.end), f"{{{written}}}")


def _nested(path: KeyPath, value: str) -> str:
    """`width: 0.5`, `p4: {depth: 9}`."""
    key, *rest = path
    return f"{key}: {{{_nested(tuple(rest), value)}}}" if rest else f"{key}: {value}"
