"""Where several layers meet: sum, product, difference, and channels one after the other."""

from __future__ import annotations

from functools import reduce

from archdsl.blocks.registry import block
from archdsl.ir.node import Node
from archdsl.ir.ops import Add, Concat, Multiply, Subtract, WeightedSum
from archdsl.ir.ops.merging import Normalization


@block
def add(*inputs: Node) -> Node:
    """Sum of the layers in `from`. n × (…, C) -> (…, C)."""
    return Add()(*inputs, name="add")


@block
def concat(*inputs: Node) -> Node:
    """Channels of the layers in `from`, one after the other. (…, C₁), …, (…, Cₙ) -> (…, C₁ + … + Cₙ)."""
    return Concat()(*inputs, name="concat")


@block
def multiply(*inputs: Node) -> Node:
    """Product of the layers in `from`, such as a map and its gate. (…, C), gates -> (…, C).

    A gate has the shape of the first, or one number for each channel or each place.
    """
    return reduce(lambda product, gate: Multiply()(product, gate, name="multiply"), inputs)


@block
def subtract(*inputs: Node) -> Node:
    """The first of two layers in `from` minus the second. (…, C), (…, C) -> (…, C)."""
    return Subtract()(*inputs, name="subtract")


@block
def weighted_sum(*inputs: Node, normalization: Normalization = "relu", per_channel: bool = False) -> Node:
    """Sum of the layers in `from`, each times a factor that is learned. n × (…, C) -> (…, C).

    The factors sum to one: by relu(w) / (Σ relu(w) + 1e-4) (EfficientDet, Tan et al. 2020, section 3.3) or by softmax;
    with `none` they are the weights themselves, which begin at one.
    """
    return WeightedSum(normalization, per_channel)(*inputs, name="add")
