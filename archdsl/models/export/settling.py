"""The statistics of batch norms that no training has gathered: those of one random image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archdsl.analysis.trial_images import random_images, trial_sides
from archdsl.backends.form import Form
from archdsl.ir.node import Node
from archdsl.ir.ops import BatchNorm, GroupNorm, Input
from archdsl.ir.passes.rewrite import Change, rewrite
from archdsl.ir.types import FeatureMap
from archdsl.models.export.formats import Format

if TYPE_CHECKING:
    from archdsl.backends.runtimes import Array
    from archdsl.ir.passes.rewrite import Arrays
    from archdsl.weights.network import Network


def settled(network: Network, chosen: Format) -> Network:
    """A network without training, with the mean and variance of all that each batch norm reads of one random image.

    With those that training begins with, 0 and 1, values shrink from layer to layer, until what a deep network gives
    depends on no image, and no step of int8 is small enough. They are computed by what the format is compared with.
    """
    graph = network.graph
    norms = [node for node in graph.nodes if isinstance(node.op, BatchNorm)]
    if not norms:
        return network
    sides = trial_sides(graph)
    changes = {node: _over_the_image(node) for node in norms}
    changes[graph.input] = Change(Input(FeatureMap(*sides, graph.input.channels)), ())
    normalised, weights = rewrite(graph, network.weights, changes, {})
    names = {node.name for node in norms if node.owner is None}
    read = {f"{node.name} reads": node.inputs[0] for node in normalised.nodes if node.name in names}
    run = chosen.expected(network._replace(graph=normalised.only(read), weights=weights or {}), Form(batch=1))
    values = run(random_images(normalised, 1, sides).astype("float32"))
    found = {name: _with_statistics(network.weights[name], values[f"{name} reads"]) for name in names}
    return network._replace(weights={**network.weights, **found})


def _over_the_image(norm: Node) -> Change:
    """The same normalisation by the mean and variance of this image, over all channels: a last map has few pixels."""
    op, name = norm.op, norm.name
    return Change(
        GroupNorm(1, op.epsilon, op.center, op.scale),  # type: ignore[attr-defined]
        norm.inputs,
        None if norm.owner else lambda weights: weights[name][:-2],
    )


def _with_statistics(arrays: Arrays, read: Array) -> Arrays:
    import numpy

    *affine, mean, variance = arrays
    return *affine, numpy.full_like(mean, read.mean()), numpy.full_like(variance, read.var())
