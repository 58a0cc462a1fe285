"""NetworkSpec → Graph: layers in a row, repeats and strides, levels and outputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from archdsl.diagnostics.nearest import one_report
from archdsl.diagnostics.problems import ArchError, Note, Problem, by_place, fail, problem
from archdsl.diagnostics.wording import did_you_mean, one_of
from archdsl.frontend.budget import DEFAULT, Budget, allow_more
from archdsl.frontend.budget_check import check_costs
from archdsl.frontend.compose.config import Config
from archdsl.frontend.sema.findings import Findings
from archdsl.frontend.sema.resolve import resolve
from archdsl.frontend.sema.scale import scale_spec
from archdsl.frontend.sema.spec import MOST, LayerSpec, NetworkSpec, PartSpec
from archdsl.ir.graph import Graph, Meter, Node, Origin, ShapeError, TooManyOperations
from archdsl.ir.layout import laid_out
from archdsl.ir.ops import Input, Rescale
from archdsl.ir.ops.windows import slide

INPUT = "input"


@one_report()
def compile_graph(config: Config, budget: Budget = DEFAULT) -> Graph:
    """The graph of a composed config. Raises ArchError with the place of everything that is wrong."""
    return laid_out(outline(config, budget))


@one_report()
def outline(config: Config, budget: Budget = DEFAULT) -> Graph:
    """The graph with blocks as nodes, which knows its costs; it is made in a third of the time. Raises as above."""
    spec = scale_spec(resolve(config, budget))
    graph = compile_spec(spec, budget)
    check_costs(graph, spec, budget)
    return graph


def compile_spec(spec: NetworkSpec, budget: Budget = DEFAULT) -> Graph:
    """The outline of a scaled spec. Raises ArchError for shapes that do not fit and names that do not exist."""
    compiler = _Compiler(spec, budget)
    x = compiler.begin(spec)
    ends: dict[str, Node] = {}
    try:
        for part in spec.parts:
            x = compiler.part(part, x)
            if part.is_stage:
                ends[part.level] = x
    finally:
        compiler.meter.made.clear()  # which what is kept for other networks would keep
    graph = Graph(spec.name, tuple(compiler.nodes), x, ends, spec.outputs, spec.freeze)
    problems = compiler.findings + _stride_problems(graph, spec, compiler.guesses)
    problems = problems or _unread(graph, spec)  # what an error left out reads nothing either
    if problems:
        raise ArchError(by_place(problems))
    return graph


class _Compiler:
    """What is known on the way through the layers: the nodes so far, and the names that `from:` can use.

    `names` are all there will be. A layer that is wrong is replaced by a guess of what it should have given, so that
    one run reports them all.
    """

    def __init__(self, spec: NetworkSpec, budget: Budget):
        self.spec = spec
        self.style = spec.style
        self.names = {name for part in spec.parts for name in (part.name, *[layer.name for layer in part.layers])}
        self.meter = Meter(budget.layers, count=1)  # the input
        self.nodes: list[Node] = []
        self.results: dict[str, Node] = {}
        self.findings = Findings()
        self.guesses: set[Node] = set()

    def begin(self, spec: NetworkSpec) -> Node:
        """What the stem gets, and `from: input` means: the image, rescaled where the config says so."""
        image = Input(spec.input)(name=INPUT)
        image.meter = self.meter
        x = self._placed(image, Origin("input"))
        if spec.rescale:
            x = self._placed(Rescale()(x, name="rescale"), Origin("input.rescale"))
        self.results[INPUT] = x
        return x

    def part(self, part: PartSpec, x: Node) -> Node:
        """(H, W, C) -> the result of the part's last layer, also known under the part's name."""
        for layer in part.layers:
            x = self.results[layer.name] = self._layer(layer, part, x)
        self.results[part.name] = x
        return x

    def _layer(self, layer: LayerSpec, part: PartSpec, x: Node) -> Node:
        sources = [self._source(name, layer, part) for name in layer.sources] or [x]
        known = [source for source in sources if source is not None]
        if len(known) < len(sources):
            return self._guess(layer, (known or [x])[0])
        try:
            return self._repeated(layer, part, known)
        except ShapeError as error:
            if self.guesses.isdisjoint(known):  # else it may fit once the layer before it is fixed
                self.findings.add(self._shape_problem(layer, known, error))
            return self._guess(layer, known[0])

    def _source(self, name: str, layer: LayerSpec, part: PartSpec) -> Node | None:
        """What `from: name` means: a layer of the same part, any layer by its full name, a part, or the input."""
        found = self.results.get(f"{part.name}_{name}") or self.results.get(name)
        if found is None:
            message = f"there is no layer '{name}' before this one; {one_of(self.results)}"
            hint = did_you_mean(name, self.results)
            if later := next((full for full in (f"{part.name}_{name}", name) if full in self.names), ""):
                message = f"'{name}' does not come before this layer"
                hint = "a layer can read only what comes before it; `after:` places it"
                if later == layer.name or layer.name in _behind(later, self.spec):
                    steps = [layer.name, later, layer.name] if later != layer.name else [later, later]
                    message += f"; cycle: {' -> '.join(steps)}"
            self.findings.report("unknown-layer", message, layer.at / "from", hint)
        return found

    def _repeated(self, layer: LayerSpec, part: PartSpec, sources: list[Node]) -> Node:
        depth = layer.repeats or layer.arguments.get("depth", 1)
        times = "" if depth == 1 else f" × {depth}"
        origin = Origin(str(layer.at), f"{layer.block.name}{times}", part.name)
        for name, arguments in layer.runs():
            sources = [self._apply(layer, name, sources, arguments, origin)]
        return sources[0]

    def _apply(
        self, layer: LayerSpec, name: str, sources: list[Node], arguments: Mapping[str, Any], origin: Origin
    ) -> Node:
        try:
            made = layer.apply(sources, name, arguments, self.style)
        except TooManyOperations:
            raise self._too_many(layer) from None
        return self._placed(made, origin)

    def _placed(self, made: Node, origin: Origin) -> Node:
        made.origin = origin  # it was made here, and nothing else has it yet
        self.nodes.append(made)
        return made

    def _too_many(self, layer: LayerSpec) -> ArchError:
        message = f"this layer takes the network over {self.meter.limit:,.0f} operations; expected a smaller network"
        hint = f"lower its depth, or scale.depth; {allow_more('layers', 2 * self.meter.limit)}"
        return fail("budget", message, mark=layer.at.value, path=str(layer.at), hint=hint)

    def _shape_problem(self, layer: LayerSpec, sources: Sequence[Node], error: ShapeError) -> Problem:
        """The fact in the names that `from:` uses, and where the nodes come from that do not fit."""
        error.names = {node: name for name, node in reversed(self.results.items())}  # the layer's, not its part's
        notes = self._notes_inside(layer, error) if error.at else self._notes(layer, sources, error)
        message, at = f"{'_'.join(error.scopes)}: {error.fact}", error.at or layer.at
        return problem("shape", message, mark=at.value, path=str(at), hint=error.hint, notes=notes)

    def _notes(self, layer: LayerSpec, sources: Sequence[Node], error: ShapeError) -> Iterator[Note]:
        """Where each of the nodes is made, unless by the layer itself."""
        nodes = error.nodes if all(node.origin.path for node in error.nodes) else sources
        for node in dict.fromkeys(nodes):
            mark = self.spec.entry(node.origin.path).own_key
            if mark is not None and node.origin.path != str(layer.at):
                yield Note(mark, f"{error.names.get(node, node.name)} ({node.type}) comes from")

    def _notes_inside(self, layer: LayerSpec, error: ShapeError) -> Iterator[Note]:
        """The same for layers of one of the config's own blocks, and the place where the block is used."""
        for node in dict.fromkeys(error.nodes):
            beside = layer.at.config.at(*error.at.path[:-1], node.name)
            if beside.is_written:
                yield Note(beside.key, f"{node.name} ({node.type}) comes from")
        yield Note(layer.at.value, f"block '{layer.block.name}' is used at")

    def _guess(self, layer: LayerSpec, source: Node) -> Node:
        """What the layer would have given: its width and stride are known, whatever is wrong with it."""
        stride = max(said.get("stride", 1) for said in (layer.arguments, layer.first, layer.last))
        stride = stride if source.type.stride <= MOST else 1
        width = layer.arguments.get("width", source.channels)
        sided = slide(source.type, width, kernel=1, stride=stride, dilation=1, padding="same")
        guess = self._placed(Input(sided)(name=layer.name), Origin())
        self.guesses.add(guess)
        return guess


def _behind(name: str, spec: NetworkSpec) -> set[str]:
    """Names of the layers that a layer or part would be computed from, whatever the order they stand in."""
    reads: dict[str, list[str]] = {}
    before: list[str] = []
    for part in spec.parts:
        for layer in part.layers:
            reads[layer.name] = [
                each for source in layer.sources for each in (f"{part.name}_{source}", source)
            ] or before
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


def _stride_problems(graph: Graph, spec: NetworkSpec, guesses: Set[Node]) -> list[Problem]:
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
            problems.append(problem("stride", message, mark=stage.at.key, path=str(stage.at), hint=hint))
    return problems


def _unread(graph: Graph, spec: NetworkSpec) -> list[Problem]:
    """Every layer leads to a level or to the output: what nothing reads would be counted, but never run."""
    needed = graph.needed_by([graph.output, *graph.levels.values()])
    unread = {node.origin.path for node in graph.nodes if node not in needed and node is not graph.input}
    problems = []
    for path in unread - {node.origin.path for node in needed}:
        hint = "name it in a `from:`, or take it out"
        problems.append(problem("unused", "nothing reads this layer", mark=spec.entry(path).key, path=path, hint=hint))
    return problems
