"""What a space may ask of a network. A figure is the largest of some sums, whose terms belong to entries of the config.

The parameters of a network are one sum, a term for each layer. The memory of its activations is as much as its most
demanding layer needs: for each layer a sum of its own values and of those that are held while it runs. A term depends
on few choices, which is what makes sums over tables exact (see archdsl.tools.search.tables).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from math import inf, nan
from typing import Any, NamedTuple

from archdsl.analysis.memory import FLOAT_BYTES, by_layer
from archdsl.analysis.report import Report
from archdsl.analysis.roofline import Machine, seconds_by_layer
from archdsl.diagnostics.wording import describe, did_you_mean, one_of
from archdsl.ir.node import Node

ALWAYS = ("params", "trainable_params", "macs", "activation_bytes")
"""Figures that every row of results has."""
_OF_AN_OUTPUT = ("channels", "stride", "receptive_field")
_OUTPUT = re.compile(rf"outputs\.(\w{{1,64}})\.({'|'.join(_OF_AN_OUTPUT)})")


class Term(NamedTuple):
    """A part of a figure: which sum it belongs to, and its name in it."""

    figure: str
    sum: str
    name: str


Terms = Mapping[Term, float]


def _of_nodes(value: Callable[[Report, Node], float], figure: str, report: Report) -> Iterator[tuple[Term, float]]:
    """A term for each entry of the config: that of all its operations."""
    found: dict[str, float] = {}
    for node in report.outline.nodes:
        path = node.origin.path
        found[path] = found.get(path, 0) + value(report, node)
    for path, amount in found.items():
        if amount:
            yield Term(figure, "", path), amount


def _of_memory(figure: str, report: Report) -> Iterator[tuple[Term, float]]:
    for layer, moment in by_layer(report.graph).items():
        yield Term(figure, layer, layer), moment.own
        for path, size in moment.held.items():
            yield Term(figure, layer, f"{path} held"), size


def _of_output(name: str, key: str, figure: str, report: Report) -> Iterator[tuple[Term, float]]:
    """NaN, which is within no budget, for an output that the network does not have."""
    info = report.outputs.get(name)
    value: Any = nan if info is None else getattr(info, key)
    yield Term(figure, "", ""), float(inf if value is None else value)


def _of_time(machine: Machine | None, figure: str, report: Report) -> Iterator[tuple[Term, float]]:
    if machine is None:
        raise ValueError("the time of a network on no machine")  # a space that asks for it has one
    for path, seconds in seconds_by_layer(report.fused, machine).items():
        yield Term(figure, "", path), round(1000 * seconds * _STEPS) / _STEPS


_FIGURES: Mapping[str, Callable[[Report, Node], float]] = {
    "params": lambda report, node: node.params,
    "trainable_params": lambda report, node: 0 if report.outline.is_frozen(node) else node.trained,
    "macs": lambda report, node: node.cost.known_macs,
    "flops": lambda report, node: 2 * node.cost.known_macs,
    "activation_bytes": lambda report, node: FLOAT_BYTES * node.cost.activations,
    "file_bytes": lambda report, node: FLOAT_BYTES * node.params,
}
_WHOLE = (*_FIGURES, "activation_memory")
LATENCY = "latency_ms"
NAMES = (*_WHOLE, LATENCY)
_STEPS = 2**20
"""Of a millisecond: as multiples of one, times add up to the same in any order."""


def check_figure(figure: Any) -> tuple[str, str]:
    """Why there is no such figure, and a hint; two empty texts where there is one."""
    if not isinstance(figure, str):
        return f"got {describe(figure)}; expected the name of a figure; {one_of(NAMES)}", ""
    if figure in NAMES or _OUTPUT.fullmatch(figure):
        return "", ""
    hint = did_you_mean(figure, NAMES) or f"of an output, write outputs.P3.{_OF_AN_OUTPUT[0]}"
    return f"there is no figure '{figure}'; {one_of(NAMES)}, outputs.NAME.({'|'.join(_OF_AN_OUTPUT)})", hint


def is_whole(figure: str) -> bool:
    """Whether its terms are whole numbers."""
    return figure in _WHOLE


def terms_of(figures: Iterable[str], report: Report, machine: Machine | None = None) -> dict[Term, float]:
    """The terms of all figures of a network, at a known image size; `machine` is for its time."""
    return dict(term for figure in figures for term in _terms(figure, machine)(figure, report))


def _terms(figure: str, machine: Machine | None) -> Callable[[str, Report], Iterator[tuple[Term, float]]]:
    if figure == LATENCY:
        return partial(_of_time, machine)
    if figure == "activation_memory":
        return _of_memory
    if figure in _FIGURES:
        return partial(_of_nodes, _FIGURES[figure])
    _, name, key = figure.split(".")
    return partial(_of_output, name, key)


def value_of(figure: str, report: Report, machine: Machine | None = None) -> float:
    """The value of a figure of a network: its largest sum."""
    if figure in _FIGURES:
        return sum([_FIGURES[figure](report, node) for node in report.outline.nodes])
    if figure == "activation_memory":
        return report.activation_memory or 0
    return total(figure, terms_of([figure], report, machine))


def total(figure: str, terms: Terms) -> float:
    """The value of a figure: its largest sum."""
    sums: dict[str, float] = {}
    for term, value in terms.items():
        if term.figure == figure:
            sums[term.sum] = sums.get(term.sum, 0) + value
    return max(sums.values(), default=0)
