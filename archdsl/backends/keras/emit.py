"""Graph → keras.Model. Importing this module imports Keras, so nothing does that before a model is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import keras

from archdsl.diagnostics.problems import fail
from archdsl.diagnostics.wording import describe
from archdsl.ir.graph import Graph


def emit(graph: Graph, input_tensor: Any = None, fresh: bool = True) -> dict[str, Any]:
    """Keras tensors of every node by name, a list for a Split. `input_tensor` takes the place of a new keras.Input.

    Without `fresh` no random kernels are drawn.
    """
    with nullcontext(keras) if fresh else _zero_kernels() as library:
        return _emit(graph, input_tensor, library)


def _emit(graph: Graph, input_tensor: Any, library: Any) -> dict[str, Any]:
    begin = graph.input
    tensors = {begin.name: begin.op.emit(keras, begin.name) if input_tensor is None else as_input(input_tensor)}
    named: set[int] = set()
    for node in graph.nodes[1:]:
        tensors[node.name] = node.op.emit(library, node.name, *[tensors[source.name] for source in node.inputs])
        _name_operation(tensors[node.name], node.name, named)
    return tensors


_KERNEL_INITIALIZERS = {"Conv2D": "kernel_initializer", "DepthwiseConv2D": "depthwise_initializer"}


@contextmanager
def _zero_kernels() -> Iterator[Any]:
    """Keras, but its convolutions start from zeros: drawing their kernels is a third of the time a model takes.

    Afterwards a layer says of itself what it would say if it had been fresh.
    """
    made: list[tuple[Any, str]] = []

    def quicker(name: str, argument: str) -> Any:
        def make(*arguments: Any, **options: Any) -> Any:
            layer = getattr(keras.layers, name)(*arguments, **{argument: "zeros", **options})
            made.extend([(layer, argument)] if argument not in options else [])
            return layer

        return make

    layers = {name: quicker(name, argument) for name, argument in _KERNEL_INITIALIZERS.items()}
    yield SimpleNamespace(**{**vars(keras), "layers": SimpleNamespace(**{**vars(keras.layers), **layers})})
    for layer, argument in made:
        setattr(layer, argument, keras.initializers.GlorotUniform())


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
