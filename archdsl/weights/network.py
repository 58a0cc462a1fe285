"""A network without Keras: its graph, and the arrays of a weights file for it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy

from archdsl.diagnostics.problems import ArchError, Mark
from archdsl.frontend.budget import DEFAULT, UNLIMITED, Budget
from archdsl.frontend.compose.config import Config
from archdsl.frontend.lower import compile_graph
from archdsl.frontend.yaml.embedded import SUFFIX, carried_by
from archdsl.ir.graph import Graph
from archdsl.ir.node import Node
from archdsl.ir.passes import run_passes
from archdsl.weights.arrays import refuse_strange_numbers
from archdsl.weights.darknet import contents_of as darknet_contents
from archdsl.weights.fitting import matched_torch, misfits, read_node, with_hint
from archdsl.weights.formats import opened
from archdsl.weights.formats.contents import Contents
from archdsl.weights.fresh import fresh_weights
from archdsl.weights.matching import Match
from archdsl.weights.model import Model
from archdsl.weights.pytorch.units import owners_of

if TYPE_CHECKING:
    from archdsl.ir.passes.rewrite import Weights
    from archdsl.weights.formats.contents import Array

MOST_BYTES = 1 << 34  # that an archive may unpack to


class Network(NamedTuple):
    """A graph and the arrays of its nodes. `config` is the resolved one, `passes` are those the graph went through.

    `is_fresh` where the arrays are those that training begins with.
    """

    graph: Graph
    weights: Weights
    config: Mapping[str, Any]
    passes: tuple[str, ...] = ()
    is_fresh: bool = False


def network_of(
    config: Config,
    file: str | os.PathLike[str] | None = None,
    outputs: Sequence[str] = (),
    budget: Budget = DEFAULT,
) -> Network:
    """The network of a config with the weights of `file`, or else those that it carries itself, or else random ones.

    It gives `outputs`, stages or layers by name; by default those of the config, without the stages of a network that
    goes on behind them. Raises ArchError for a file that does not have the weights of every layer that these need.
    """
    carrier = Path(config.file) if config.file.endswith(SUFFIX) else None
    passes = carried_by(carrier).passes if carrier else ()
    config, graph = _whole(config, outputs, passes, budget)
    source = file if file is not None else carrier
    needed = _only(graph, outputs)
    weights = fresh_weights(graph) if source is None else _weights_of(graph, needed, config.name, Path(source))
    return Network(needed, weights, config.resolved, passes, is_fresh=source is None)


def network_with(config: Config, weights: Weights, outputs: Sequence[str], passes: Sequence[str]) -> Network:
    """The network of a config that went through `passes`, with arrays by the names of its nodes."""
    config, graph = _whole(config, outputs, passes, UNLIMITED)
    return Network(_only(graph, outputs), weights, config.resolved, tuple(passes))


def _whole(config: Config, outputs: Sequence[str], passes: Sequence[str], budget: Budget) -> tuple[Config, Graph]:
    """The config with these outputs and its graph, with what they do not need: a file may have the weights of all."""
    config = config.with_outputs(outputs, Mark("--outputs")) if outputs else config
    return config, run_passes(compile_graph(config, budget), names=passes)[0]


def _only(graph: Graph, outputs: Sequence[str]) -> Graph:
    return graph.only(_results(graph, [name.lower() for name in outputs]))


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


def _weights_of(graph: Graph, needed: Graph, name: str, file: Path) -> Weights:
    """The arrays of a graph; of what its results need, where they are found by names and not by structure."""
    mark = Mark(str(file))
    with opened(file, MOST_BYTES, unnamed=partial(darknet_contents, graph)) as contents:
        values, _ = read_weights(graph if contents.layout == "torch" else needed, name, contents, mark)
    return {node: tuple(arrays) for node, arrays in values.items()}


def read_weights(graph: Graph, name: str, contents: Contents, mark: Mark) -> tuple[dict[str, list[Array]], Match]:
    """The arrays of every node of a graph, and which layer of the file each is from.

    PyTorch's layers are matched by structure, ours by the names of nodes. What only the file has is left out. How an
    image is normalised is a setting for PyTorch. Raises ArchError where a layer is missing, or of another shape.
    """
    is_torch = contents.layout == "torch"
    found = matched_torch(graph, contents, partial=False, mark=mark) if is_torch else _by_name(contents)
    own = [node for node in graph.nodes if node.weights]
    nodes = {node.name: node for node in (owners_of(graph) if is_torch else own)}
    if problems := misfits(name, nodes, replace(found, surplus=()), mark):
        raise ArchError(with_hint(problems, contents))
    values = {node.name: unnormalized(node) for node in own if node.name not in nodes}
    values |= {node: read_node(nodes[node], found.pairs[node], mark) for node in nodes}
    refuse_strange_numbers(values, mark)
    return values, found


def unnormalized(node: Node) -> list[Array]:
    """The arrays of a layer that normalises by its own, as they begin: mean 0, variance 1, of no image."""
    return [numpy.full(weight.shape, float(weight.name == "variance"), "float32") for weight in node.weights]


def _by_name(contents: Contents) -> Match:
    """Layers that have the names of nodes, as archdsl writes them."""
    return Match("archdsl", "name", {stored.name: stored for stored in contents.layers}, (), ())
