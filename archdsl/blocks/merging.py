"""Where several layers meet: sum, product, difference, and channels one after the other."""

from __future__ import annotations

from functools import reduce

from archdsl.blocks.registry import block
from archdsl.ir.graph import Node
from archdsl.ir.ops import Add, Concat, Multiply, Subtract


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
