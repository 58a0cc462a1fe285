"""BackboneSpec → Graph: layers in a row, repeats and strides, full names, levels and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archdsl.budget import check_layers, check_params
from archdsl.errors import ArchError, did_you_mean, one_of, problem
from archdsl.ir import Graph, Layout, Node, Origin, ShapeError
from archdsl.loader import Config
from archdsl.ops import Input, Rescale
from archdsl.resolver import resolve
from archdsl.scale import scale_spec
from archdsl.source import KeyPath, dotted
from archdsl.spec import BackboneSpec, LayerSpec, StageSpec

INPUT = "input"


def compile_graph(config: Config) -> Graph:
    """The graph of a composed config. Raises ArchError with the place of everything that is wrong."""
    graph = compile_spec(scale_spec(resolve(config)))
    check_params(graph)
    return graph


def compile_spec(spec: BackboneSpec) -> Graph:
    """The graph of a scaled spec. Raises ArchError for shapes that do not fit and names that do not exist."""
    compiler = _Compiler(spec)
    x = compiler.begin(spec)
    x = compiler.stage(spec.stem, x)
    ends: dict[str, Node] = {}
    for stage in spec.stages:
        x = ends[stage.level] = compiler.stage(stage, x)
    x = compiler.stage(spec.tail, x)
    graph = Graph(spec.config.name, tuple(compiler.layout.nodes), x, ends, spec.outputs)
    _check_strides(graph, spec)
    _check_use(graph, spec)
    return graph


class _Compiler:
    """What is known on the way through the layers: the nodes so far, and the names that `from:` can use.

    `names` are all there will be.
    """

    def __init__(self, spec: BackboneSpec):
        self.style = spec.style
        self.config = spec.config
        stages = (spec.stem, *spec.stages, spec.tail)
        self.names = {name for stage in stages for name in (stage.name, *[layer.name for layer in stage.layers])}
        self.layout = Layout()
        self.results: dict[str, Node] = {}

    def begin(self, spec: BackboneSpec) -> Node:
        """What the stem gets, and `from: input` means: the image, rescaled where the config says so."""
        x = self.layout.place(Input(spec.input)(name=INPUT), origin=Origin("input"))
        if spec.rescale:
            x = self.layout.place(Rescale()(x, name="rescale"), origin=Origin("input.rescale"))
        self.results[INPUT] = x
        return x

    def stage(self, stage: StageSpec, x: Node) -> Node:
        """(H, W, C) -> the result of the stage's last layer, also known under the stage's name."""
        for layer in stage.layers:
            self._require_free(layer.name, layer.path)
            sources = [self._source(name, layer, stage) for name in layer.sources] or [x]
            x = self.results[layer.name] = self._layer(layer, sources)
        self._require_free(stage.name, stage.path)
        self.results[stage.name] = x
        return x

    def _require_free(self, name: str, path: KeyPath) -> None:
        if name in self.results:
            fact = f"something before it is called '{name}' too, and `from:` could not tell them apart"
            raise self._error("duplicate-layer", fact, path, "give one of them another name")

    def _source(self, name: str, layer: LayerSpec, stage: StageSpec) -> Node:
        """What `from: name` means: a layer of the same stage, any layer by its full name, a stage, or the input."""
        found = self.results.get(f"{stage.name}_{name}") or self.results.get(name)
        if found is None:
            message = f"there is no layer '{name}' before this one; {one_of(self.results)}"
            hint = did_you_mean(name, self.results)
            if later := next((full for full in (f"{stage.name}_{name}", name) if full in self.names), ""):
                steps = [layer.name, later, layer.name] if later != layer.name else [later, later]
                message = f"'{name}' does not come before this layer; cycle: {' -> '.join(steps)}"
                hint = "a layer can read only what comes before it"
            raise self._error("unknown-layer", message, (*layer.path, "from"), hint)
        return found

    def _layer(self, layer: LayerSpec, sources: list[Node]) -> Node:
        depth = layer.repeats or layer.arguments.get("depth", 1)
        origin = Origin(dotted(layer.path), layer.block.name if depth == 1 else f"{layer.block.name} × {depth}")
        if layer.repeats is None:
            return self._apply(layer, layer.name, sources, layer.arguments, origin)
        for number in range(1, layer.repeats + 1):
            arguments = dict(layer.arguments)
            if number == 1:
                arguments |= layer.first
            if number == layer.repeats:
                arguments |= layer.last
            name = layer.name if layer.repeats == 1 else f"{layer.name}_{number}"
            sources = [self._apply(layer, name, sources, arguments, origin)]
        return sources[0]

    def _apply(
        self, layer: LayerSpec, name: str, sources: list[Node], arguments: Mapping[str, Any], origin: Origin
    ) -> Node:
        block = layer.block
        style = {"style": self.style} if block.takes_style else {}
        try:
            call = block(*sources, name=name, **arguments, **style)
        except ShapeError as error:
            raise self._error("shape", f"{'_'.join(error.scopes)}: {error.fact}", layer.path, error.hint) from None
        placed = self.layout.place(call, origin=origin)
        check_layers(len(self.layout.nodes))
        return placed

    def _error(self, code: str, message: str, path: KeyPath, hint: str = "") -> ArchError:
        return ArchError([problem(code, message, mark=self.config.place(path).value, path=dotted(path), hint=hint)])


def _check_strides(graph: Graph, spec: BackboneSpec) -> None:
    """A stage named pN is 2^N times smaller than the image."""
    problems = []
    for stage in spec.stages:
        stride = graph.levels[stage.level].type.stride
        if stage.number is not None and stride != 2**stage.number:
            message = f"its total stride is {stride:g}, but a stage named {stage.name} has stride {2**stage.number}"
            hint = "give it another stride, or a name that does not promise a level"
            mark = spec.config.place(stage.path).key
            problems.append(problem("stride", message, mark=mark, path=dotted(stage.path), hint=hint))
    if problems:
        raise ArchError(problems)


def _check_use(graph: Graph, spec: BackboneSpec) -> None:
    """Every layer leads to a level or to the output: what nothing reads would be counted, but never run."""
    needed = graph.needed_by([graph.output, *graph.levels.values()])
    unread = {node.origin.path for node in graph.nodes if node.name not in needed and node is not graph.input}
    problems = []
    for path in sorted(unread - {node.origin.path for node in graph.nodes if node.name in needed}):
        mark = spec.config.place(tuple(path.split("."))).key
        hint = "name it in a `from:`, or take it out"
        problems.append(problem("unused", "nothing reads this layer", mark=mark, path=path, hint=hint))
    if problems:
        raise ArchError(problems)
