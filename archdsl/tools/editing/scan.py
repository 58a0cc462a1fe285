"""The entries of a YAML text and what stands where in it, whether or not the text is whole: it may be half-written.

One pass over the lines. Indentation decides where it can: a bracket or a quote that is left open ends before the next
line that is indented no deeper than the entry it is in. What is right YAML is read as the parser reads it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import Literal, NamedTuple

from archdsl.frontend.source import KeyPath
from archdsl.frontend.values import MAX_DEPTH, MAX_SCALAR
from archdsl.frontend.yaml.conformance import LINE_END

Role = Literal["key", "value", ""]
"""What a place in a text is for; empty where neither a key nor a value can be."""
Kind = Literal["mapping", "sequence", "text", "quoted", "long text", "nothing"]

_COLON = re.compile(r":(?=[ \t]|$)")
_FLOW_COLON = re.compile(r"[ \t]*:(?=[\s,\[\]{}]|$)")
_QUOTED_COLON = re.compile(r"[ \t]*:")
_COMMENT = re.compile(r"(?:(?<=[ \t])|^)#")
_SPACES = re.compile(r"[ \t]*")
_GAP = re.compile(r"[ \t\r\n]*")
_MARKER = re.compile(r"(?:---|\.\.\.)(?=[ \t]|$)|%")
_DASH = re.compile(r"-(?:[ \t]+|$)")
_PROPERTY = re.compile(r"(?:[&!][^\s,\[\]{}]*[ \t]*)+")
_BLOCK_TEXT = re.compile(r"[|>][-+0-9]*[ \t]*(?:#.*)?$")
_FLOW_WORD = re.compile(r"(?:\$\{[^{}\r\n]*\}?|[^\s,\[\]{}:]|:(?=[^\s,\[\]{}])|[ \t]+(?=[^\s,\[\]{}:#]))+")
_QUOTED = {'"': re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL), "'": re.compile(r"'(?:[^']|'')*'")}
_NO_KEY = frozenset("[]{}#|>&*!%@`,")


class Spot(NamedTuple):
    """From `start` to `end`, or to the next spot if that is None, the text has this role; `is_word` if there is some.

    The path of a key, and of the room for one, is that of its mapping. `starts_line` is for words before which there
    is nothing in their line.
    """

    start: int
    end: int | None
    role: Role
    path: KeyPath
    is_word: bool = False
    is_flow: bool = False
    starts_line: bool = False


@dataclass(slots=True)
class Entry:
    """A key with its value, or an item of a list, whose key is empty. All places are offsets in the text."""

    path: KeyPath
    key_start: int
    key_end: int
    indent: int
    is_flow: bool = False
    kind: Kind = "nothing"
    start: int = 0
    end: int = 0


@dataclass(slots=True)
class _Block:
    """A block collection that is open: `last` is its newest entry, `count` the number of items."""

    path: KeyPath
    indent: int
    last: Entry
    is_list: bool = False
    count: int = 0


@dataclass(slots=True)
class _Flow:
    """Brackets that are open around `entry`; `is_pair` is a mapping of one key without brackets, an item of a list."""

    path: KeyPath
    entry: Entry
    is_list: bool
    is_pair: bool = False
    count: int = 0
    current: Entry | None = None


class Scan:
    """The entries of `text` in their order, and its spots in theirs."""

    def __init__(self, text: str):
        self.text = text
        ends = [found.span() for found in LINE_END.finditer(text)]
        self.starts = [0, *[end for _, end in ends]]
        self.ends = [*[start for start, _ in ends], len(text)]
        self.entries: list[Entry] = []
        self.spots: list[Spot] = []
        self.top = Entry((), 0, 0, -1)
        self._blocks = [_Block((), -1, self.top)]
        number = 0
        while number < len(self.starts):
            number = self._line(number)
        self._enclose()

    def line_of(self, offset: int) -> int:
        """The line that an offset is in, counted from 0."""
        return bisect_right(self.starts, offset) - 1

    def _enclose(self) -> None:
        """What holds entries ends where they do."""
        by_path = {(): self.top} | {entry.path: entry for entry in reversed(self.entries)}
        for entry in reversed(self.entries):
            holder = by_path.get(entry.path[:-1])
            if holder is not None and not holder.is_flow:
                if holder.kind == "nothing":
                    holder.kind = "sequence" if type(entry.path[-1]) is int else "mapping"
                    holder.end = entry.end
                holder.start = entry.key_start if holder.kind in ("sequence", "mapping") else holder.start
                holder.end = max(holder.end, entry.end)

    def _add(self, path: KeyPath, start: int, end: int, indent: int, is_flow: bool = False) -> Entry:
        entry = Entry(path, start, end, indent, is_flow, "nothing", end, end)
        self.entries.append(entry)
        return entry

    def _spot(self, start: int, end: int | None, role: Role, path: KeyPath, **more: bool) -> None:
        self.spots.append(Spot(start, end, role, path, **more))

    # Lines and indentation

    def _line(self, number: int) -> int:
        """Reads what begins in a line. Gives the number of the line that follows it."""
        start, end = self.starts[number], self.ends[number]
        position = self._skip(start, end)
        if position == end:
            return number + 1
        if self.text[position] == "#" or (position == start and _MARKER.match(self.text, start, end)):
            self._spot(position, end, "", ())
            return number + 1
        self._close(position - start, bool(_DASH.match(self.text, position, end)))
        first = position
        while (dash := _DASH.match(self.text, position, end)) and len(self._blocks) < MAX_DEPTH:
            entry = self._item(position, position - start)
            position = dash.end()
            if position == end or self.text[position] == "#":
                self._spot(entry.key_end, position, "value", entry.path)
                self._comment(position, end)
                return number + 1
        return self._content(position, start, end, number, is_item=position != first)

    def _skip(self, start: int, end: int) -> int:
        return _SPACES.match(self.text, start, end).end()  # type: ignore[union-attr]

    def _close(self, indent: int, is_item: bool) -> None:
        """Leaves the collections that a line of this indentation is not in."""
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
        """A key with its value, or a value alone."""
        key = self._key(position, end) if len(self._blocks) < MAX_DEPTH else None
        block = self._blocks[-1]
        column = position - start
        if key is not None:
            entry = self._keyed(position, key[0], column)
            return self._value(self._skip(key[1], end), end, entry, number, column, after=key[1])
        is_plain = self.text[position] not in "\"'[{|>"
        if not is_item and not block.is_list and block.indent == column and is_plain:
            word_end = self._plain_end(position, end)
            self._keyed(position, word_end, column)
            self._spot(word_end, end, "", ())
            return number + 1
        last = block.last
        entry = last if last.kind == "nothing" else Entry(last.path, position, position, column)
        return self._value(position, end, entry, number, block.indent, starts_line=not is_item)

    def _key(self, position: int, end: int) -> tuple[int, int] | None:
        """Where a key that begins here ends, and where its colon does."""
        first = self.text[position]
        if first in _QUOTED:
            quoted = _QUOTED[first].match(self.text, position, end)
            colon = _QUOTED_COLON.match(self.text, quoted.end(), end) if quoted else None
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
        self._spot(start, end, "key", block.path, is_word=True, starts_line=True)
        block.last = self._add((*block.path, self.text[start:end].strip("\"'")), start, end, column)
        return block.last

    # Values

    def _value(
        self,
        position: int,
        end: int,
        entry: Entry,
        number: int,
        indent: int,
        after: int = -1,
        starts_line: bool = False,
    ) -> int:
        """The value of an entry, which begins here in a line that ends at `end`; of nothing too."""
        if after >= 0:
            self._spot(after, end, "value", entry.path)
        entry.start = position
        prefix = _PROPERTY.match(self.text, position, end)
        position = prefix.end() if prefix else position
        first = self.text[position : min(position + 1, end)]
        if not first or first == "#":
            entry.start = entry.start if prefix else entry.key_end
            self._comment(position, end)
            return number + 1
        if first in "[{":
            return self._brackets(position, entry, indent)
        if first in "|>" and _BLOCK_TEXT.match(self.text, position, end):
            return self._long_text(position, entry, number, indent)
        if first in _QUOTED:
            entry.kind, entry.end = "quoted", self._quoted_end(position, number, indent)
        else:
            entry.kind, entry.end = "text", self._text_end(position, end, number, indent)
        self._spot(position, entry.end, "value", entry.path, is_word=True, starts_line=starts_line)
        last = self.line_of(entry.end)
        self._spot(entry.end, self.ends[last], "", ())
        return last + 1

    def _comment(self, position: int, end: int) -> None:
        if self.text[position : position + 1] == "#":
            self._spot(position, end, "", ())

    def _plain_end(self, position: int, end: int) -> int:
        comment = _COMMENT.search(self.text, position, end)
        return position + len(self.text[position : comment.start() if comment else end].rstrip())

    def _text_end(self, position: int, end: int, number: int, indent: int) -> int:
        """The end of text without quotes, which goes on in lines that are indented deeper and have no key."""
        found = self._plain_end(position, end)
        for below in range(number + 1, len(self.starts)):
            begin = self._skip(self.starts[below], self.ends[below])
            if begin == self.ends[below]:
                continue
            is_inside = begin - self.starts[below] > indent and self.text[begin] != "#"
            has_comment = self._skip(found, self.ends[number]) != self.ends[number]
            if not is_inside or has_comment or self._key(begin, self.ends[below]):
                break
            found, number = self._plain_end(begin, self.ends[below]), below
        return found

    def _quoted_end(self, position: int, number: int, indent: int) -> int:
        """The end of quoted text; one that is left open ends with its line."""
        most = min(len(self.text), position + MAX_SCALAR)
        quoted = _QUOTED[self.text[position]].match(self.text, position, most)
        if quoted:
            below = range(number + 1, self.line_of(quoted.end()) + 1)
            if all(self._is_deeper(line, indent) for line in below):
                return quoted.end()
        return position + len(self.text[position : self.ends[number]].rstrip())

    def _is_deeper(self, number: int, indent: int) -> bool:
        """Whether a line is indented more than that, or empty."""
        begin = self._skip(self.starts[number], self.ends[number])
        return begin == self.ends[number] or begin - self.starts[number] > indent

    def _long_text(self, position: int, entry: Entry, number: int, indent: int) -> int:
        last = number
        while last + 1 < len(self.starts) and self._is_deeper(last + 1, indent):
            last += 1
        entry.kind, entry.end = "long text", self.ends[last]
        self._spot(position, entry.end, "value", entry.path, is_word=True)
        return last + 1

    # Brackets

    def _brackets(self, position: int, entry: Entry, indent: int) -> int:
        """What begins with a bracket, up to the one that closes it or the first line that cannot be inside."""
        text, start = self.text, position
        open_: list[_Flow] = []
        while True:
            position, has_ended = self._gap(position, indent)
            sign = text[position : position + 1]
            if has_ended or not sign:
                break
            if sign in "[{":
                position = self._opened(position, open_, entry)
            elif sign in "]}":
                position = self._closed(position, open_)
                if not open_:
                    break
            elif sign == ",":
                position = self._comma(position, open_)
            elif sign == "#" and text[position - 1] in " \t\r\n,[{":
                end = self.ends[self.line_of(position)]
                self._spot(position, end, "", ())
                resumed = self.spots[-2]
                position = end
                self._spot(end, None, resumed.role, resumed.path, is_flow=True)
            else:
                position = self._word(position, open_, indent)
        end = self._before(position, start)
        for flow in open_:
            flow.entry.end = max(flow.entry.end, end)
        line = self.line_of(position)
        if position == len(text) and open_:
            return line + 1
        self._spot(position, position if open_ else self.ends[line], "", ())
        return line + (not open_)

    def _before(self, position: int, start: int) -> int:
        """The end of the text before a position, from `start` on."""
        return start + len(self.text[start:position].rstrip())

    def _gap(self, position: int, indent: int) -> tuple[int, bool]:
        """The next place with text in it; where that is in a line outside of the brackets, the start of the line."""
        found = _GAP.match(self.text, position).end()  # type: ignore[union-attr]
        if found == len(self.text):
            return found, True
        line = self.line_of(found) if "\n" in self.text[position:found] or "\r" in self.text[position:found] else -1
        is_outside = line >= 0 and found - self.starts[line] <= indent and self.text[found] not in "]}"
        return (self.starts[line], True) if is_outside else (found, False)

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
            self.entries.append(flow.current)
        return flow.current

    def _room(self, position: int, flow: _Flow) -> None:
        """From here on there may be a key, or an item."""
        if flow.is_list:
            self._spot(position, None, "value", (*flow.path, flow.count), is_flow=True)
        else:
            self._spot(position, None, "key", flow.path, is_flow=True)

    def _closed(self, position: int, open_: list[_Flow]) -> int:
        flow = open_.pop()
        if flow.is_pair:
            flow.entry.end = self._before(position, flow.entry.start)
            flow = open_.pop()
        flow.entry.end = position + 1
        self._spot(position + 1, None, "", (), is_flow=True)
        return position + 1

    def _comma(self, position: int, open_: list[_Flow]) -> int:
        if open_[-1].is_pair:
            pair = open_.pop()
            pair.entry.end = self._before(position, pair.entry.start)
        open_[-1].current = None
        open_[-1].count += 1
        self._room(position + 1, open_[-1])
        return position + 1

    def _word(self, position: int, open_: list[_Flow], indent: int) -> int:
        """A word in brackets: a key, an item, or a value."""
        flow, first = open_[-1], self.text[position]
        if first == ":" and _FLOW_COLON.match(self.text, position):  # of a key that is nothing, or in brackets itself
            self._spot(position + 1, None, "value", flow.current.path if flow.current else flow.path, is_flow=True)
            return position + 1
        if first in _QUOTED:
            end, colon = self._quoted_end(position, self.line_of(position), indent), _QUOTED_COLON
        else:
            found = _FLOW_WORD.match(self.text, position)
            end, colon = (found.end() if found else position + 1), _FLOW_COLON
        after = colon.match(self.text, end)
        if after and (flow.is_list or flow.current is None):
            return self._flow_key(position, end, after.end(), open_)
        is_key = not flow.is_list and flow.current is None
        entry = self._place_in(flow, position) if not is_key else self._next(flow, position, end)
        if not is_key:
            entry.start = entry.start if entry.kind != "nothing" else position
            entry.kind, entry.end = "quoted" if first in _QUOTED else "text", end
        path = flow.path if is_key else entry.path
        self._spot(position, end, "key" if is_key else "value", path, is_word=True, is_flow=True)
        self._spot(end, None, "", (), is_flow=True)
        return end

    def _flow_key(self, start: int, end: int, after: int, open_: list[_Flow]) -> int:
        flow = open_[-1]
        if flow.is_list:
            item = self._next(flow, start, start)
            item.kind, item.start = "mapping", start
            flow = _Flow(item.path, item, is_list=False, is_pair=True)
            open_.append(flow)
        entry = self._next(flow, start, end)
        self._spot(start, end, "key", flow.path, is_word=True, is_flow=True)
        self._spot(after, None, "value", entry.path, is_flow=True)
        return after
