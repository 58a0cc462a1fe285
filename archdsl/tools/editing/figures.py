"""The cost of each entry of a config (section, stage, layer) by key path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from archdsl.analysis.report import Report
from archdsl.analysis.text import count_text, shape_text
from archdsl.frontend.sections import part_of
from archdsl.frontend.source import KeyPath
from archdsl.ir.node import Node


class Figures(NamedTuple):
    """The summed costs of an entry. `shape` is the shape of its last result; empty for a section, which has several.

    `macs` is None where they are not known.
    """

    shape: tuple[int | None, ...] = ()
    params: int = 0
    macs: int | None = 0

    def __str__(self) -> str:
        return " · ".join(
            filter(None, [shape_text(self.shape), _count(self.params, "params"), _count(self.macs, "MACs")])
        )

    def change(self, before: Figures) -> str:
        """The difference from `before`, `+1.20 M params · -3.40 G MACs`; empty where there is none."""
        shape = f"was {shape_text(before.shape)}" if self.shape != before.shape else ""
        macs = "" if self.macs is None or before.macs is None else difference(self.macs - before.macs, "MACs")
        return " · ".join(filter(None, [shape, difference(self.params - before.params, "params"), macs]))


def _count(count: int | None, noun: str) -> str:
    return f"{count_text(count)} {noun}" if count else ""


def difference(count: int, noun: str) -> str:
    """`+1.20 M params`; empty where there is none."""
    return f"{'+' if count > 0 else '-'}{count_text(abs(count))} {noun}" if count else ""


def figures_of(report: Report) -> dict[KeyPath, Figures]:
    """The figures of every section, stage and layer that has operations."""
    found: dict[KeyPath, Figures] = {}
    for node in report.outline.nodes:
        for path, shape in _entries(node):
            before = found.get(path, Figures())
            macs = None if before.macs is None or node.macs is None else before.macs + node.macs
            found[path] = Figures(shape, before.params + node.params, macs)
    return found


def _entries(node: Node) -> Iterator[tuple[KeyPath, tuple[int | None, ...]]]:
    """The entries a node belongs to: its layer, its stage, its section."""
    layer: KeyPath = tuple(node.origin.path.split("."))
    yield layer, node.type.shape
    stage = part_of(layer)
    if len(stage) > 1:
        yield stage, node.type.shape
    if len(layer) > 1:
        yield layer[:1], ()
