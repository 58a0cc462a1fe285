"""The names that `from:`, `each:`, `share:` and `outputs:` can use, and the nodes that they mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from archdsl.diagnostics.wording import did_you_mean
from archdsl.frontend.sections import STAGES
from archdsl.frontend.sema.spec import NetworkSpec, PartSpec
from archdsl.ir.node import Node

INPUT = "input"

Level = tuple[str, Node]
"""A node, and what it is called among the results of a layer that ran once for each of several; else empty: `n3`."""


def full_names(name: str, part: str, sections: Iterable[str]) -> list[str]:
    """The full names that `name` may mean to a layer of `part`: in it, its own, in one of `sections`."""
    own = [f"{part}_{name}"] if part else []
    return [*own, name, *[f"{section}_{name}" for section in sections]]


class Scope:
    """Results so far, by full name; a layer that ran once for each of several has all of them, in order.

    `runs` holds every repeat of each layer, of which others may share the weights. `guesses` stand for all results of
    layers that are wrong.
    """

    def __init__(self, spec: NetworkSpec):
        self.spec = spec
        self.results: dict[str, list[Level]] = {}
        self.runs: dict[str, list[Node]] = {}
        self.guesses: dict[str, Node] = {}
        self._sections = [part.name for part in reversed(spec.parts) if not part.is_stage]
        self.layers = {layer.name for layer in spec.layers}
        self.names = self.layers | {part.name for part in spec.parts}
        asked = [self.full_names(name, part) for part in spec.parts for layer in part.layers for name in layer.reads]
        asked += [self.full_names(output.source) for output in spec.outputs]
        known = {*self.names, INPUT}
        inner = {full for names in asked if known.isdisjoint(names) for full in names}
        self._around = {full[:at] for full in inner for at, letter in enumerate(full) if letter == "_"}

    def full_names(self, name: str, part: PartSpec | None = None) -> list[str]:
        """The full names that `name` may mean: in the same part, its own, in a section; the last section first."""
        return full_names(name, part.name if part else "", self._sections)

    def define(self, name: str, levels: Sequence[Level]) -> None:
        """The results of a layer or part, of which each is known under its own name too."""
        self.results[name] = list(levels)
        if levels[0][0]:
            self.results.update({f"{name}_{suffix}": [("", node)] for suffix, node in levels})

    def full_name(self, name: str, part: PartSpec | None = None) -> str:
        """The full name that `name` means to a layer of `part`; empty where there is none, or not yet."""
        return next((full for full in self.full_names(name, part) if full in self.results), "")

    def find(self, name: str, part: PartSpec | None = None) -> list[Level]:
        """The results that `name` means to a layer of `part`; none for a name that does not exist, or not yet."""
        full = self.full_name(name, part)
        if full:
            return self.results[full]
        names = self.full_names(name, part)
        guessed = [guess for layer, guess in self.guesses.items() for full in names if full.startswith(f"{layer}_")]
        return [("", guess) for guess in guessed[:1]]

    def is_asked_inside(self, name: str) -> bool:
        """Whether anything reads a node inside of the block called `name`."""
        return name in self._around

    @property
    def known(self) -> list[str]:
        """All names so far, without those of parts that have no layer."""
        empty = {part.name for part in self.spec.parts if not part.layers}
        return [name for name in self.results if name not in empty]

    def did_you_mean(self, name: str) -> str:
        """A hint with the nearest names, those of layers of a section also without that of the section."""
        short = [full.removeprefix(f"{section}_") for full in self.known for section in self._sections]
        return did_you_mean(name.removeprefix(f"{STAGES.name}."), dict.fromkeys([*self.known, *short]))

    def layer_of(self, node: Node) -> str:
        """The full name of the layer, or of a run of it, that gives a node; empty for one inside of a block."""
        return next((name for name, runs in self.runs.items() if node in runs), "")

    def later(self, name: str, part: PartSpec) -> str:
        """The full name of a layer or part that is there, but has not run."""
        return next((full for full in self.full_names(name, part) if full in self.names), "")

    def behind(self, name: str) -> set[str]:
        """Names of the layers that a layer or part would be computed from, whatever the order they are written in."""
        reads: dict[str, list[str]] = {}
        before: list[str] = []
        for part in self.spec.parts:
            for layer in part.layers:
                reads[layer.name] = [full for name in layer.reads for full in self.full_names(name, part)] or before
                before = [layer.name]
            reads[part.name] = before
        found: set[str] = set()
        pending = [name]
        while pending:
            current = pending.pop()
            if current not in found:
                found.add(current)
                pending += reads.get(current, ())
        return found
