"""The random arrays that training begins with, without Keras."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from archdsl.backends.drawing import glorot_uniform, truncated_normal
from archdsl.ir.cost import Weight
from archdsl.ir.graph import Graph
from archdsl.ir.node import Node

if TYPE_CHECKING:
    from archdsl.ir.passes.rewrite import Array, Weights

_ONES = ("gamma", "moving_variance", "variance")
_ZEROS = ("beta", "moving_mean", "mean", "count")
_PRELU_SLOPE = 0.25  # He et al. 2015, section 2.1


def fresh_weights(graph: Graph, seed: int = 0) -> Weights:
    """Arrays of float32 for every node that owns any, by its name."""
    random = numpy.random.default_rng(seed)
    return {node.name: tuple([_fresh(node, each, random) for each in node.weights]) for node in graph.nodes}


def _fresh(node: Node, weight: Weight, random: numpy.random.Generator) -> Array:
    op: Any = node.op
    known = {
        **dict.fromkeys(_ONES, 1.0),
        **dict.fromkeys(_ZEROS, 0.0),
        "alpha": _PRELU_SLOPE,
        "bias": getattr(op, "initial_bias", 0.0),
        **({"kernel": op.initial} if hasattr(op, "initial") else {}),
    }
    if weight.name in known or len(weight.shape) < 2:
        return numpy.full(weight.shape, known.get(weight.name, 0.0), "float32")
    if hasattr(op, "deviation"):
        return truncated_normal(random, weight.shape, op.deviation)
    return glorot_uniform(random, weight.shape)
