"""Whether the modules of a checkpoint compute what the nodes of a graph do, where the checkpoint tells.

Activations and the epsilons of norms are in no array: with others, every number is wrong, without an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from archdsl.ir.graph import Graph
from archdsl.ir.ops import Activation, BatchNorm
from archdsl.weights.formats.described import Described
from archdsl.weights.formats.pickle_data import Record

_FUNCTIONS = {
    "GELU": "gelu",
    "Hardswish": "hard_swish",
    "LeakyReLU": "leaky_relu",
    "Mish": "mish",
    "ReLU": "relu",
    "SiLU": "silu",
}


def other_settings(graph: Graph, modules: Sequence[Any]) -> Iterator[str]:
    """Facts about settings that only the checkpoint has."""
    ours, theirs = set(_settings_of(graph)), set(_settings_in(modules))
    for kind, found in sorted(theirs - ours):
        own = " and ".join([each for other, each in sorted(ours) if other == kind]) or "none"
        yield f"the {kind} of the file is {found}; of the network {own}"


def _settings_of(graph: Graph) -> Iterator[tuple[str, str]]:
    for node in graph.nodes:
        if isinstance(node.op, Activation):
            yield _activation(node.op.function, node.op.slope)
        elif isinstance(node.op, BatchNorm):
            yield "epsilon", f"{node.op.epsilon:.3g}"


def _settings_in(modules: Sequence[Any]) -> Iterator[tuple[str, str]]:
    """A loop: their number is bounded, how deep they are is not by much. What has no state tells nothing."""
    pending = [*modules]
    while pending:
        module = pending.pop()
        if not isinstance(module, Record) or not isinstance(module.state, dict):
            continue
        described = Described.of(module)
        pending += described.inside.values()
        slope, epsilon = described.state.get("negative_slope"), described.state.get("eps")
        if described.kind in _FUNCTIONS:
            yield _activation(_FUNCTIONS[described.kind], slope if isinstance(slope, float) else 0.0)
        elif described.kind == "BatchNorm2d" and isinstance(epsilon, float):
            yield "epsilon", f"{epsilon:.3g}"


def _activation(function: str, slope: float) -> tuple[str, str]:
    return "activation", f"{function} with a slope of {slope:.3g}" if function == "leaky_relu" else function
