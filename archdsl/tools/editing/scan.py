"""The entries of a YAML text, whole or half-written, and the role of every place in it.

It is one pass over the lines. Where it can, indentation decides: a bracket or a quote that is left open ends before the
next line that is indented no deeper than its entry. Valid YAML is read as the parser reads it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from archdsl.frontend.source import KeyPath
from archdsl.frontend.values import MAX_DEPTH
from archdsl.tools.editing.brackets import Brackets
from archdsl.tools.editing.written import QUOTED, QUOTED_COLON, Entry, Written

_COLON = re.compile(r":(?=[ \t]|$)")
_COMMENT = re.compile(r"(?:(?<=[ \t])|^)#")
_MARKER = re.compile(r"(?:---|\.\.\.)(?=[ \t]|$)|%")
_DASH = re.compile(r"-(?:[ \t]+|$)")
_PROPERTY = re.compile(r"(?:[&!][^\s,\[\]{}]*[ \t]*)+")
_BLOCK_TEXT = re.compile(r"[|>][-+0-9]*[ \t]*(?:#.*)?$")
_NO_KEY = frozenset("[]{}#|>&*!%@`,")


def scan(text: str) -> Written:
    """The entries of a text in their order, and its spots in theirs."""
    written = Written(text)
    _Lines(written).read()
    return written


@dataclass(slots=True)
class _Block:
    """A block collection that is open: `last` is its newest entry, `count` the number of items."""

    path: KeyPath
    indent: int
    last: Entry
    is_list: bool = False
    count: int = 0


class _Lines:
    """Reads a text line by line, and records its entries and spots."""

    def __init__(self, written: Written):
        self.written = written
        self.text = written.text
        self._brackets = Brackets(written)
        self._blocks = [_Block((), -1, written.top)]

    def read(self) -> None:
        """Reads all of the text."""
        number = 0
        while number < len(self.written.starts):
            number = self._line(number)
        self._enclose()

    def _enclose(self) -> None:
        """Extends every entry to the end of the entries inside it."""
        by_path = {(): self.written.top} | {entry.path: entry for entry in reversed(self.written.entries)}
        for entry in reversed(self.written.entries):
            holder = by_path.get(entry.path[:-1])
            if holder is not None and not holder.is_flow:
                if holder.kind == "nothing":
                    holder.kind = "sequence" if type(entry.path[-1]) is int else "mapping"
                    holder.end = entry.end
                holder.start = entry.key_start if holder.kind in ("sequence", "mapping") else holder.start
                holder.end = max(holder.end, entry.end)

    def _add(self, path: KeyPath, start: int, end: int, indent: int, is_flow: bool = False) -> Entry:
        entry = Entry(path, start, end, indent, is_flow, "nothing", end, end)
        self.written.entries.append(entry)
        return entry

    # Lines and indentation

    def _line(self, number: int) -> int:
        """Reads what begins in a line. Returns the number of the line after it."""
        start, end = self.written.starts[number], self.written.ends[number]
        position = self.written.skip(start, end)
        if position == end:
            return number + 1
        if self.text[position] == "#" or (position == start and _MARKER.match(self.text, start, end)):
            self.written.spot(position, end, "", ())
            return number + 1
        self._close(position - start, bool(_DASH.match(self.text, position, end)))
        first = position
        while (dash := _DASH.match(self.text, position, end)) and len(self._blocks) < MAX_DEPTH:
            entry = self._item(position, position - start)
            position = dash.end()
            if position == end or self.text[position] == "#":
                self.written.spot(entry.key_end, position, "value", entry.path)
                self._comment(position, end)
                return number + 1
        return self._content(position, start, end, number, is_item=position != first)

    def _close(self, indent: int, is_item: bool) -> None:
        """Leaves the collections that a line of this indentation is outside of."""
        while self._blocks[-1].indent > indent or (
            self._blocks[-1].is_list and self._blocks[-1].indent == indent and not is_item
        ):
            self._blocks.pop()

    def _item(self, position: int, indent: int) -> Entry:
        block = self._blocks[-1]
        if not block.is_list or block.indent != indent:
            block = _Block(block.last.path, indent, block.last, is_list=True)
            self._blocks.append(block)
        block.last = self._add((*block.path, block.count), position, position + 1, indent)
        block.count += 1
        return block.last

    def _content(self, position: int, start: int, end: int, number: int, is_item: bool) -> int:
        """Reads a key with its value, or a value alone. Returns the number of the line after it."""
        key = self._key(position, end) if len(self._blocks) < MAX_DEPTH else None
        block = self._blocks[-1]
        column = position - start
        if key is not None:
            entry = self._keyed(position, key[0], column)
            self.written.spot(key[1], end, "value", entry.path)
            return self._value(self.written.skip(key[1], end), entry, number, column)
        is_plain = self.text[position] not in "\"'[{|>"
        if not is_item and not block.is_list and block.indent == column and is_plain:
            word_end = self._plain_end(position, end)
            self._keyed(position, word_end, column)
            self.written.spot(word_end, end, "", ())
            return number + 1
        last = block.last
        entry = last if last.kind == "nothing" else Entry(last.path, position, position, column)
        return self._value(position, entry, number, block.indent, starts_line=not is_item)

    def _key(self, position: int, end: int) -> tuple[int, int] | None:
        """The end of the key that begins here, and of its colon."""
        first = self.text[position]
        if first in QUOTED:
            quoted = QUOTED[first].match(self.text, position, end)
            colon = QUOTED_COLON.match(self.text, quoted.end(), end) if quoted else None
            return (quoted.end(), colon.end()) if quoted and colon else None
        found = _COLON.search(self.text, position, end) if first not in _NO_KEY else None
        if found is None or _COMMENT.search(self.text, position, found.start()):
            return None
        return position + len(self.text[position : found.start()].rstrip()), found.end()

    def _keyed(self, start: int, end: int, column: int) -> Entry:
        block = self._blocks[-1]
        if block.is_list or block.indent != column:
            block = _Block(block.last.path, column, block.last)
            self._blocks.append(block)
        self.written.spot(start, end, "key", block.path, is_word=True, starts_line=True)
        block.last = self._add((*block.path, self.text[start:end].strip("\"'")), start, end, column)
        return block.last

    # Values

    def _value(self, position: int, entry: Entry, number: int, indent: int, starts_line: bool = False) -> int:
        """Reads the value of an entry, which may be empty. Returns the number of the line after it."""
        end, entry.start = self.written.ends[number], position
        prefix = _PROPERTY.match(self.text, position, end)
        position = prefix.end() if prefix else position
        first = self.text[position : min(position + 1, end)]
        if not first or first == "#":
            entry.start = entry.start if prefix else entry.key_end
            self._comment(position, end)
            return number + 1
        if first in "[{":
            return self._brackets.read(position, entry, indent)
        if first in "|>" and _BLOCK_TEXT.match(self.text, position, end):
            return self._long_text(position, entry, number, indent)
        if first in QUOTED:
            entry.kind, entry.end = "quoted", self.written.quoted_end(position, number, indent)
        else:
            entry.kind, entry.end = "text", self._text_end(position, end, number, indent)
        self.written.spot(position, entry.end, "value", entry.path, is_word=True, starts_line=starts_line)
        last = self.written.line_of(entry.end)
        self.written.spot(entry.end, self.written.ends[last], "", ())
        return last + 1

    def _comment(self, position: int, end: int) -> None:
        if self.text[position : position + 1] == "#":
            self.written.spot(position, end, "", ())

    def _plain_end(self, position: int, end: int) -> int:
        comment = _COMMENT.search(self.text, position, end)
        return position + len(self.text[position : comment.start() if comment else end].rstrip())

    def _text_end(self, position: int, end: int, number: int, indent: int) -> int:
        """The end of a plain scalar, which continues on deeper lines without a key."""
        found = self._plain_end(position, end)
        for below in range(number + 1, len(self.written.starts)):
            begin = self.written.skip(self.written.starts[below], self.written.ends[below])
            if begin == self.written.ends[below]:
                continue
            is_inside = begin - self.written.starts[below] > indent and self.text[begin] != "#"
            has_comment = self.written.skip(found, self.written.ends[number]) != self.written.ends[number]
            if not is_inside or has_comment or self._key(begin, self.written.ends[below]):
                break
            found, number = self._plain_end(begin, self.written.ends[below]), below
        return found

    def _long_text(self, position: int, entry: Entry, number: int, indent: int) -> int:
        last = number
        while last + 1 < len(self.written.starts) and self.written.is_deeper(last + 1, indent):
            last += 1
        text = self.text[position : self.written.ends[last]]
        entry.kind, entry.end = "long text", position + len(text.rstrip())  # below it other keys can be written
        self.written.spot(position, entry.end, "value", entry.path, is_word=True)
        return last + 1
