"""Darknet's .cfg, and its .weights → our config, or our .safetensors with both. Needs neither Keras nor Darknet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from archdsl.backends.atomic_write import written_whole
from archdsl.diagnostics.problems import Mark, fail
from archdsl.frontend.budget import DEFAULT, Budget
from archdsl.frontend.compose.config import load
from archdsl.frontend.importers.darknet import Network, config_text, network_of, source_of
from archdsl.frontend.lower import compile_graph
from archdsl.frontend.yaml.embedded import metadata
from archdsl.ir.graph import Graph, Node
from archdsl.weights.formats.contents import DamagedFile

if TYPE_CHECKING:
    from archdsl.weights.formats.contents import Array


def import_cfg(cfg: Path, output: Path, budget: Budget = DEFAULT) -> Graph:
    """Write the config that a .cfg describes, and return its graph. Raises ArchError, and writes nothing."""
    network = network_of(cfg)
    graph = compile_graph(load(source_of(network, cfg), (), budget), budget)
    with written_whole(output) as unfinished:
        unfinished.write_text(config_text(network, cfg.name), encoding="utf-8")
    return graph


def import_weights(cfg: Path, weights: Path, output: Path, budget: Budget = DEFAULT) -> Graph:
    """Write the weights of a .cfg with its config, and return its graph. Raises ArchError, and writes nothing.

    A batch norm's epsilon is the 1e-5 of Darknet on a GPU.
    """
    network = network_of(cfg)
    config = load(source_of(network, cfg), (), budget)
    graph = compile_graph(config, budget)
    values = _values(graph, network, weights)
    with written_whole(output) as unfinished:
        from archdsl.weights.formats.safetensors import write_arrays

        write_arrays(values, metadata(config.resolved, ()), unfinished)
    return graph


def _values(graph: Graph, network: Network, weights: Path) -> dict[Node, list[Array]]:
    """The arrays of each node in its order. Raises ArchError for a file that does not have exactly these."""
    from archdsl.weights.arrays import refuse_strange_numbers
    from archdsl.weights.formats.darknet import read

    mark = Mark(str(weights))
    try:
        if not weights.is_file():
            raise fail("missing-file", "there is no such weights file", mark=mark)
        read_arrays = dict(zip([conv.layer for conv in network.convs], read(weights, network.convs), strict=True))
    except DamagedFile as error:
        raise fail("weights", str(error), mark=mark) from None
    except OSError as error:
        raise fail("unreadable", f"cannot be read: {error.strerror or error}", mark=mark) from None
    nodes = [node for node in graph.nodes if node.weights]
    values = {node: [read_arrays[_layer_of(node)][weight.name] for weight in node.weights] for node in nodes}
    refuse_strange_numbers({node.name: arrays for node, arrays in values.items()}, mark)
    return values


def _layer_of(node: Node) -> str:
    """The layer whose block made a convolution or its norm: p3_conv_9 of p3_conv_9_bn."""
    return node.name.rpartition("_")[0]
