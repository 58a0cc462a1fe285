"""The random arrays that training begins with, drawn by NumPy as Keras's initializers would. Needs no Keras."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy

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
        return _truncated(random, weight.shape) * numpy.float32(op.deviation)
    limit = (6 / sum(_fans(weight.shape))) ** 0.5  # Glorot and Bengio 2010, equation 16
    return random.uniform(-limit, limit, weight.shape).astype("float32")


def _truncated(random: numpy.random.Generator, shape: tuple[int, ...]) -> Array:
    """Normal numbers, those beyond two deviations drawn again."""
    found = random.standard_normal(shape).astype("float32")
    while (far := abs(found) > 2).any():
        found[far] = random.standard_normal(int(far.sum())).astype("float32")
    return found


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Numbers that a result is made of, and results that a number goes into."""
    *window, given, made = shape
    return prod(window) * given, prod(window) * made
