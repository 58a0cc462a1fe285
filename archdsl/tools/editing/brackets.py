"""Flow collections in a text, up to the closing bracket or the first line that cannot be inside."""

from __future__ import annotations

import re
from dataclasses import dataclass

from archdsl.frontend.source import KeyPath
from archdsl.frontend.values import MAX_DEPTH
from archdsl.tools.editing.written import QUOTED, QUOTED_COLON, Entry, Written

_COLON = re.compile(r"[ \t]*:(?=[\s,\[\]{}]|$)")
_GAP = re.compile(r"[ \t\r\n]*")
_PROPERTIES = re.compile(r"(?:[&!][^\s,\[\]{}]*[ \t]+)+(?=[^\s,\[\]{}#&!])")  # of a word: anchors, tags
_WORD = re.compile(r"(?:\$\{[^{}\r\n]*\}?|[^\s,\[\]{}:]|:(?=[^\s,\[\]{}])|[ \t]+(?=[^\s,\[\]{}:#]))+")


@dataclass(slots=True)
class _Flow:
    """An open bracket, and the `entry` it is the value of; `is_pair` is a list item that is a single `key: value`."""

    path: KeyPath
    entry: Entry
    is_list: bool
    is_pair: bool = False
    count: int = 0
    current: Entry | None = None


class Brackets:
    """Reads flow collections and records their entries and spots."""

    def __init__(self, written: Written):
        self.written = written
        self.text = written.text

    def read(self, position: int, entry: Entry, indent: int) -> int:
        """Reads the flow collection that begins here. Returns the number of the line after it."""
        start = position
        open_: list[_Flow] = []
        while True:
            position, has_ended = self._gap(position, indent)
            if not has_ended:
                position = self._piece(position, open_, entry, indent)
            if has_ended or not open_:
                return self._ended(start, position, open_)

    def _piece(self, position: int, open_: list[_Flow], entry: Entry, indent: int) -> int:
        """Reads one bracket, comma, comment or word. Returns the position after it."""
        sign = self.text[position]
        if sign in "[{":
            return self._opened(position, open_, entry)
        if sign in "]}":
            return self._closed(position, open_)
        if sign == ",":
            return self._comma(position, open_)
        if sign == "#" and self.text[position - 1] in " \t\r\n,[{":
            return self._comment(position)
        return self._word(position, open_, indent)

    def _comment(self, position: int) -> int:
        around, end = self.written.spots[-1], self.written.ends[self.written.line_of(position)]
        self.written.spot(position, end, "", ())
        self.written.spot(end, None, around.role, around.path, is_flow=True)
        return end

    def _ended(self, start: int, position: int, open_: list[_Flow]) -> int:
        """Closes the brackets that the text leaves open. Returns the number of the next line."""
        end = self._before(position, start)
        for flow in open_:
            flow.entry.end = max(flow.entry.end, end)
        line = self.written.line_of(position)
        if position == len(self.text) and open_:
            return line + 1
        self.written.spot(position, position if open_ else self.written.ends[line], "", ())
        return line + (not open_)

    def _before(self, position: int, start: int) -> int:
        """The end of the text before a position, from `start` on."""
        return start + len(self.text[start:position].rstrip())

    def _gap(self, position: int, indent: int) -> tuple[int, bool]:
        """The position of the next text, and whether it is outside the brackets; then it is the start of its line."""
        found = _GAP.match(self.text, position).end()  # type: ignore[union-attr]
        if found == len(self.text):
            return found, True
        begin = self.written.starts[self.written.line_of(found)]
        is_outside = begin > position and found - begin <= indent and self.text[found] not in "]}"
        return (begin, True) if is_outside else (found, False)

    def _opened(self, position: int, open_: list[_Flow], entry: Entry) -> int:
        held = self._place_in(open_[-1], position) if open_ else entry
        is_list = self.text[position] == "["
        if len(held.path) < MAX_DEPTH:
            held.kind, held.is_flow = "sequence" if is_list else "mapping", True
            held.start = min(held.start, position) if not open_ else position
        open_.append(_Flow(held.path, held, is_list))
        self._room(position + 1, open_[-1])
        return position + 1

    def _place_in(self, flow: _Flow, position: int) -> Entry:
        """The entry that a value which begins here belongs to."""
        if flow.is_list or flow.current is None:
            return self._next(flow, position, position)
        return flow.current

    def _next(self, flow: _Flow, start: int, end: int) -> Entry:
        """The next entry in brackets: an item, or a key."""
        if flow.is_list and flow.current is not None:
            return flow.current
        key = flow.count if flow.is_list else self.text[start:end].strip("\"'")
        path = (*flow.path, key) if len(flow.path) < MAX_DEPTH else flow.path
        flow.current = Entry(path, start, end, -1, True, "nothing", end, end)
        if len(path) > len(flow.path):
            self.written.entries.append(flow.current)
        return flow.current

    def _room(self, position: int, flow: _Flow) -> None:
        """Records that a key or an item may follow here."""
        if flow.is_list:
            self.written.spot(position, None, "value", (*flow.path, flow.count), is_flow=True)
        else:
            self.written.spot(position, None, "key", flow.path, is_flow=True)

    def _closed(self, position: int, open_: list[_Flow]) -> int:
        flow = open_.pop()
        if flow.is_pair:
            flow.entry.end = self._before(position, flow.entry.start)
            flow = open_.pop()
        flow.entry.end = position + 1
        self.written.spot(position + 1, None, "", (), is_flow=True)
        return position + 1

    def _comma(self, position: int, open_: list[_Flow]) -> int:
        if open_[-1].is_pair:
            pair = open_.pop()
            pair.entry.end = self._before(position, pair.entry.start)
        open_[-1].current = None
        open_[-1].count += 1
        self._room(position + 1, open_[-1])
        return position + 1

    def _word(self, start: int, open_: list[_Flow], indent: int) -> int:
        """Reads a key, an item or a value, with its anchor or tag."""
        flow, properties = open_[-1], _PROPERTIES.match(self.text, start)
        position = properties.end() if properties else start
        if _COLON.match(self.text, position):  # of a key that is nothing, or in brackets itself
            path = flow.current.path if flow.current else flow.path
            self.written.spot(position + 1, None, "value", path, is_flow=True)
            return position + 1
        end, after = self._word_end(position, indent)
        is_key = not flow.is_list and flow.current is None
        if after and (flow.is_list or is_key):
            return self._flow_key(position, end, after, open_)
        if is_key:
            self._next(flow, position, end)
            path = flow.path
        else:
            path = self._value(start, position, end, self._place_in(flow, start))
        self.written.spot(position, end, "key" if is_key else "value", path, is_word=True, is_flow=True)
        self.written.spot(end, None, "", (), is_flow=True)
        return end

    def _word_end(self, position: int, indent: int) -> tuple[int, int]:
        """The end of a word, and the end of the colon that makes it a key; 0 without a colon."""
        if self.text[position] in QUOTED:
            end, colon = self.written.quoted_end(position, self.written.line_of(position), indent), QUOTED_COLON
        else:
            found = _WORD.match(self.text, position)
            end, colon = (found.end() if found else position + 1), _COLON
        after = colon.match(self.text, end)
        return end, after.end() if after else 0

    def _value(self, start: int, position: int, end: int, entry: Entry) -> KeyPath:
        """Extends the value of an entry to `end`; `start` is before its anchor. Returns the entry's path."""
        entry.start = entry.start if entry.kind != "nothing" else start
        entry.kind, entry.end = "quoted" if self.text[position] in QUOTED else "text", end
        return entry.path

    def _flow_key(self, start: int, end: int, after: int, open_: list[_Flow]) -> int:
        flow = open_[-1]
        if flow.is_list:
            item = self._next(flow, start, start)
            item.kind, item.start = "mapping", start
            flow = _Flow(item.path, item, is_list=False, is_pair=True)
            open_.append(flow)
        entry = self._next(flow, start, end)
        self.written.spot(start, end, "key", flow.path, is_word=True, is_flow=True)
        self.written.spot(after, None, "value", entry.path, is_flow=True)
        return after
