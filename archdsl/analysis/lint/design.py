"""What a check is handed, the design and the question, and what it answers: findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

from archdsl.diagnostics.problems import Mark
from archdsl.diagnostics.unicode import printable
from archdsl.frontend.budget import DEFAULT, Budget
from archdsl.frontend.compose.config import Config
from archdsl.frontend.compose.search_path import config_root
from archdsl.frontend.lower import compile_graph
from archdsl.frontend.sections import OPEN_ENDED, default_of, part_of
from archdsl.frontend.sema.composite import Composite
from archdsl.frontend.sema.resolve import resolve
from archdsl.frontend.sema.scale import scale_spec
from archdsl.frontend.sema.spec import LayerSpec, NetworkSpec, PartSpec
from archdsl.frontend.source import KeyPath, dotted
from archdsl.ir.graph import Graph
from archdsl.ir.node import Node

Verdict = Literal["ok", "note", "change"]
Neck = Literal["multiple-of-8", "equal"]


class Finding(NamedTuple):
    """One answer of a check: a fact with its numbers, and unless all is well its place and what to do.

    `change` are the words that undo it when they are added to the command line, overrides or options of `archdsl
    check`; `advice` says in words what else there is to do. A "note" is worth knowing, a "change" worth making.
    """

    verdict: Verdict
    message: str
    mark: Mark = Mark("")
    path: str = ""
    change: tuple[str, ...] = ()
    advice: str = ""
    code: str = ""

    @property
    def own(self) -> bool:
        """Whether it lies in what the user wrote, not in a shipped config."""
        return not is_shipped(self.mark)

    def __str__(self) -> str:
        place = f"{self.mark}: " if self.mark.file else ""
        return printable(f"{place}warning[{self.code}]: {self.path}: {self.message}")


class Question(NamedTuple):
    """What a design is asked: the levels a detector takes, what its neck wants, the smallest object in pixels.

    `fuse` asks about what is left for inference.
    """

    levels: tuple[str, ...] = ("p3", "p4", "p5")
    neck: Neck = "multiple-of-8"
    min_object: int | None = None
    fuse: bool = False


def fused(graph: Graph) -> Graph:
    """The graph after every pass."""
    from archdsl.ir.passes import run_passes  # most commands fuse nothing

    return run_passes(graph)[0]


@dataclass(frozen=True)
class Design:
    """A config on all its ways: `spec` as it is written, `scaled` as it is built, `graph` as it runs."""

    config: Config
    question: Question
    budget: Budget = DEFAULT

    @cached_property
    def spec(self) -> NetworkSpec:
        return resolve(self.config)

    @cached_property
    def scaled(self) -> NetworkSpec:
        return scale_spec(self.spec)

    @cached_property
    def graph(self) -> Graph:
        graph = compile_graph(self.config, self.budget)
        return fused(graph) if self.question.fuse else graph

    def sizes(self, kind: Literal["width", "depth"]) -> dict[KeyPath, tuple[int, int]]:
        """Every width or depth that the config states, by where it can be changed: as written, and as built."""
        return {path: (before, after) for path, before, after in self._sizes(kind) if isinstance(before, int)}

    def _sizes(self, kind: str) -> Iterator[tuple[KeyPath, Any, Any]]:
        for before, after in self.layers():
            for name in [name for name, size in before.block.sizes.items() if size == kind]:
                yield self.stated(before, name), before.arguments.get(name), after.arguments.get(name)
            if kind == "depth":
                yield self.stated(before, kind), before.repeats, after.repeats
        for block, resized in zip(_composites(self.spec), _composites(self.scaled), strict=True):
            for name in [name for name, size in block.sizes.items() if size == kind]:
                yield ("blocks", block.name, "arguments", name), block.defaults[name], resized.defaults[name]

    def layers(self) -> Iterator[tuple[LayerSpec, LayerSpec]]:
        """Every layer as it is written, and as it is built; those inside of blocks that the config defines, too."""
        for written, built in zip(_holders(self.spec), _holders(self.scaled), strict=True):
            yield from zip(written.layers, built.layers, strict=True)

    @cached_property
    def ends(self) -> dict[str, Node]:
        """The last node of every stage, by the stage's name."""
        return {stage.name: self.graph.levels[stage.level] for stage in self.spec.stages}

    @cached_property
    def outputs(self) -> dict[str, Node]:
        """The last node of every stage that is an output, in their order, or that a neck or a head reads."""
        names = {stage.level: stage.name for stage in self.spec.stages}
        found = {names[name]: node for name, node in self.graph.outputs.items() if name in names}
        readers = [node for node in self.graph.nodes if node.origin.part in OPEN_ENDED]
        read = {source for node in readers for source in node.inputs}
        return {**found, **{name: end for name, end in self.ends.items() if end in read}}

    @property
    def is_backbone(self) -> bool:
        """Whether it has no neck and no head."""
        return not any(part.layers and part.name in OPEN_ENDED for part in self.spec.parts)

    def stage_of(self, node: Node) -> str:
        """The stage that a node is in; empty for those of other parts."""
        return node.origin.part if node.origin.part in self.ends else ""

    def levels(self, names: Iterable[str]) -> str:
        """The public names of stages, as a list in words."""
        public = {stage.name: stage.level for stage in self.spec.stages}
        return ", ".join([public.get(name, name) for name in names])

    @property
    def top(self) -> str:
        """The last of the stages with the smallest map."""
        return max(reversed(self.ends), key=lambda name: self.ends[name].type.stride)

    def value(self, path: KeyPath) -> Any:
        """What the config says at `path`; None for nothing."""
        found: Any = self.config.values
        for step in path:
            found = found.get(step) if isinstance(found, dict) else None
        return found

    def says(self, path: KeyPath) -> bool:
        """Whether the config says something at `path`, itself or for all stages."""
        default = default_of(path) if len(path) > 2 else path
        return self.value(path) is not None or self.value(default or path) is not None

    def stated(self, layer: LayerSpec, key: str) -> KeyPath:
        """Where a layer's width or depth can be changed: at the layer if it says one, else at its stage."""
        own = (*layer.at.path, key)
        return own if not default_of(own) or self.says(own) else (*part_of(own), key)

    def place(self, *paths: KeyPath) -> tuple[Mark, str]:
        """Where a user can change something: the first of `paths` that is in no shipped config, else the first."""
        said = [path for path in paths if self.says(path)] or list(paths)
        found = [(self.config.place(path).value, dotted(path)) for path in said]
        return next((each for each in found if not is_shipped(each[0])), found[0])

    def assign(self, path: KeyPath, value: Any) -> str:
        """The override that sets `path`, whether the config says it or not."""
        holder = self.value(path[:-1])
        there = isinstance(holder, dict) and path[-1] in holder
        return f"{'' if there else '+'}{dotted(path)}={flow(value)}"


def is_shipped(mark: Mark) -> bool:
    """Whether a place is in one of the configs that come with archdsl."""
    return Path(mark.file).is_relative_to(config_root())


def _holders(spec: NetworkSpec) -> list[PartSpec | Composite]:
    """Everything that has layers."""
    return [*spec.parts, *_composites(spec)]


def _composites(spec: NetworkSpec) -> list[Composite]:
    return [block for block in spec.blocks if isinstance(block, Composite)]


def flow(value: Any) -> str:
    """A value as an override writes it: {block: sppf, kernel: 5}."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(flow, value)) + "]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
