"""Graph → keras.Model. Importing this module imports Keras, so nothing does that before a model is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import keras

from archdsl.compiler import compile_graph
from archdsl.errors import did_you_mean, fail, one_of
from archdsl.ir import Graph
from archdsl.loader import load
from archdsl.passes import run_passes


@keras.saving.register_keras_serializable("archdsl")
class Backbone(keras.Model):  # type: ignore[misc]
    """A backbone as a functional Keras model that remembers its config.

    (batch, H, W, C) -> the last feature map. All feature maps are in `pyramid_outputs`; `features()` gives a
    model that returns several of them. A saved file holds the config and the weights, and needs archdsl to be
    loaded; `to_keras()` gives a model that does not.
    """

    def __init__(
        self,
        graph: Graph,
        config: Mapping[str, Any],
        input_tensor: Any = None,
        passes: Sequence[str] = (),
        **kwargs: Any,
    ):
        tensors = emit(graph, input_tensor)
        super().__init__(
            inputs=tensors[graph.input.name], outputs=tensors[graph.output.name], **{"name": graph.name, **kwargs}
        )
        self._graph = graph
        self._passes = tuple(passes)
        self._config_json = json.dumps(config)  # as text: Keras would wrap a mapping and hide that it is plain
        self._levels = _Untracked({level: tensors[node.name] for level, node in graph.levels.items()})
        self._side_layers = _side_layers(graph, tensors)  # Keras finds them here, and saves and trains them too

    @property
    def graph(self) -> Graph:
        """The graph it was emitted from."""
        return self._graph

    @property
    def passes(self) -> tuple[str, ...]:
        """Names of the passes between the config's graph and this one; none unless it is fused."""
        return tuple(self._passes)

    @property
    def config(self) -> dict[str, Any]:
        """The resolved config as plain data; built again, or from its YAML, it gives the same model."""
        return dict(json.loads(self._config_json))

    @property
    def pyramid_level_inputs(self) -> dict[str, str]:
        """Name of the layer that ends each level: {"P3": "p3_body_fuse_act", …}. Level PN has stride 2^N."""
        return {key: self._graph.levels[level].name for key, level in self._numbered_levels().items()}

    @property
    def pyramid_outputs(self) -> dict[str, Any]:
        """Symbolic feature map of each level: {"P3": KerasTensor of shape (batch, H/8, W/8, C), …}."""
        return {key: self._levels.value[level] for key, level in self._numbered_levels().items()}

    def features(self, levels: Iterable[str] | None = None) -> keras.Model:
        """A model from the image to a dict of feature maps, sharing this model's layers.

        `levels` are names such as "P3", or of stages; by default the config's `outputs`.
        Raises ArchError for a level that the backbone does not have.
        """
        maps = self._levels.value
        wanted = [self._level(name) for name in levels] if levels is not None else list(self._graph.outputs)
        return keras.Model(self.inputs[0], {level: maps[level] for level in wanted}, name=f"{self.name}_features")

    def to_keras(self) -> keras.Model:
        """The same layers as a plain keras.Model, whose file loads where archdsl is not installed."""
        return keras.Model(self.inputs[0], self.outputs[0], name=self.name)

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": self.dtype_policy.name,
            "config": self.config,
            "passes": list(self.passes),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Any = None) -> Backbone:
        loaded = load(config["config"])
        passes = config.get("passes", ())
        graph, _ = run_passes(compile_graph(loaded), names=passes)
        with _dtype_policy(config["dtype"]):
            model = cls(graph, loaded.resolved, passes=passes, name=config["name"])
        model.trainable = config["trainable"]
        return model

    def _numbered_levels(self) -> dict[str, str]:
        """Public key of each level that has a number, and its name in the graph."""
        return {level: level for level in self._graph.levels if level[0] == "P"}

    def _level(self, name: str) -> str:
        levels = self._graph.levels
        for level in levels:
            if level.lower() == str(name).lower():
                return level
        raise fail("unknown-output", f"no level '{name}'; {one_of(levels)}", hint=did_you_mean(str(name), levels))


def _side_layers(graph: Graph, tensors: Mapping[str, Any]) -> list[keras.Layer]:
    """Layers of levels that the last feature map does not depend on."""
    needed = graph.needed_by([graph.output])
    operations = [_operation(tensors[node.name]) for node in graph.nodes if node.name not in needed and node.weights]
    return [operation for operation in operations if isinstance(operation, keras.Layer)]


class _Untracked:
    """Holds a value out of reach of Keras, which searches the attributes of a model for layers."""

    def __init__(self, value: dict[str, Any]):
        self.value = value


def emit(graph: Graph, input_tensor: Any = None) -> dict[str, Any]:
    """Keras tensors of every node by name, a list for a Split. `input_tensor` takes the place of a new keras.Input."""
    begin = graph.input
    tensors = {begin.name: begin.op.emit(keras, begin.name) if input_tensor is None else as_input(input_tensor)}
    named: set[int] = set()
    for node in graph.nodes[1:]:
        tensors[node.name] = node.op.emit(keras, node.name, *[tensors[source.name] for source in node.inputs])
        _name_operation(tensors[node.name], node.name, named)
    return tensors


def as_input(tensor: Any) -> Any:
    """A model input as it is; the result of other layers, or an array, as a new input of the same shape and type.

    Keras does the same inside a model that begins in the middle of a graph, but loses sight of the feature maps.
    """
    if isinstance(_operation(tensor), keras.layers.InputLayer):
        return tensor
    shape, dtype = tuple(tensor.shape), keras.backend.standardize_dtype(tensor.dtype)
    return keras.Input(shape[1:], batch_size=shape[0], dtype=dtype)


def _operation(tensor: Any) -> Any:
    """What a Keras tensor is the result of, None for an array."""
    history = getattr(tensor, "_keras_history", None)
    return history.operation if history else None


def _name_operation(result: Any, name: str, named: set[int]) -> None:
    """Splits and slices are operations, not layers, and only layers take a name when they are made."""
    operation = _operation(result[0] if isinstance(result, list) else result)
    if not isinstance(operation, keras.Layer) and id(operation) not in named:
        operation.name = name
        named.add(id(operation))


@contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    """Layers made inside compute as they did in the saved model, whatever the policy of this process is."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
