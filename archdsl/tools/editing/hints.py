"""Figures beside the text of a config: the cost of every stage and layer, and the totals at the top."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from archdsl.analysis.report import Report
from archdsl.analysis.text import count_text, shape_text
from archdsl.frontend.source import KeyPath
from archdsl.tools.editing.document import Document
from archdsl.tools.editing.figures import Figures, difference, figures_of

_STALE = "of the last text without a mistake"


class Inlay(NamedTuple):
    """A text shown after an entry, or after its key if the entry spans several lines.

    `path` is that of the entry; `change` is what differs from the saved file, empty for nothing.
    """

    line: int
    column: int
    path: KeyPath
    text: str
    change: str
    tooltip: str


class Lens(NamedTuple):
    """A text shown above a line."""

    line: int
    title: str


def inlays(document: Document, saved: Document | None = None) -> list[Inlay]:
    """The figures of every section, stage and layer in the text, and how they differ from `saved`.

    While the text is broken they are those of the last one that was not.
    """
    report = document.last_good
    if report is None:
        return []
    now, before = figures_of(report), saved.figures if saved and saved.report else None
    note = "" if document.report else _STALE
    found = [
        _inlay(document, path, figures, before, note)
        for path, figures in now.items()
        if path in document.index.entries and str(figures)
    ]
    return sorted(found, key=lambda each: (each.line, each.column))


def _inlay(
    document: Document, path: KeyPath, figures: Figures, before: Mapping[KeyPath, Figures] | None, note: str
) -> Inlay:
    change = "" if before is None else figures.change(before[path]) if path in before else "new"
    text = f"{figures} ({change})" if change else str(figures)
    return Inlay(*_after(document, path), path, text, change, note)


def _after(document: Document, path: KeyPath) -> tuple[int, int]:
    """The place after an entry on one line, else after its key and colon."""
    index = document.index
    key, value = index.key_range(path), index.value_range(path)
    assert key
    if value and value.line == key.end_line == value.end_line and index.entries[path].kind != "nothing":
        return value.end_line, value.end_column
    return key.end_line, key.end_column + 1


def lenses(document: Document, saved: Document | None = None) -> list[Lens]:
    """The totals, above the first line: parameters, MACs, the change since `saved`, and whether `expect` is met."""
    report = document.last_good
    if report is None:
        return []
    before = saved.report if saved else None
    parts = [*_totals(report), *_changes(report, before), *_promises(document)]
    return [Lens(1, " · ".join([*parts, *([] if document.report else [_STALE])]))]


def _totals(report: Report) -> Iterator[str]:
    yield f"{report.params:,} parameters"
    if report.macs is not None:
        yield f"{count_text(report.macs)} MACs"
    yield shape_text(report.input_shape)


def _changes(report: Report, before: Report | None) -> Iterator[str]:
    if before is None:
        return
    macs = 0 if report.macs is None or before.macs is None else report.macs - before.macs
    changes = [difference(report.params - before.params, "params"), difference(macs, "MACs")]
    if any(changes):
        yield f"since saved: {', '.join(filter(None, changes))}"


def _promises(document: Document) -> Iterator[str]:
    """Whether the figures meet the text's `expect`."""
    if document.config is None or document.report is None or ("expect",) not in document.index.entries:
        return
    missed = [
        each.path.removeprefix("expect.").removesuffix(".within") for each in document.problems if each.code == "expect"
    ]
    yield f"expect: {', '.join(missed)} missed" if missed else "expect met"
