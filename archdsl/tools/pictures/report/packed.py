"""Many texts that are much alike, in little room: compressed together, so that each is said by what differs."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from math import inf
from typing import NamedTuple

TOGETHER = 32
"""Texts in a stream, which is opened as a whole."""
PIECE = 8_000  # bytes: zlib sees what is at most 32 KiB before


class Stream(NamedTuple):
    """Some texts: the bytes of each in UTF-8, and zlib of a piece of each in turn, then of the next; in base64."""

    sizes: list[int]
    data: str


def streams_of(texts: Iterable[str], room: float = inf) -> Iterator[Stream]:
    """The first of the texts, as many as there is room for, in characters. `packed.js` reads them."""
    remaining: Iterator[bytes] = map(str.encode, texts)
    size = TOGETHER
    while size and (group := list(islice(remaining, size))):
        stream = _stream(group)
        if len(stream.data) <= room:
            yield stream
            room -= len(stream.data)
        else:  # fewer may fit
            remaining, size = chain(group, remaining), size // 2


def _stream(texts: Sequence[bytes]) -> Stream:
    sizes = [*map(len, texts)]
    pieces = [text[begin : begin + PIECE] for begin in range(0, max(sizes), PIECE) for text in texts]
    return Stream(sizes, base64.b64encode(zlib.compress(b"".join(pieces), 9)).decode())
