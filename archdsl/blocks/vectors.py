"""The layers of a classifier: vectors from maps, and fully connected layers."""

from __future__ import annotations

from archdsl.blocks.conventions import Conventions
from archdsl.blocks.registry import Width, block
from archdsl.ir.node import Node
from archdsl.ir.ops import ActivationName, Dense, Flatten, GlobalAvgPool, GlobalMaxPool


@block
def global_avg_pool(x: Node, *, keep_sides: bool = False) -> Node:
    """Mean of each channel over the whole map. (H, W, C) -> (C).

    With `keep_sides` it is a map of one pixel, (1, 1, C).
    """
    return GlobalAvgPool(keep_sides)(x, name="pool")


@block
def global_max_pool(x: Node, *, keep_sides: bool = False) -> Node:
    """Largest value of each channel in the whole map. (H, W, C) -> (C).

    With `keep_sides` it is a map of one pixel, (1, 1, C).
    """
    return GlobalMaxPool(keep_sides)(x, name="pool")


@block
def flatten(x: Node) -> Node:
    """All values of a map of known size as one vector, row by row. (H, W, C) -> (H W C)."""
    return Flatten()(x, name="flatten")


@block
def dense(
    x: Node, *, units: Width, bias: bool = True, activation: ActivationName = "linear", style: Conventions
) -> Node:
    """A fully connected layer, the same for every place of a map or a sequence. (…, C) -> (…, units).

    `units` are not scaled. There is no activation unless one is given.
    """
    x = Dense(units, bias)(x, name="dense")
    return style.with_activation(activation).activate(x)
