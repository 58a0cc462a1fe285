"""A network without Keras: its graph, and the arrays of a weights file for it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from archdsl.diagnostics.problems import ArchError, Mark
from archdsl.frontend.budget import DEFAULT, UNLIMITED, Budget
from archdsl.frontend.compose.config import Config
from archdsl.frontend.lower import compile_graph
from archdsl.frontend.yaml.embedded import SUFFIX, carried_by
from archdsl.ir.graph import Graph, Node
from archdsl.ir.passes import run_passes
from archdsl.weights.arrays import refuse_strange_numbers
from archdsl.weights.fitting import misfits, read_node, with_hint
from archdsl.weights.formats import opened
from archdsl.weights.formats.contents import Contents
from archdsl.weights.fresh import fresh_weights
from archdsl.weights.matching import Match
from archdsl.weights.model import Model
from archdsl.weights.torch_matching import match_torch

if TYPE_CHECKING:
    from archdsl.ir.passes.rewrite import Weights

MOST_BYTES = 1 << 34  # that an archive may unpack to


class Network(NamedTuple):
    """A graph and the arrays of its nodes. `config` is the resolved one, `passes` are those the graph went through."""

    graph: Graph
    weights: Weights
    config: Mapping[str, Any]
    passes: tuple[str, ...] = ()


def network_of(
    config: Config,
    file: str | os.PathLike[str] | None = None,
    outputs: Sequence[str] = (),
    budget: Budget = DEFAULT,
) -> Network:
    """The network of a config with the weights of `file`, or else those that it carries itself, or else random ones.

    It gives `outputs`, stages or layers by name; by default those of the config, without the stages of a network that
    goes on behind them. Raises ArchError for a file that does not have the weights of every layer.
    """
    carrier = Path(config.file) if config.file.endswith(SUFFIX) else None
    passes = carried_by(carrier).passes if carrier else ()
    network = network_with(config, {}, outputs, passes, budget)
    source = file if file is not None else carrier
    graph = network.graph
    weights = fresh_weights(graph) if source is None else _weights_of(graph, config.name, Path(source))
    return network._replace(weights=weights)


def network_with(
    config: Config, weights: Weights, outputs: Sequence[str], passes: Sequence[str], budget: Budget = UNLIMITED
) -> Network:
    """The network of a config that went through `passes`, with arrays by the names of its nodes."""
    config = config.with_outputs(outputs, Mark("--outputs")) if outputs else config
    graph, _ = run_passes(compile_graph(config, budget), names=passes)
    graph = graph.only(_results(graph, [name.lower() for name in outputs]))
    return Network(graph, weights, config.resolved, tuple(passes))


def arrays_of(model: Model) -> Weights:
    """The arrays of a model in memory, by the names of its nodes."""
    return {name: tuple(layer.get_weights()) for name, layer in model.layers_by_node.items()}


def _results(graph: Graph, names: Sequence[str]) -> dict[str, Node]:
    """The outputs of these names, or of the layers that are run for each level of these names."""
    if names:
        return {name: node for name, node in graph.outputs.items() if _is_among(name.lower(), names)}
    behind = {name: node for name, node in graph.outputs.items() if name not in graph.levels}
    return behind or dict(graph.outputs) or {"output": graph.output}


def _is_among(output: str, names: Sequence[str]) -> bool:
    return any(f"{output}_".startswith(f"{name}_") for name in names)


def _weights_of(graph: Graph, name: str, file: Path) -> Weights:
    mark = Mark(str(file))
    with opened(file, MOST_BYTES) as contents:
        is_torch = contents.layout == "torch"
        found = match_torch(graph, contents, partial=False, mark=mark) if is_torch else _by_name(contents)
        nodes = {node.name: node for node in graph.nodes if node.weights}
        if problems := misfits(name, nodes, replace(found, surplus=()), mark):
            raise ArchError(with_hint(problems, contents))
        values = {node: tuple(read_node(nodes[node], found.pairs[node], mark)) for node in nodes}
    refuse_strange_numbers(values, mark)
    return values


def _by_name(contents: Contents) -> Match:
    """Layers that have the names of nodes, as archdsl writes them."""
    return Match("archdsl", "name", {stored.name: stored for stored in contents.layers}, (), ())
