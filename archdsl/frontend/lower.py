"""BackboneSpec → Graph: layers in a row, repeats and strides, full names, levels and outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

from archdsl.diagnostics.nearest import one_report
from archdsl.diagnostics.problems import ArchError, Gathered, Mark, Note, Problem, by_place, fail, problem
from archdsl.diagnostics.wording import did_you_mean, one_of
from archdsl.frontend.budget import DEFAULT, Budget, allow_more
from archdsl.frontend.budget_check import check_costs
from archdsl.frontend.compose.config import Config
from archdsl.frontend.sema.resolve import resolve
from archdsl.frontend.sema.scale import scale_spec
from archdsl.frontend.sema.spec import MOST, BackboneSpec, LayerSpec, StageSpec
from archdsl.frontend.source import KeyPath, dotted
from archdsl.ir.graph import Graph, Layout, Meter, Node, Origin, ShapeError, TooManyOperations
from archdsl.ir.ops import Input, Rescale
from archdsl.ir.ops.windows import slide

INPUT = "input"


@one_report()
def compile_graph(config: Config, budget: Budget = DEFAULT) -> Graph:
    """The graph of a composed config. Raises ArchError with the place of everything that is wrong."""
    graph = compile_spec(scale_spec(resolve(config, budget)), budget)
    check_costs(graph, config, budget)
    return graph


def compile_spec(spec: BackboneSpec, budget: Budget = DEFAULT) -> Graph:
    """The graph of a scaled spec. Raises ArchError for shapes that do not fit and names that do not exist."""
    compiler = _Compiler(spec, budget)
    x = compiler.begin(spec)
    x = compiler.stage(spec.stem, x)
    ends: dict[str, Node] = {}
    for stage in spec.stages:
        x = ends[stage.level] = compiler.stage(stage, x)
    x = compiler.stage(spec.tail, x)
    graph = Graph(spec.config.name, tuple(compiler.layout.nodes), x, ends, spec.outputs, spec.freeze)
    problems = compiler.problems + _stride_problems(graph, spec, compiler.guesses)
    problems = problems or _unread(graph, spec)  # what an error left out reads nothing either
    if problems:
        raise ArchError(by_place(problems))
    return graph


class _Compiler:
    """What is known on the way through the layers: the nodes so far, and the names that `from:` can use.

    `names` are all there will be. A layer that is wrong is replaced by a guess of what it should have given, so that
    one run reports them all.
    """

    def __init__(self, spec: BackboneSpec, budget: Budget):
        self.style = spec.style
        self.config = spec.config
        stages = (spec.stem, *spec.stages, spec.tail)
        self.names = {name for stage in stages for name in (stage.name, *[layer.name for layer in stage.layers])}
        self.meter = Meter(budget.layers, count=1)  # the input
        self.layout = Layout()
        self.results: dict[str, Node] = {}
        self.problems = Gathered()
        self.guesses: set[Node] = set()

    def begin(self, spec: BackboneSpec) -> Node:
        """What the stem gets, and `from: input` means: the image, rescaled where the config says so."""
        image = Input(spec.input)(name=INPUT)
        image.meter = self.meter
        x = self.layout.place(image, origin=Origin("input"))
        if spec.rescale:
            x = self.layout.place(Rescale()(x, name="rescale"), origin=Origin("input.rescale"))
        self.results[INPUT] = x
        return x

    def stage(self, stage: StageSpec, x: Node) -> Node:
        """(H, W, C) -> the result of the stage's last layer, also known under the stage's name."""
        for layer in stage.layers:
            x = self.results[layer.name] = self._layer(layer, stage, x)
        self.results[stage.name] = x
        return x

    def _layer(self, layer: LayerSpec, stage: StageSpec, x: Node) -> Node:
        sources = [self._source(name, layer, stage) for name in layer.sources] or [x]
        known = [source for source in sources if source is not None]
        if len(known) < len(sources):
            return self._guess(layer, (known or [x])[0])
        try:
            return self._repeated(layer, known)
        except ShapeError as error:
            if self.guesses.isdisjoint(known):  # else it may fit once the layer before it is mended
                self.problems.add(self._shape_problem(layer, known, error))
            return self._guess(layer, known[0])

    def _source(self, name: str, layer: LayerSpec, stage: StageSpec) -> Node | None:
        """What `from: name` means: a layer of the same stage, any layer by its full name, a stage, or the input."""
        found = self.results.get(f"{stage.name}_{name}") or self.results.get(name)
        if found is None:
            message = f"there is no layer '{name}' before this one; {one_of(self.results)}"
            hint = did_you_mean(name, self.results)
            if later := next((full for full in (f"{stage.name}_{name}", name) if full in self.names), ""):
                steps = [layer.name, later, layer.name] if later != layer.name else [later, later]
                message = f"'{name}' does not come before this layer; cycle: {' -> '.join(steps)}"
                hint = "a layer can read only what comes before it"
            self._report("unknown-layer", message, (*layer.path, "from"), hint)
        return found

    def _repeated(self, layer: LayerSpec, sources: list[Node]) -> Node:
        depth = layer.repeats or layer.arguments.get("depth", 1)
        times = "" if depth == 1 else f" × {depth}"
        origin = Origin(dotted(layer.path), f"{layer.block.name}{times}")
        for name, arguments in layer.runs():
            sources = [self._apply(layer, name, sources, arguments, origin)]
        return sources[0]

    def _apply(
        self, layer: LayerSpec, name: str, sources: list[Node], arguments: Mapping[str, Any], origin: Origin
    ) -> Node:
        try:
            call = layer.apply(sources, name, arguments, self.style)
        except TooManyOperations:
            raise self._too_many(layer) from None
        return self.layout.place(call, origin=origin)

    def _too_many(self, layer: LayerSpec) -> ArchError:
        message = f"with this there are more than {self.meter.limit:,.0f} operations; expected a smaller network"
        hint = f"lower its depth, or scale.depth; {allow_more('layers', 2 * self.meter.count)}"
        mark = self.config.place(layer.path).value
        return fail("budget", message, mark=mark, path=dotted(layer.path), hint=hint)

    def _shape_problem(self, layer: LayerSpec, sources: Sequence[Node], error: ShapeError) -> Problem:
        """The fact in the names that `from:` uses, and where the nodes come from that do not fit."""
        error.names = {node: name for name, node in reversed(self.results.items())}  # the layer's, not its stage's
        if error.path:
            return self._shape_problem_inside(layer, error)
        path = dotted(layer.path)
        nodes = error.nodes if all(node.origin.path for node in error.nodes) else sources
        notes = [
            Note(mark, f"{error.names.get(node, node.name)} ({node.type}) comes from")
            for node in dict.fromkeys(nodes)
            if node.origin.path != path and (mark := self._written(node.origin.path))
        ]
        message = f"{'_'.join(error.scopes)}: {error.fact}"
        mark = self.config.place(layer.path).value
        return problem("shape", message, mark=mark, path=path, hint=error.hint, notes=notes)

    def _shape_problem_inside(self, layer: LayerSpec, error: ShapeError) -> Problem:
        """The same for a layer of one of the config's own blocks, with the place where the block is used."""
        places = self.config.places
        notes = [
            Note(places[path].key, f"{node.name} ({node.type}) comes from")
            for node in dict.fromkeys(error.nodes)
            if (path := (*error.path[:-1], node.name)) in places
        ]
        notes.append(Note(self.config.place(layer.path).value, f"block '{layer.block.name}' is used at"))
        message = f"{'_'.join(error.scopes)}: {error.fact}"
        mark = self.config.place(error.path).value
        return problem("shape", message, mark=mark, path=dotted(error.path), hint=error.hint, notes=notes)

    def _written(self, path: str) -> Mark | None:
        """Where a layer stands; for one that stage_defaults make, its stage, which is its own place."""
        keys = path.split(".")
        around = [tuple(keys[:length]) for length in range(len(keys), 0, -1)]
        return next((self.config.places[each].key for each in around if each in self.config.places), None)

    def _guess(self, layer: LayerSpec, source: Node) -> Node:
        """What the layer would have given: its width and stride are known, whatever is wrong with it."""
        stride = max(said.get("stride", 1) for said in (layer.arguments, layer.first, layer.last))
        stride = stride if source.type.stride <= MOST else 1
        width = layer.arguments.get("width", source.channels)
        sided = slide(source.type, width, kernel=1, stride=stride, dilation=1, padding="same")
        guess = self.layout.place(Input(sided)(name=layer.name))
        self.guesses.add(guess)
        return guess

    def _report(self, code: str, message: str, path: KeyPath, hint: str = "") -> None:
        mark = self.config.place(path).value
        self.problems.add(problem(code, message, mark=mark, path=dotted(path), hint=hint))


def _stride_problems(graph: Graph, spec: BackboneSpec, guesses: Set[Node]) -> list[Problem]:
    """A stage named pN is 2^N times smaller than the image. One that is wrong makes those after it no news."""
    doubtful = graph.following(guesses)
    problems = []
    error_before = 1.0
    for stage in spec.stages:
        end = graph.levels[stage.level]
        if stage.number is None or end in doubtful:
            continue
        stride, expected = end.type.stride, 2**stage.number
        error, error_before = (stride / expected) / error_before, stride / expected
        if error != 1 and stride != expected:
            message = f"its total stride is {stride:g}, but a stage named {stage.name} has stride {expected}"
            hint = "give it another stride, or a name that does not promise a level"
            mark = spec.config.place(stage.path).key
            problems.append(problem("stride", message, mark=mark, path=dotted(stage.path), hint=hint))
    return problems


def _unread(graph: Graph, spec: BackboneSpec) -> list[Problem]:
    """Every layer leads to a level or to the output: what nothing reads would be counted, but never run."""
    needed = graph.needed_by([graph.output, *graph.levels.values()])
    unread = {node.origin.path for node in graph.nodes if node.name not in needed and node is not graph.input}
    problems = []
    for path in unread - {node.origin.path for node in graph.nodes if node.name in needed}:
        mark = spec.config.place(tuple(path.split("."))).key
        hint = "name it in a `from:`, or take it out"
        problems.append(problem("unused", "nothing reads this layer", mark=mark, path=path, hint=hint))
    return problems
