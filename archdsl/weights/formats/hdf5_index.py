"""How an HDF5 file finds things by name: trees and heaps, in the form of before HDF5 1.8 and in that of since.

A tree is walked downwards, its levels counted, so that a link back into it ends.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from archdsl.weights.formats.contents import DamagedFile

_SOFT = 2


class Structures(Protocol):
    """The bytes of an HDF5 file."""

    def structure(self, address: int, count: int, signature: bytes = b"") -> bytes:
        """Bytes that describe something, which begin with `signature`. Raises DamagedFile where they do not."""


class Broken(DamagedFile):
    """A part of the file that makes no sense."""

    def __init__(self, fact: str):
        super().__init__(f"damaged or cut short: {fact}")


def symbol_table(file: Structures, message: bytes) -> Iterator[tuple[bytes, int | None]]:
    """Name and address of each member of a group of the old form, None for a link to elsewhere."""
    tree, heap = struct.unpack_from("<QQ", message)
    size, begin = struct.unpack_from("<8xQ8xQ", file.structure(heap, 32, b"HEAP"))
    names = file.structure(begin, size)
    for address in _leaves(file, tree):
        count = struct.unpack_from("<6xH", file.structure(address, 8, b"SNOD"))[0]
        for name_at, target, kind in struct.iter_unpack("<QQI20x", file.structure(address + 8, 40 * count)):
            yield names[name_at : names.index(b"\0", name_at)], None if kind == _SOFT else target


def _leaves(file: Structures, address: int, above: int = 256) -> Iterator[int]:
    """Addresses below a node of a tree of version 1, all of whose children are one level lower."""
    kind, level, count = struct.unpack_from("<4xBBH", file.structure(address, 24, b"TREE"))
    if kind != 0 or level >= above:
        raise Broken("a group's tree is not one")
    for (child,) in struct.iter_unpack("<8xQ", file.structure(address + 24, 16 * count)):
        if level:
            yield from _leaves(file, child, level)
        else:
            yield child


def dense_records(file: Structures, heap_address: int, tree_address: int, id_at: int) -> Iterator[bytes]:
    """What the records of a tree of version 2 stand for in a heap; an identity begins at byte `id_at` of each."""
    heap = _Heap.at(file, heap_address)
    for record in _records(file, tree_address):
        yield heap.get(file, record[id_at : id_at + heap.id_size])


def _records(file: Structures, address: int) -> Iterator[bytes]:
    node_size, size, depth, root, count = struct.unpack_from("<6xIHH2xQH", file.structure(address, 38, b"BTHD"))
    if size < 1 or node_size < 10 + size or depth > 8:
        raise Broken("an index is not one")
    most = (node_size - 10) // size
    count_width, below, totals = _width(most), most, [0]  # bytes that say how many records are below each level
    for _ in range(depth):
        pointer = 8 + count_width + totals[-1]
        here = max(0, (node_size - 10 - pointer) // (size + pointer))
        below = (here + 1) * below + here
        totals.append(_width(below))
    yield from _node(file, root, depth, count, size, count_width, totals)


def _node(
    file: Structures, address: int, depth: int, count: int, size: int, count_width: int, totals: list[int]
) -> Iterator[bytes]:
    """The records of a node and of all below it."""
    records = file.structure(address, 6 + count * size, b"BTIN" if depth else b"BTLF")[6:]
    yield from (records[at : at + size] for at in range(0, count * size, size))
    if depth:
        pointer = 8 + count_width + totals[depth - 1]
        children = file.structure(address + 6 + count * size, (count + 1) * pointer)
        for at in range(0, len(children), pointer):
            child = int.from_bytes(children[at : at + 8], "little")
            found = int.from_bytes(children[at + 8 : at + 8 + count_width], "little")
            yield from _node(file, child, depth - 1, found, size, count_width, totals)


class _Heap(NamedTuple):
    """A fractal heap: blocks in rows of `width`, each row from the second on of blocks twice as large."""

    id_size: int
    offset_size: int
    length_size: int
    width: int
    smallest: int
    largest: int
    root: int
    rows: int

    @classmethod
    def at(cls, file: Structures, address: int) -> _Heap:
        id_size, filters, managed = struct.unpack_from("<5xHHxI", head := file.structure(address, 142, b"FRHP"))
        width, smallest, largest, bits, _, root, rows = struct.unpack_from("<HQQHHQH", head, 110)
        if filters or not width or not _is_power(smallest) or not _is_power(largest) or bits > 64:
            raise DamagedFile("a heap of a kind that Keras does not write")
        length_size = min((largest.bit_length() + 6) // 8, _width(managed))
        return cls(id_size, (bits + 7) // 8, length_size, width, smallest, largest, root, rows)

    def get(self, file: Structures, identity: bytes) -> bytes:
        if len(identity) < 1 + self.offset_size + self.length_size or identity[0] >> 4:
            raise DamagedFile("a description of a size that Keras does not write")
        offset = int.from_bytes(identity[1 : 1 + self.offset_size], "little")
        length = int.from_bytes(identity[1 + self.offset_size :][: self.length_size], "little")
        if self.rows == 0:
            return file.structure(self.root + offset, length)
        return file.structure(self._address(file, self.root, offset), length)

    def _address(self, file: Structures, block: int, offset: int) -> int:
        """Where byte `offset` of what an indirect block spans stands in the file."""
        row = (offset // (self.width * self.smallest)).bit_length()
        size = self.smallest << max(0, row - 1)
        begin = self.width * size if row else 0
        column = (offset - begin) // size
        entry = block + 13 + self.offset_size + 8 * (row * self.width + column)
        child = int.from_bytes(file.structure(entry, 8), "little")
        inner = offset - begin - column * size
        return child + inner if size <= self.largest else self._address(file, child, inner)


def _width(number: int) -> int:
    """Bytes that a number up to this one takes in the file."""
    return (max(number, 1).bit_length() - 1) // 8 + 1


def _is_power(number: int) -> bool:
    return number.bit_count() == 1
