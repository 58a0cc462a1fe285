"""An index of a text being edited: from places to key paths, and from key paths to places."""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property
from typing import Any, NamedTuple

from archdsl.diagnostics.fixes import Range
from archdsl.diagnostics.problems import ArchError
from archdsl.frontend.budget import DEFAULT
from archdsl.frontend.source import KeyPath, Source
from archdsl.frontend.yaml.files import Reading
from archdsl.frontend.yaml.scalars import read_plain
from archdsl.tools.editing.scan import scan
from archdsl.tools.editing.written import Entry, Role, Spot


class At(NamedTuple):
    """The role of a place in a text.

    At a key, or where one could be, `path` ends in it, or in "" for none; at a value it is that of the value, whose
    last step is a number for an item of a list. Elsewhere `role` is empty. `word` is what is there, from `start` on in
    the text, and `before` so much of it as is before the place.
    """

    role: Role
    path: KeyPath
    word: str
    before: str
    start: int
    is_flow: bool = False
    has_colon: bool = False

    @property
    def end(self) -> int:
        return self.start + len(self.word)

    @property
    def holder(self) -> KeyPath:
        """The mapping or list around it."""
        return self.path[:-1]


class Index:
    """A text that may be half-written. Lines and columns start at 1, and ends are exclusive."""

    def __init__(self, text: str, file: str = ""):
        self.text = text
        self.file = file
        self.scanned = scan(text)
        self.entries: dict[KeyPath, Entry] = {(): self.scanned.top}
        for entry in self.scanned.entries:
            self.entries.setdefault(entry.path, entry)

    @cached_property
    def source(self) -> Source:
        """The values with their places, as the parser reads them; while it cannot, those that the index has."""
        try:
            return Reading(DEFAULT).text(self.text, self.file)  # which has read it just now, for its problems
        except ArchError:
            return Source(self.file, self._values)

    @cached_property
    def children(self) -> dict[KeyPath, list[Entry]]:
        """The entries of each mapping and list."""
        found: dict[KeyPath, list[Entry]] = {}
        for path, entry in self.entries.items():
            if path:
                found.setdefault(path[:-1], []).append(entry)
        return found

    @cached_property
    def _values(self) -> dict[str, Any]:
        values = self._value(self.scanned.top)
        return values if isinstance(values, dict) else {}

    def _value(self, entry: Entry) -> Any:
        inside = self.children.get(entry.path, [])
        if entry.kind == "mapping":
            return {each.path[-1]: self._value(each) for each in inside if type(each.path[-1]) is str}
        if entry.kind == "sequence":
            return [self._value(each) for each in inside]
        text = self.text[entry.start : entry.end]
        try:
            return text[1:-1] if entry.kind == "quoted" else read_plain(text)
        except ArchError:
            return text

    def offset(self, line: int, column: int) -> int:
        """The offset of a place, or of the nearest one that exists."""
        number = min(max(line - 1, 0), len(self.scanned.starts) - 1)
        return min(self.scanned.starts[number] + max(column - 1, 0), self.scanned.ends[number])

    def range(self, start: int, end: int) -> Range:
        """The range between two offsets."""
        first, last = self.scanned.line_of(start), self.scanned.line_of(end)
        starts = self.scanned.starts
        return Range(self.file, first + 1, start - starts[first] + 1, last + 1, end - starts[last] + 1)

    def key_range(self, path: KeyPath) -> Range | None:
        """The range of a key; for a list item, of its dash or of the item itself."""
        entry = self.entries.get(path)
        return self.range(entry.key_start, entry.key_end) if entry else None

    def value_range(self, path: KeyPath) -> Range | None:
        entry = self.entries.get(path)
        return self.range(entry.start, entry.end) if entry else None

    def at(self, line: int, column: int) -> At:
        """The word and role of the place before a column."""
        offset = self.offset(line, column)
        spot = self._spot(offset)
        if spot is None:
            return self._blank(offset)
        if not spot.is_word:
            path = (*spot.path, "") if spot.role == "key" else spot.path
            return At(spot.role, path, "", "", offset, spot.is_flow)
        return self._word(spot, offset)

    def _spot(self, offset: int) -> Spot | None:
        spots = self.scanned.spots
        number = bisect_right(spots, offset, key=_start) - 1
        for spot in (spots[max(0, number - 2) : number] if number > 0 else [])[::-1]:
            if spot.is_word and spot.end == offset and not (spots[number].is_word and spots[number].start == offset):
                return spot
        if number < 0:
            return None
        spot = spots[number]
        is_open = spot.end is None or offset <= spot.end
        return spot if is_open and not (spot.end == spot.start and not spot.role) else None

    def _word(self, spot: Spot, offset: int) -> At:
        """The word at an offset; one alone on its line may be a key that is being written."""
        assert spot.end is not None
        word = self.text[spot.start : spot.end]
        found = At(spot.role, spot.path, word, self.text[spot.start : offset], spot.start, spot.is_flow)
        if spot.role == "key":
            return found._replace(path=(*spot.path, word.strip("\"'")), has_colon=self._has_colon(spot.end))
        if spot.starts_line and word[:1] not in ("'", '"') and not any(mark in word for mark in " \r\n$"):
            return found._replace(role="key", path=(*spot.path, word))
        return found

    def _has_colon(self, end: int) -> bool:
        """Whether a colon follows the word that ends here."""
        return self.text[end : self.scanned.ends[self.scanned.line_of(end)]].lstrip(" \t")[:1] == ":"

    def _blank(self, offset: int) -> At:
        """The role of an offset in a blank line, by its indentation."""
        number = self.scanned.line_of(offset)
        column = offset - self.scanned.starts[number]
        nothing = At("", (), "", "", offset)
        holder = self._holder(offset, column)
        return nothing if holder is None else nothing._replace(role="key", path=(*holder, ""))

    def _holder(self, offset: int, column: int) -> KeyPath | None:
        """The mapping that a key at this indentation would belong to; None where no key can be."""
        entries = self.scanned.entries
        limit = column + 1
        for entry in reversed(entries[: bisect_right(entries, offset - 1, key=_key_start)]):
            if entry.indent < 0 or entry.indent >= limit:
                continue
            is_item = type(entry.path[-1]) is int
            if entry.indent < column:
                is_free = entry.kind == "nothing" or (entry.kind in ("mapping", "sequence") and not entry.is_flow)
                return entry.path if is_free else None
            if not is_item:
                return entry.path[:-1]
        return () if column == 0 or not entries else None


def _start(spot: Spot) -> int:
    return spot.start


def _key_start(entry: Entry) -> int:
    return entry.key_start
