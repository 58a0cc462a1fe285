"""Which operators of a file stay in float32 where the others compute in int8, whatever the format."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence
from typing import NamedTuple

from archdsl.backends.form import FIRST, LAST
from archdsl.diagnostics.problems import fail
from archdsl.diagnostics.wording import did_you_mean


class Operator(NamedTuple):
    """A step of a file: the layers that it computes, the values that it reads and makes, if it has a kernel."""

    name: str
    layers: Collection[str]
    inputs: Collection[Hashable]
    results: Collection[Hashable]
    has_kernel: bool


def leading(operators: Sequence[Operator]) -> set[str]:
    """Names of those whose results lead to a kernel."""
    return _connected([each._replace(inputs=each.results, results=each.inputs) for each in reversed(operators)])


def _following(operators: Sequence[Operator]) -> set[str]:
    """Names of those that a kernel's result leads to."""
    return _connected(operators)


def _connected(operators: Iterable[Operator]) -> set[str]:
    reached, found = set[Hashable](), set[str]()
    for each in operators:
        if not reached.isdisjoint(each.inputs):
            found.add(each.name)
            reached.update(each.results)
        if each.has_kernel:
            reached.update(each.results)
    return found


def kept(operators: Sequence[Operator], keep: Iterable[str]) -> set[str]:
    """Names of those that stay in float32: layers by the beginning of their names, the first and the last kernels.

    Raises ArchError for a layer that is not there, and where no kernel is left to compute in int8.
    """
    ends = {FIRST: _following, LAST: leading}
    found: set[str] = set()
    for each in map(str.lower, keep):
        if each in ends:
            inside = ends[each](operators)
            found.update(each.name for each in operators if each.has_kernel and each.name not in inside)
        else:
            found.update(_named(each, operators))
    if all(each.name in found for each in operators if each.has_kernel):
        raise fail("export", "nothing is left to compute in int8", hint="keep fewer layers in float32")
    return found


def _named(layer: str, operators: Sequence[Operator]) -> list[str]:
    """Names of the operators of a layer, and of those whose names begin with its. Raises ArchError for none."""
    begin = layer.removeprefix("stages.").replace(".", "_")
    found = [each.name for each in operators if any(f"{own}_".startswith(f"{begin}_") for own in each.layers)]
    if not found:
        known = {part for each in operators for own in each.layers for part in _beginnings(own)}
        raise fail("export", f"no layer '{layer}' to keep in float32", hint=did_you_mean(begin, [*known, FIRST, LAST]))
    return found


def _beginnings(name: str) -> list[str]:
    """stem, stem_conv, … of stem_conv_act."""
    parts = name.split("_")
    return ["_".join(parts[:count]) for count in range(1, len(parts) + 1)]
