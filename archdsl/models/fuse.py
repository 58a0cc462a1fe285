"""A trained model → the same with fewer layers, for deployment. Checks itself."""

from __future__ import annotations

from math import ceil
from typing import Any

import keras
import numpy

from archdsl.diagnostics.problems import ArchError, fail, problem
from archdsl.frontend.budget import UNLIMITED
from archdsl.ir.graph import Graph, ShapeError, TensorType
from archdsl.ir.ops import Rescale
from archdsl.ir.passes import PASSES, run_passes
from archdsl.ir.passes.rewrite import Weights
from archdsl.models.backbone import Backbone

TOLERANCE = 1e-4  # of the largest value of a feature map
SMALLEST_SIDE, LARGEST_SIDE = 64, 4096  # of the image that the check tries, in pixels


def fuse(model: Backbone) -> Backbone:
    """The same function with batch norms, padding, rescaling and parallel branches folded into convolutions.

    The result is a Backbone again, a functional model of stock Keras layers with the same levels, `features()` and
    `to_keras()`. It is saved as its config and the names of the passes, which lead to the same graph again when it
    is loaded; a file that loads where archdsl is not installed is written by `to_keras()`. Its `config` is that of
    the model before. It is for inference: what it lacks, training needs. A fused model is returned as it is.

    Both models are run on a random batch in double precision. Raises ArchError when any level differs by more than
    1e-4 of its largest value, and for a model that is not a Backbone.
    """
    if not isinstance(model, Backbone):
        hint = "fuse the Backbone first, then take its features() or to_keras()"
        raise fail("model", f"'{getattr(model, 'name', model)}' is not an archdsl.Backbone", hint=hint)
    if model.passes:
        return model
    _, weights = run_passes(model.graph, _weights_of(model))
    fused = _built(model, weights, passes=list(PASSES))
    _check_same(_in_double(model), _in_double(fused))
    return fused


def _built(model: Backbone, weights: Weights | None, **changes: Any) -> Backbone:
    """Built again from its config, as loading a file does, with `changes` to what the file would say."""
    built = Backbone.from_saved({**Backbone.get_config(model), **changes}, UNLIMITED)  # what was built here once
    for layer in _all_levels(built).layers:
        if layer.weights and weights:
            layer.set_weights(weights[layer.name])
    return built


def _weights_of(model: Backbone) -> Weights:
    return {layer.name: tuple(layer.get_weights()) for layer in _all_levels(model).layers if layer.weights}


def _in_double(model: Backbone) -> Backbone:
    """The model in double precision: a deep one can blow up the rounding of float32, which the check is not for."""
    return _built(model, _weights_of(model), dtype="float64")


def _all_levels(model: Backbone) -> keras.Model:
    """A model of the last feature map and of every level, in the order of the graph's."""
    maps = model.features(model.graph.levels).output
    return keras.Model(model.inputs[0], [model.outputs[0], *[maps[level] for level in model.graph.levels]])


def _check_same(model: Backbone, fused: Backbone) -> None:
    """Raise ArchError where a level differs for a random batch."""
    batch = _random_batch(model.graph)
    names = ["the last feature map", *[f"level {level}" for level in model.graph.levels]]
    problems = []
    for name, expected, received in zip(names, _maps(model, batch), _maps(fused, batch), strict=True):
        difference = relative_difference(expected, received)
        if not difference <= TOLERANCE:  # so that what is not a number is refused too
            message = f"{name} of '{model.name}' differs by {difference:.1e} after fusing; expected at most {TOLERANCE}"
            problems.append(problem("fuse", message))
    if problems:
        raise ArchError(problems)


def relative_difference(expected: Any, received: Any) -> float:
    """Largest difference of two arrays, as a part of the largest value; not a number where they have such."""
    difference, largest = numpy.abs(expected - received).max(), numpy.abs(expected).max()
    return float(difference / max(largest, numpy.finfo("float64").tiny))


def _maps(model: Backbone, batch: Any) -> list[Any]:
    """On the processor, which every machine has memory for, and where double precision is fast enough."""
    with keras.device("cpu"):
        return [keras.ops.convert_to_numpy(found) for found in _all_levels(model)(batch, training=False)]


def _random_batch(graph: Graph) -> Any:
    """Two images of random pixels, of 0 … 255 where the graph rescales them."""
    brightest = 255 if any(isinstance(node.op, Rescale) for node in graph.nodes) else 1
    shape = 2, *_sides(graph), graph.input.channels
    return numpy.random.default_rng(0).uniform(0, brightest, shape)


def _sides(graph: Graph) -> tuple[int, int]:
    """Height and width for the check: those of the graph, else small multiples of its largest stride that it takes."""
    height, image_width, _ = graph.input.type.shape
    step = ceil(max(node.type.stride for node in graph.nodes))
    for side in range(step * ceil(SMALLEST_SIDE / step), LARGEST_SIDE + 1, step):
        sides = height or side, image_width or side + step
        if _takes(graph, sides):
            return sides
    raise fail("fuse", f"'{graph.name}' takes no image of up to {LARGEST_SIDE} pixels a side to be checked with")


def _takes(graph: Graph, sides: tuple[int, int]) -> bool:
    """Whether every operation fits its inputs for an image of (height, width)."""
    types = {graph.input: TensorType(*sides, graph.input.channels)}
    try:
        for node in graph.nodes[1:]:
            types[node] = node.op.infer(*[types[source] for source in node.inputs])
    except ShapeError:
        return False
    return True
