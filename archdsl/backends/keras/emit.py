"""Graph → keras.Model. Importing this module imports Keras, so nothing does that before a model is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy
from numpy.random import default_rng

from archdsl.backends.drawing import glorot_uniform, truncated_normal
from archdsl.diagnostics.problems import fail
from archdsl.diagnostics.wording import describe
from archdsl.ir.emission import EmitContext
from archdsl.ir.graph import Graph


def emit(graph: Graph, input_tensor: Any = None, fresh: bool = True) -> dict[str, Any]:
    """Keras tensors of every node by name, a list for a Split. `input_tensor` takes the place of a new keras.Input.

    Without `fresh` kernels are zeros, to be loaded.
    """
    context = EmitContext(keras, _drawn if fresh else _zeros)
    begin = graph.input
    tensors = {begin.name: begin.op.emit(context, begin.name) if input_tensor is None else as_input(input_tensor)}
    named: set[int] = set()
    for node in graph.nodes[1:]:
        inputs = [tensors[source.name] for source in node.inputs]
        if node.owner is not None and node.owner.weights:  # the same layer once more
            tensors[node.name] = operation_of(tensors[node.owner.name])(*inputs)
            continue
        tensors[node.name] = node.op.emit(context, node.name, *inputs)
        _name_operation(tensors[node.name], node.name, named)
    return tensors


def as_input(tensor: Any) -> Any:
    """A model input as it is; the result of other layers, or an array, as a new input of the same shape and type.

    Keras does the same inside a model that begins in the middle of a graph, but loses sight of the feature maps.
    """
    if isinstance(operation_of(tensor), keras.layers.InputLayer):
        return tensor
    shape, dtype = tuple(tensor.shape), keras.backend.standardize_dtype(tensor.dtype)
    return keras.Input(shape[1:], batch_size=shape[0], dtype=dtype)


def operation_of(tensor: Any) -> Any:
    """The operation that a Keras tensor is the result of, None for an array."""
    history = getattr(tensor, "_keras_history", None)
    return history.operation if history else None


def _name_operation(result: Any, name: str, named: set[int]) -> None:
    """Splits and slices are operations, not layers, and only layers take a name when they are made."""
    operation = operation_of(result[0] if isinstance(result, list) else result)
    if not isinstance(operation, keras.Layer) and id(operation) not in named:
        operation.name = name
        named.add(id(operation))


def _drawn(stated: Any) -> Any:
    """Draws what `stated` would, by NumPy: Keras has a program compiled for every new shape where JAX is behind it."""
    draw = _DRAWN.get(type(stated))
    return stated if draw is None else lambda shape, dtype=None: keras.ops.convert_to_tensor(draw(stated, shape), dtype)


def _zeros(_: Any) -> Any:
    return lambda shape, dtype=None: keras.ops.convert_to_tensor(numpy.zeros(shape, dtype), dtype)


_DRAWN = {
    keras.initializers.GlorotUniform: lambda stated, shape: glorot_uniform(default_rng(stated.seed), shape),
    keras.initializers.TruncatedNormal: lambda stated, shape: truncated_normal(
        default_rng(stated.seed), shape, stated.stddev
    ),
}


@contextmanager
def dtype_policy(name: str | None) -> Iterator[None]:
    """Layers made inside compute as they did in the saved model, whatever the policy of this process is."""
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy(name or before)
    except (ValueError, TypeError):
        raise fail("value", f"Keras has no precision called {describe(name)}", path="dtype") from None
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
