"""NetworkSpec → Graph: layers in a row, repeats and strides, once per level, shared weights, levels and outputs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from archdsl.diagnostics.nearest import one_report
from archdsl.diagnostics.problems import ArchError, Note, Problem, by_place, fail, problem
from archdsl.diagnostics.wording import one_of, write
from archdsl.frontend.budget import DEFAULT, Budget, allow_more
from archdsl.frontend.budget_check import check_costs
from archdsl.frontend.compose.config import Config, Location
from archdsl.frontend.graph_check import stride_problems, unread
from archdsl.frontend.scope import INPUT, Level, Scope
from archdsl.frontend.sections import HEAD, OPEN_ENDED, STAGES
from archdsl.frontend.sema import fixits
from archdsl.frontend.sema.findings import Findings
from archdsl.frontend.sema.resolve import resolve
from archdsl.frontend.sema.scale import scale_spec
from archdsl.frontend.sema.spec import MOST, LayerSpec, NetworkSpec, PartSpec, passed_on
from archdsl.ir.graph import Graph
from archdsl.ir.layout import Placeholder, laid_out, results_of, unfolded, weight_shapes
from archdsl.ir.node import Meter, Node, Origin, ShapeError, TooManyOperations
from archdsl.ir.ops import Input, Rescale
from archdsl.ir.types import FeatureMap, both


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
                ends[part.level] = x[-1][1]
    finally:
        compiler.meter.made.clear()  # which what is kept for other networks would keep
    outputs = compiler.outputs()
    if not spec.is_named and not compiler.findings:
        outputs = compiler.ends(outputs)
    graph = Graph(spec.name, tuple(compiler.nodes), x[-1][1], ends, outputs, spec.freeze, compiler.returned(outputs))
    problems = compiler.findings + stride_problems(graph, spec, compiler.guesses)
    problems = problems or unread(graph, spec)  # what an error left out reads nothing either
    if problems:
        raise ArchError(by_place(problems))
    return graph


class _Compiler:
    """The nodes so far, and their names.

    A wrong layer is replaced by a guess of its result, so that one run reports all errors. Nodes
    are `adrift` if the size of the guess is not known either.
    """

    def __init__(self, spec: NetworkSpec, budget: Budget):
        self.spec = spec
        self.style = spec.style
        self.scope = Scope(spec)
        self.meter = Meter(budget.layers, count=1)  # the input
        self.nodes: list[Node] = []
        self.findings = Findings()
        self.named: set[str] = set()  # layers so far
        self.guesses: set[Node] = set()
        self.adrift: set[Node] = set()
        self.several: dict[Node, list[Level]] = {}  # by the last of them

    def begin(self, spec: NetworkSpec) -> list[Level]:
        """What the stem gets, and `from: input` means: the image, rescaled where the config says so."""
        image = Input(spec.input)(name=INPUT)
        image.meter = self.meter
        x = self._placed(image, Origin("input"))
        if spec.rescale:
            x = self._placed(Rescale()(x, name="rescale"), Origin("input.rescale"))
        self.scope.define(INPUT, [("", x)])
        return [("", x)]

    def part(self, part: PartSpec, x: list[Level]) -> list[Level]:
        """The results of the part's last layer. Its name stands for them, for its levels, or for a stage's end."""
        for layer in part.layers:
            x = self._each(layer, part) if layer.each else self._layer(layer, part, x)
            if layer.name in self.scope.results and layer.name not in self.named:  # slots may have the same names
                message = f"'{layer.name}' is what a result of another layer is called; expected a name of its own"
                self.findings.report("key", message, layer.at)
            self.named.add(layer.name)
            self.scope.define(layer.name, x)
        self.scope.results[part.name] = [("", x[-1][1])] if part.is_stage else self._levels(part) or x
        return x

    def _levels(self, part: PartSpec) -> list[Level]:
        """The results of a neck with layers n3, n4, …: each of them, by its own name."""
        prefix = f"{part.name}_"
        return [(full.removeprefix(prefix), self.scope.results[full][-1][1]) for _, full in part.levels]

    def outputs(self) -> dict[str, Node]:
        """The outputs, by public name."""
        found: dict[str, Node] = {}
        for name, source, at in self.spec.outputs:
            levels = self.scope.find(source)
            for suffix, node in levels:
                self._output(f"{name}_{suffix}" if suffix else name, node, found, at)
            if not levels:
                message = f"there is no layer '{source}'; {one_of(self.scope.known)}"
                self.findings.report("unknown-output", message, at, self.scope.did_you_mean(source))
        return found

    def _output(self, name: str, node: Node, found: dict[str, Node], at: Location) -> None:
        """Add a result to those that were found."""
        if found.setdefault(name, node) is not node:
            message = f"two results are called '{name}'; expected a name of its own for each"
            self.findings.report("duplicate-output", message, at, "name them in `outputs: {name: layer, …}`")

    def ends(self, outputs: Mapping[str, Node]) -> dict[str, Node]:
        """The outputs; the tail's end, if nothing reads it; and of the last section, a neck or a head, what nothing
        reads, and the levels, unless the outputs name some of these.
        """
        parts = [part for part in self.spec.parts if part.layers]
        if not parts or parts[-1].name not in OPEN_ENDED:
            return dict(outputs)
        last, found = parts[-1], dict(outputs)
        read = {*outputs.values(), *[source for node in self.nodes for source in node.inputs]}
        levels = {node for _, node in self._levels(last)}
        read -= levels if levels.isdisjoint(outputs.values()) else set()
        for tail in [each for each in parts if not each.is_stage and each.name not in OPEN_ENDED]:
            for suffix, node in self.scope.results[tail.name]:
                if node not in read:
                    self._output(f"{tail.name}_{suffix}" if suffix else tail.name, node, found, tail.at)
        numbers = {full: number for number, full in last.levels}
        for layer in sorted(last.layers, key=lambda each: numbers.get(each.name, MOST)):
            name = layer.name.removeprefix(f"{last.name}_")
            for suffix, node in self.scope.results[layer.name]:
                if node not in read:
                    self._output(f"{name}_{suffix}" if suffix else name, node, found, layer.at)
        return found

    def returned(self, outputs: Mapping[str, Node]) -> tuple[str, ...]:
        """The outputs that a call returns: all where the config names them, else the ends of a head with several."""
        if self.spec.is_named:
            return tuple(outputs)
        read = {source for node in self.nodes for source in node.inputs}
        head = [layer.name for part in self.spec.parts if part.name == HEAD.name for layer in part.layers]
        ends = {node for name in head for _, node in self.scope.results[name] if node not in read}
        found = tuple([name for name, node in outputs.items() if node in ends])
        return found if len(found) > 1 else ()

    def _each(self, layer: LayerSpec, part: PartSpec) -> list[Level]:
        """The layer applied to each of several results, and to its other inputs: with weights of its own or shared."""
        made: dict[str, Node] = {}
        owner = self._owner(layer, part)
        others = self._sources(layer, part)
        for named in layer.each:
            for inner, source in self._source(named, layer, part, "each"):
                suffix = inner or named
                name = f"{layer.name}_{suffix}"
                if suffix in made:
                    message = f"two of its results would be called '{name}'; expected each of them once"
                    self.findings.report("from", message, layer.at / "each", "take one out")
                elif others is None:
                    made[suffix] = self._adrift(layer, part, source)
                else:
                    made[suffix] = self._applied(layer, part, [source, *others], name, owner)
                    owner = name if layer.share is True and not owner else owner
        return list(made.items()) or [("", self._adrift(layer, part, self.nodes[-1]))]

    def _layer(self, layer: LayerSpec, part: PartSpec, x: list[Level]) -> list[Level]:
        """The layer's result, or all of them where its block has several."""
        sources = self._sources(layer, part) if layer.sources else [node for _, node in x]
        if sources is None:
            return [("", self._adrift(layer, part, x[-1][1]))]
        made = self._applied(layer, part, sources, layer.name, self._owner(layer, part))
        return self.several.get(made, [("", made)])

    def _sources(self, layer: LayerSpec, part: PartSpec) -> list[Node] | None:
        """What `from` names; None where some of it does not exist, which is reported."""
        found = [self._source(name, layer, part, "from") for name in layer.sources]
        return [node for levels in found for _, node in levels] if all(found) else None

    def _source(self, name: str, layer: LayerSpec, part: PartSpec, key: str) -> list[Level]:
        """The results that a layer names; an unknown name is reported."""
        found = self.scope.find(name, part)
        if not found:
            self._unknown(name, layer, part, key, self.scope.known)
        return found

    def _owner(self, layer: LayerSpec, part: PartSpec) -> str:
        """The full name of the layer whose weights it uses, reported if it is not there; empty where it has its own."""
        if not isinstance(layer.share, str):
            return ""
        full = next((full for full in self.scope.full_names(layer.share, part) if full in self.scope.runs), "")
        if not full:
            self._unknown(layer.share, layer, part, "share", self.scope.runs)
        return full

    def _unknown(self, name: str, layer: LayerSpec, part: PartSpec, key: str, known: Collection[str]) -> None:
        """Report a name that a layer asks for, and why it cannot have it where the name is that of another."""
        message = f"there is no layer '{name}' before this one; {one_of(known)}"
        hint = self.scope.did_you_mean(name) or (fixits.truth(name) if key == "share" else "")
        if found := self.scope.find(name, part):
            message, of = f"'{name}' is not one layer; {one_of(known)}", self.scope.layer_of(found[0][1])
            hint = write(of) if of else ""
        elif later := self.scope.later(name, part):
            message = f"'{name}' does not come before this layer"
            hint = "a layer can read only what comes before it; `after:` places it"
            if later == layer.name or layer.name in self.scope.behind(later):
                steps = [layer.name, later, layer.name] if later != layer.name else [later, later]
                message += f"; cycle: {' -> '.join(steps)}"
        listed = {"from": layer.sources, "each": layer.each}.get(key, ())
        at = layer.at / key / listed.index(name) if len(listed) > 1 else layer.at / key
        self.findings.report("unknown-layer", message, at, hint, self._notes_elsewhere(name, layer))

    def _notes_elsewhere(self, name: str, layer: LayerSpec) -> list[Note]:
        """Where the stages are set, for a layer of another file: its section may be made for another backbone."""
        config = layer.at.config
        is_removed = (STAGES.name, name) in config.places
        mark = config.at(STAGES.name, name).own_key
        fact = f"the stage '{name}' is removed at" if is_removed else "the stages are set at"
        return [Note(mark, fact)] if mark and mark.file != layer.at.key.file else []

    def _applied(self, layer: LayerSpec, part: PartSpec, sources: list[Node], name: str, owner: str = "") -> Node:
        """The layer's result, or a guess of it where something is wrong; `owner` is the layer whose weights it uses."""
        try:
            runs = self._repeated(layer, part, sources, name)
            if owner:
                self._share(layer, runs, owner)
            self.scope.runs[name] = runs
            if not self.adrift.isdisjoint(sources):
                self.adrift.update(runs)
            return runs[-1]
        except ShapeError as error:
            if not self.adrift.isdisjoint(sources):
                return self._adrift(layer, part, sources[0])
            if self.guesses.isdisjoint(sources):  # else it may fit once the layer before it is fixed
                self.findings.add(self._shape_problem(layer, part, sources, error))
            return self._guess(layer, sources[0])

    def _share(self, layer: LayerSpec, runs: Sequence[Node], owner: str) -> None:
        """Give the repeats of a layer the weights of another's. Raises ShapeError where these have other shapes."""
        owners, name = self.scope.runs[owner], owner if layer.share is True else layer.share
        if len(runs) != len(owners):
            raise ShapeError(f"it runs {len(runs)} times, and '{name}', whose weights it shares, {len(owners)}")
        for run, other in zip(runs, owners, strict=True):
            own, others = weight_shapes(run), weight_shapes(other)
            if own != others:
                shapes = next(pair for pair in zip_longest(own, others) if pair[0] != pair[1])
                told = " and ".join(["x".join(map(str, shape)) if shape else "none" for shape in shapes])
                fact = f"its weights have other shapes than those of '{name}', which it shares: {told}"
                raise ShapeError(fact, "give both the same block, arguments and input channels")
            if not own:
                raise ShapeError(f"block '{layer.block.name}' has no weights to share", "take `share` out")
            run.share(other.owner or other)

    def _repeated(self, layer: LayerSpec, part: PartSpec, sources: list[Node], name: str) -> list[Node]:
        """Every repeat of a layer."""
        depth = layer.repeats or layer.arguments.get("depth", 1)
        times = "" if depth == 1 else f" × {depth}"
        origin = Origin(str(layer.at), f"{layer.block.name}{times}", part.name)
        runs = []
        for run, arguments in layer.runs(name):
            made = self._apply(layer, run, sources, arguments, origin)
            runs.append(made)
            sources = passed_on([node for _, node in self.several.get(made, [("", made)])], sources)
            if run != layer.name:
                self.scope.define(run, [("", made)])
        return runs

    def _apply(
        self, layer: LayerSpec, name: str, sources: list[Node], arguments: Mapping[str, Any], origin: Origin
    ) -> Node:
        try:
            made = layer.apply(sources, name, arguments, self.style)
        except TooManyOperations:
            raise self._too_many(layer) from None
        made.origin = origin  # it was made here, and nothing else has it yet
        is_whole = not results_of(made) and not self.scope.is_asked_inside(name)
        return self._placed(made, origin) if is_whole else self._unfolded(made)

    def _unfolded(self, made: Node) -> Node:
        """A block with several results, or with nodes inside that other layers read: they get names of their own."""
        named, result, results = unfolded(made, self.scope.is_asked_inside)
        for node in dict.fromkeys([node for _, node in named]):
            self._placed(node, made.origin)
        for name, node in named:
            self.scope.define(name, [("", node)])
        if results:
            self.several[result] = list(results.items())
        return result

    def _placed(self, made: Node, origin: Origin) -> Node:
        made.origin = origin
        self.nodes.append(made)
        return made

    def _too_many(self, layer: LayerSpec) -> ArchError:
        message = f"this layer takes the network over {self.meter.limit:,.0f} operations; expected a smaller network"
        hint = f"lower its depth, or scale.depth; {allow_more('layers', 2 * self.meter.limit)}"
        return fail("budget", message, mark=layer.at.value, path=str(layer.at), hint=hint)

    def _shape_problem(self, layer: LayerSpec, part: PartSpec, sources: Sequence[Node], error: ShapeError) -> Problem:
        """The shape error, with nodes named as `from:` names them and a note on where each one is defined."""
        error.names = self._names(layer, part)
        notes = self._notes_inside(layer, error) if error.at else self._notes(layer, sources, error)
        message, at = f"{'_'.join(error.scopes) or layer.name}: {error.fact}", error.at or layer.at
        return problem("shape", message, mark=at.value, path=str(at), hint=error.hint, notes=notes)

    def _names(self, layer: LayerSpec, part: PartSpec) -> dict[Node, str]:
        """The names that the layer reads nodes by; others have that of their layer, not of a repeat or a part."""
        results = self.scope.results
        made = list(reversed(results))
        read = [self.scope.full_name(name, part) for name in (*layer.sources, *layer.each)]
        names = (*made, *[name for name in made if name in self.named], *filter(None, read))
        return {results[name][0][1]: name for name in names if len(results[name]) == 1}

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

    def _adrift(self, layer: LayerSpec, part: PartSpec, source: Node) -> Node:
        """A guess for a layer that reads an unknown one: the size of what follows is not known.

        In a stage it is: that of the layers before it, times their strides.
        """
        guess = self._guess(layer, source)
        if not part.is_stage:
            self.adrift.add(guess)
        return guess

    def _guess(self, layer: LayerSpec, source: Node) -> Node:
        """What the layer would have given: its width and stride are known, whatever is wrong with it."""
        said = [both(each.get("stride", 1)) for each in (layer.arguments, layer.first, layer.last)]
        stride = max(down for down, _ in said), max(across for _, across in said)
        width, guessed = layer.arguments.get("width", source.channels), source.type
        if isinstance(guessed, FeatureMap):
            guessed = guessed.strided(stride if guessed.stride <= MOST else 1)
        guess = self._placed(Placeholder(guessed.with_channels(width))(name=layer.name), Origin())
        self.guesses.add(guess)
        self.scope.guesses[layer.name] = guess
        return guess
