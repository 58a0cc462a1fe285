"""A trained model → the same with fewer layers, for deployment. Checks itself."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import Any

import keras
import numpy

from archdsl.analysis.trial_images import random_images, trial_sides
from archdsl.backends.keras.arrays import fill
from archdsl.backends.keras.inference import inferred
from archdsl.diagnostics.problems import ArchError, Problem, fail, problem
from archdsl.frontend.budget import UNLIMITED
from archdsl.ir.passes import PASSES, run_passes
from archdsl.ir.passes.rewrite import Weights
from archdsl.models.backbone import Backbone

TOLERANCE = 1e-4  # of the largest value of a feature map


def fuse(model: Backbone) -> Backbone:
    """The same function with batch norms, padding, rescaling and parallel branches folded into convolutions.

    The result is a Backbone again, a functional model of stock Keras layers with the same levels, `features()` and
    `to_keras()`. It is saved as its config and the names of the passes, which lead to the same graph again when it
    is loaded; a file that loads where archdsl is not installed is written by `to_keras()`. Its `config` is that of
    the model before. It is for inference: what it lacks, training needs. A fused model is returned as it is.

    Both are run on small random images, whatever size the model is built for, and once more in double precision if
    they differ: the rounding of single precision can blow up in a deep one. Raises ArchError
    when any level differs by more than 1e-4 of its largest value, and for a model that is not a Backbone.
    """
    if not isinstance(model, Backbone):
        hint = "fuse the Backbone first, then take its features() or to_keras()"
        raise fail("model", f"'{getattr(model, 'name', model)}' is not an archdsl.Backbone", hint=hint)
    if model.passes:
        return model
    _, weights = run_passes(model.graph, _weights_of(model))
    fused = _built(model, weights or {}, passes=list(PASSES))
    _check_same(model, fused)
    return fused


def _built(model: Backbone, weights: Weights, **changes: Any) -> Backbone:
    """Builds the model again from its config, as loading a file does, with `changes` to the saved config."""
    saved = {**Backbone.get_config(model), **changes}
    built = Backbone.from_saved(saved, UNLIMITED, fresh=False)  # what was built here once
    for layer in _all_levels(built).layers:
        if layer.weights:
            fill(layer, weights[layer.name])
    return built


def _weights_of(model: Backbone) -> Weights:
    return {layer.name: tuple(layer.get_weights()) for layer in _all_levels(model).layers if layer.weights}


def _all_levels(model: Backbone) -> keras.Model:
    """A model of all that can be requested: the results, then the levels and outputs by name."""
    return keras.Model(model.inputs[0], [*model.outputs, *model.features(_names(model)).outputs])


def _names(model: Backbone) -> list[str]:
    return sorted({*model.graph.levels, *model.graph.outputs})  # as Keras orders the outputs of a model


def _check_same(model: Backbone, fused: Backbone) -> None:
    """Raise ArchError where a level differs for a random batch."""
    batch = random_images(model.graph, 2, trial_sides(model.graph))
    problems = _differences(model, fused, batch, "float32") and _differences(model, fused, batch, "float64")
    if problems:
        raise ArchError(problems)


def _differences(model: Backbone, fused: Backbone, batch: Any, dtype: str) -> list[Problem]:
    """The levels that differ for a batch, computed in this precision."""
    expected, received = _maps(model, batch, dtype), _maps(fused, batch, dtype)
    problems = []
    names = [*[""] * len(model.outputs), *_names(model)]
    for name, one, other in zip(names, expected, received, strict=True):
        difference = relative_difference(one, other)
        if not difference <= TOLERANCE:  # so that what is not a number is refused too
            place = f"level {name}" if name else "the result"
            fact = f"{place} of '{model.name}' differs by {difference:.1e} after fusing"
            problems.append(problem("fuse", f"{fact}; expected at most {TOLERANCE}"))
    return problems


def relative_difference(expected: Any, received: Any) -> float:
    """Largest difference of two arrays, as a part of the largest value; not a number where they have such."""
    difference, largest = numpy.abs(expected - received).max(), numpy.abs(expected).max()
    return float(difference / max(largest, numpy.finfo("float64").tiny))


def _maps(model: Backbone, batch: Any, dtype: str) -> list[Any]:
    """The feature maps of the model in this precision, on the processor: fast enough for both on every machine."""
    config = {**model.config, "input": {**model.config.get("input", {}), "shape": list(batch.shape[1:])}}
    with keras.device("cpu"), _float64_enabled():
        built = _built(model, _weights_of(model), config=config, dtype=dtype)
        return [keras.ops.convert_to_numpy(found) for found in inferred(_all_levels(built), batch)]


def _float64_enabled() -> AbstractContextManager[Any]:
    """JAX takes float64 for float32 unless it is told otherwise."""
    if keras.backend.backend() != "jax":
        return nullcontext()
    jax = import_module("jax")
    if not hasattr(jax, "enable_x64"):  # before JAX 0.8
        jax = import_module("jax.experimental")
    enabled: AbstractContextManager[Any] = jax.enable_x64(True)
    return enabled
