"""HDF5 in Python, as much of it as Keras writes: plain arrays in groups, with texts as attributes.

Whatever a file contains, reading it cannot crash, run for long, or take more memory than the file has bytes: every
read is checked against the file's end, and all of them together have a budget. Format: HDF5 File Format Specification
3.0, of The HDF Group.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cached_property
from math import prod
from typing import BinaryIO, NamedTuple

from archdsl.weights.formats.contents import MAX_NAME, MAX_RANK, DamagedFile, Shape
from archdsl.weights.formats.hdf5_index import Broken, dense_records, symbol_table

MAX_STRUCTURE_BYTES = 1 << 26  # an array takes about 1,000 beside its values
_LEAST_BYTES = 128  # what a read counts at least, so that many small ones are not free
_UNDEFINED = (1 << 64) - 1

_SPACE, _LINK_INFO, _TYPE, _LINK, _EXTERNAL, _LAYOUT, _ATTRIBUTE = 1, 2, 3, 6, 7, 8, 12
_CONTINUED, _SYMBOLS, _ATTRIBUTE_INFO = 16, 17, 21
_KEPT = {_SPACE, _LINK_INFO, _TYPE, _LINK, _EXTERNAL, _LAYOUT, _ATTRIBUTE, _CONTINUED, _SYMBOLS, _ATTRIBUTE_INFO}
_FLOATS = {  # precision, place and size of exponent and mantissa, bias
    (16, 10, 5, 0, 10, 15): "float16",
    (16, 7, 8, 0, 7, 127): "bfloat16",
    (32, 23, 8, 0, 23, 127): "float32",
    (64, 52, 11, 0, 52, 1023): "float64",
}
_KINDS = ("int", "float", "time", "text", "bitfield", "opaque", "compound", "reference", "enum", "texts", "array")


class File:
    """An open HDF5 file. Raises DamagedFile where it is not one, or where a part of it ends before its time."""

    def __init__(self, stream: BinaryIO):
        self._stream = stream
        self._left = MAX_STRUCTURE_BYTES
        self._objects: dict[int, Object] = {}
        self._texts: dict[int, dict[int, bytes]] = {}
        self.size = stream.seek(0, 2)

    @property
    def root(self) -> Object:
        version = self.structure(0, 64)[8]
        if version not in (0, 1, 2, 3):
            raise Broken(f"version {version} of HDF5 is not known")
        width_at, base_at = (13, 24 + 4 * version) if version < 2 else (9, 12)
        head = self.structure(0, 48 if version > 1 else base_at + 48)
        if head[width_at : width_at + 2] != b"\x08\x08" or _number(head, base_at) != 0:
            raise Broken("addresses that are not of 8 bytes, or do not count from the begin of the file")
        if _number(head, base_at + 16) > self.size:
            raise Broken(f"it has {self.size} of {_number(head, base_at + 16)} bytes")
        return self.object(_number(head, 36 if version > 1 else base_at + 40))

    def object(self, address: int) -> Object:
        """The group or array whose description begins at `address`."""
        if address not in self._objects:
            self._objects[address] = Object(self, address)
        return self._objects[address]

    def structure(self, address: int, count: int, signature: bytes = b"") -> bytes:
        """Bytes that describe something, which begin with `signature`. They are counted."""
        self.spend(max(count, _LEAST_BYTES))
        found = self.data(address, count)
        if not found.startswith(signature):
            raise Broken(f"byte {address} does not begin a {signature.decode()}")
        return found

    def spend(self, count: int) -> None:
        """Take from the bytes that all descriptions together may have."""
        self._left -= count
        if self._left < 0:
            raise Broken(f"what describes its arrays takes more than {MAX_STRUCTURE_BYTES} bytes")

    def data(self, address: int, count: int) -> bytes:
        """`count` bytes from `address` on."""
        if address + count > self.size:
            raise Broken(f"it has {self.size} of {address + count} bytes")
        self._stream.seek(address)
        found = self._stream.read(count)
        if len(found) < count:
            raise Broken("it became shorter while it was read")
        return found

    def text(self, length: int, address: int, index: int) -> bytes:
        """A text in one of the file's collections of texts."""
        if length == 0:
            return b""
        if address not in self._texts:
            self._texts[address] = dict(self._collection(address))
        return self._texts[address][index][:length]

    def _collection(self, address: int) -> Iterator[tuple[int, bytes]]:
        size = _number(self.structure(address, 16, b"GCOL"), 8)
        collection, at = self.structure(address, size), 16
        while at + 16 <= size:
            index, length = struct.unpack_from("<H6xQ", collection, at)
            if index == 0:  # the space that is left
                return
            yield index, collection[at + 16 : at + 16 + length]
            at += 16 + _padded(length)


class Type(NamedTuple):
    """Kind of value (float32, int64, text: of `size` bytes, texts: anywhere in the file), and its byte order."""

    kind: str
    size: int
    order: str = "<"


class Attribute(NamedTuple):
    """A value beside an array or group: texts, for all that matters here."""

    type: Type
    shape: Shape
    data: bytes

    def texts(self, file: File, most: int = MAX_NAME) -> list[str]:
        """Raises DamagedFile where it has something else, or a longer one. An empty list is of any type."""
        if 0 in self.shape:
            return []
        if self.type.kind not in ("text", "texts"):
            raise Broken(f"an attribute is of {self.type.kind}; expected text")
        size = self.type.size
        if prod(self.shape) * size > len(self.data) or size == 0:
            raise Broken("an attribute has more texts than bytes")
        file.spend(_LEAST_BYTES * prod(self.shape))
        parts = [self.data[at : at + size] for at in range(0, prod(self.shape) * size, size)]
        if self.type.kind == "texts":
            parts = [file.text(*struct.unpack("<IQI", part)) for part in parts]
        return [name_of(part.rstrip(b"\0"), most) for part in parts]


class Object:
    """A group or an array. What is damaged is reported when it is asked for."""

    def __init__(self, file: File, address: int):
        self.file = file
        self._messages: dict[int, list[bytes]] = {}
        for kind, message in _messages(file, address):
            self._messages.setdefault(kind, []).append(message)

    @property
    def is_group(self) -> bool:
        return not self._messages.keys().isdisjoint((_LINK_INFO, _LINK, _SYMBOLS))

    @property
    def is_array(self) -> bool:
        return not self.is_group and {_SPACE, _TYPE, _LAYOUT} <= self._messages.keys()

    @cached_property
    def links(self) -> dict[str, int | None]:
        """Address of each member of a group by name, None for a link to somewhere else."""
        entries = [symbol_table(self.file, message) for message in self._messages.get(_SYMBOLS, ())]
        found = {name_of(name): address for table in entries for name, address in table}
        messages = [*self._messages.get(_LINK, ()), *self._dense(_LINK_INFO, 8, 4)]
        return found | dict(map(_link, messages))

    @cached_property
    def attributes(self) -> dict[str, Attribute]:
        messages = [*self._messages.get(_ATTRIBUTE, ()), *self._dense(_ATTRIBUTE_INFO, 2, 0)]
        return dict(map(_attribute, messages))

    @cached_property
    def shape(self) -> Shape:
        return _shape(self._messages[_SPACE][0])

    @cached_property
    def type(self) -> Type:
        return _type(self._messages[_TYPE][0])

    @property
    def is_elsewhere(self) -> bool:
        """Whether the values are in other files."""
        layout = self._messages[_LAYOUT][0]
        return _EXTERNAL in self._messages or (layout[0] == 4 and layout[1] == 3)

    def values(self) -> bytes:
        """The bytes of a plain array. Raises DamagedFile for one that is packed, or has not as many as its shape."""
        layout, expected = self._messages[_LAYOUT][0], prod(self.shape) * self.type.size
        version, kind = layout[0], layout[1]
        if version not in (3, 4) or kind not in (0, 1):
            raise DamagedFile("an array is packed or in chunks, which Keras does not write; save the model again")
        address, size = struct.unpack_from("<QQ", layout, 2) if kind else (0, _number(layout, 2, 2))
        if size != expected or (address == _UNDEFINED and size):
            raise Broken(f"an array has {0 if address == _UNDEFINED else size} bytes; expected {expected}")
        if not size:
            return b""
        return self.file.data(address, size) if kind else layout[4 : 4 + size]

    def _dense(self, info: int, order_width: int, record_at: int) -> Iterator[bytes]:
        """Messages in a heap of their own, where HDF5 puts them when there are many."""
        for message in self._messages.get(info, ()):
            at = 2 + order_width * (message[1] & 1)
            heap, index = struct.unpack_from("<QQ", message, at)
            if heap != _UNDEFINED:
                yield from dense_records(self.file, heap, index, record_at)


def _messages(file: File, address: int) -> Iterator[tuple[int, bytes]]:
    """What describes an object, part by part."""
    head = file.structure(address, 16)
    if head[:4] == b"OHDR":
        flags, begin = head[5], 6 + 16 * (head[5] >> 5 & 1) + 4 * (head[5] >> 4 & 1)
        width = 1 << (flags & 3)
        blocks = [(address + begin + width, _number(file.structure(address + begin, width), 0, width))]
        new, extra, begin, end = True, 2 * (flags >> 2 & 1), 4, 4
    elif head[0] == 1:
        blocks = [(address + 16, _number(head, 8, 4))]
        new, extra, begin, end = False, 0, 0, 0
    else:
        raise Broken(f"byte {address} does not begin a group or an array")
    for place, size in blocks:  # which grow
        is_first = place == blocks[0][0]
        block = file.structure(place, size, b"" if is_first or not new else b"OCHK")
        inner = block if is_first else block[begin : len(block) - end]
        for kind, message in _parts(inner, new, extra):
            if kind == _CONTINUED:
                blocks.append(struct.unpack_from("<QQ", message))
            else:
                yield kind, message


def _parts(block: bytes, new: bool, extra: int) -> Iterator[tuple[int, bytes]]:
    at, layout, head = 0, "<BHB" if new else "<HHB", (4 + extra) if new else 8
    while at + head <= len(block):
        kind, size, flags = struct.unpack_from(layout, block, at)
        message = block[at + head : at + head + size]
        if kind in _KEPT:
            if flags & 2:
                raise DamagedFile("a description is shared between arrays, which Keras does not write")
            yield kind, message
        at += head + size


def _link(message: bytes) -> tuple[str, int | None]:
    flags, at, kind = message[1], 2, 0
    if flags & 8:
        kind, at = message[at], at + 1
    at += 8 * (flags >> 2 & 1) + (flags >> 4 & 1)
    width = 1 << (flags & 3)
    length = _number(message, at, width)
    at += width
    name = name_of(message[at : at + length])
    return name, _number(message, at + length) if kind == 0 else None


def _attribute(message: bytes) -> tuple[str, Attribute]:
    version, flags, *sizes = struct.unpack_from("<BBHHH", message)
    if version not in (1, 2, 3) or (version > 1 and flags & 3):
        raise DamagedFile("an attribute of a kind that Keras does not write")
    at, parts = 8 + (version == 3), []
    for size in sizes:
        parts.append(message[at : at + size])
        at += _padded(size) if version == 1 else size
    name, kind, space = parts
    return name_of(name.partition(b"\0")[0]), Attribute(_type(kind), _shape(space), message[at:])


def _shape(message: bytes) -> Shape:
    version, rank = message[0], message[1]
    if version not in (1, 2) or rank > MAX_RANK or (version == 2 and message[3] == 2):
        raise Broken("an array without a shape")
    return struct.unpack_from(f"<{rank}Q", message, 8 if version == 1 else 4)


def _type(message: bytes) -> Type:
    kind, flags, size = message[0] & 15, message[1], _number(message, 4, 4)
    name = _KINDS[kind] if kind < len(_KINDS) else "unknown"
    if name == "int" and size in (1, 2, 4, 8):
        name = f"{'' if flags & 8 else 'u'}int{8 * size}"
    if name == "float":
        precision, *places = struct.unpack_from("<2xHBBBBI", message, 8)
        is_plain = precision == 8 * size and not flags & 64  # else it is a VAX's
        name = _FLOATS.get((precision, *places), "float") if is_plain else "float"
    if name == "bfloat16" and flags & 1:
        name = "float"
    if name == "texts" and (flags & 15 != 1 or size != 16):
        name = "list"
    return Type(name, size, ">" if flags & 1 else "<")


def _number(data: bytes, at: int, width: int = 8) -> int:
    if at + width > len(data):
        raise Broken("a description ends before its time")
    return int.from_bytes(data[at : at + width], "little")


def _padded(size: int) -> int:
    return -(-size // 8) * 8


def name_of(data: bytes, most: int = MAX_NAME) -> str:
    """A name, or another text, in UTF-8."""
    if len(data) > most:
        raise Broken(f"a text of {len(data)} bytes; expected at most {most}")
    return data.decode()
