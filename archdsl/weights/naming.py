"""The name and the place of each node's layer in a weights file, under any scheme of names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from archdsl.weights.formats.contents import Layout


class Row(NamedTuple):
    """A node and the layer that a file keeps its arrays in: `sublayer` is the path to it inside layer `owner`.

    `kind` is the owner's class as paths write it, `created` sorts sublayers as they were made.
    """

    node: str
    owner: str
    kind: str
    sublayer: str = ""
    created: tuple[int, ...] = ()
    container: str = "layers"


class Slot(NamedTuple):
    """The name of a node's layer in a file, and its place among the others."""

    node: str
    name: str
    place: str


class Scheme(NamedTuple):
    """A way to write the weights of a model: rows in the order in which Keras lists the layers."""

    title: str
    rows: tuple[Row, ...]

    def slots(self, layout: Layout) -> list[Slot]:
        """Names and places in a file of this layout, with the sublayers of a layer in the order they were made."""
        by_owner = [list(rows) for _, rows in groupby(_gathered(self.rows), key=lambda row: row.owner)]
        if layout == "nodes":
            return [Slot(row.node, row.node, row.node) for rows in by_owner for row in rows]
        return list(_paths(by_owner) if layout == "paths" else _listed(by_owner))


def _gathered(rows: Iterable[Row]) -> list[Row]:
    """Rows of one owner together, owners where they came first."""
    first: dict[str, int] = {}
    for row in rows:
        first.setdefault(row.owner, len(first))
    return sorted(rows, key=lambda row: (first[row.owner], row.created))


def _paths(by_owner: Iterable[list[Row]]) -> Iterator[Slot]:
    """layers/conv2d, layers/conv2d_1, …: Keras counts the layers of each class."""
    counts: dict[str, int] = {}
    for rows in by_owner:
        container = f"{rows[0].container}/{rows[0].kind}"
        number = counts[container] = counts.get(container, -1) + 1
        for row in rows:
            inner = f"/{row.sublayer}" if row.sublayer else ""
            yield Slot(row.node, f"{row.owner}{inner}", f"{numbered(container, number)}{inner}")


def _listed(by_owner: Iterable[list[Row]]) -> Iterator[Slot]:
    for number, rows in enumerate(by_owner):
        for index, row in enumerate(rows):
            inner = f"/{index}" if len(rows) > 1 else ""
            yield Slot(row.node, f"{row.owner}{inner}", f"{number}{inner}")


def numbered(name: str, number: int) -> str:
    """The name that Keras gives the layer after `number` others of its class."""
    return f"{name}_{number}" if number else name


def snake_case(name: str) -> str:
    """BatchNormalization → batch_normalization, Conv2D → conv2d: a class as Keras writes it in a path."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
