"""The model class: a functional Keras model that remembers its config."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras

from archdsl.backends.keras.emit import dtype_policy, emit, operation_of
from archdsl.diagnostics.problems import ArchError, fail
from archdsl.diagnostics.wording import did_you_mean, one_of
from archdsl.frontend.budget import Budget, for_saved_models
from archdsl.frontend.compose.config import load
from archdsl.frontend.importers.saved_model import SavedBackbone, checked, without_parents
from archdsl.frontend.lower import compile_graph
from archdsl.ir.graph import Graph
from archdsl.ir.passes import run_passes


@keras.saving.register_keras_serializable("archdsl")
class Backbone(keras.Model):  # type: ignore[misc]
    """A network as a functional Keras model that remembers its config.

    (batch, H, W, C) -> the last feature map; or the results that the config names, as a dict. The map of every level is
    in `pyramid_outputs`; `features()` gives a model that returns several results. A saved file holds the config and the
    weights, and needs archdsl to be loaded; `to_keras()` gives a model that does not. Without `fresh` the kernels are
    zeros, which is quicker, for weights that are about to be loaded.
    """

    def __init__(
        self,
        graph: Graph,
        config: Mapping[str, Any],
        input_tensor: Any = None,
        passes: Sequence[str] = (),
        fresh: bool = True,
        **kwargs: Any,
    ):
        tensors = emit(graph, input_tensor, fresh)
        results: Any = {name: tensors[graph.outputs[name].name] for name in graph.named} or tensors[graph.output.name]
        super().__init__(inputs=tensors[graph.input.name], outputs=results, **{"name": graph.name, **kwargs})
        self._graph = graph
        self._passes = tuple(passes)
        self._config_json = json.dumps(config)  # as text: Keras would wrap a mapping and hide that it is plain
        self._ends = _Untracked({node.name: tensors[node.name] for node in graph.ends})
        maps = {**graph.levels, **graph.outputs}
        self._maps = _Untracked({name: tensors[node.name] for name, node in maps.items()})
        self._tensors = _Untracked(dict(tensors))
        self._side_layers = _side_layers(graph, tensors)  # Keras finds them here, and saves and trains them too
        if graph.freeze:
            self._freeze(node.name for node in graph.nodes if graph.is_frozen(node))

    def _repr_svg_(self) -> Any:
        """The picture that a notebook shows."""
        return self._graph._repr_svg_()

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
    def side_layers(self) -> tuple[keras.layers.Layer, ...]:
        """Layers that only levels beside the path to the last feature map need; `layers` holds the others."""
        return tuple(self._side_layers)

    @property
    def ends(self) -> list[Any]:
        """Symbolic tensors of all nodes that can be requested: results, outputs and levels."""
        return list(self._ends.value.values())

    @property
    def layers_by_node(self) -> dict[str, keras.layers.Layer]:
        """Every layer that owns weights by the name of its node, which is also its own."""
        return {layer.name: layer for layer in (*self.layers, *self._side_layers) if layer.weights}

    @property
    def pyramid_level_inputs(self) -> dict[str, str]:
        """Name of the layer that ends each level: {"P3": "p3_body_fuse_act", …}. Level PN has stride 2^N."""
        return {key: self._graph.levels[level].name for key, level in self._numbered_levels().items()}

    @property
    def pyramid_outputs(self) -> dict[str, Any]:
        """Symbolic feature map of each level: {"P3": KerasTensor of shape (batch, H/8, W/8, C), …}."""
        return {key: self._maps.value[level] for key, level in self._numbered_levels().items()}

    def features(self, levels: Iterable[str] | None = None) -> keras.Model:
        """A model from the image to a dict of feature maps, sharing this model's layers.

        `levels` are names such as "P3", of stages and outputs, or all that a config can name in its `outputs`, such as
        "head_box_n3"; by default the config's `outputs`. Raises ArchError for a name that the network does not have.
        """
        wanted: dict[str, Any] = {}
        for name in self._graph.outputs if levels is None else levels:
            wanted |= self._feature(str(name))
        return keras.Model(self.inputs[0], wanted, name=f"{self.name}_features")

    def _feature(self, name: str) -> dict[str, Any]:
        """What a name means, of a level in any case; a layer that ran for each of several has all its results."""
        maps = self._maps.value
        known = next((level for level in maps if level.lower() == name.lower()), None)
        if known is not None:
            return {known: maps[known]}
        try:
            found = compile_graph(load({**self.config, "outputs": [name]}), for_saved_models()).outputs
            asked = {level: node for level, node in found.items() if f"{level}_".startswith(f"{name}_")}
            return {level: self._tensors.value[node.name] for level, node in asked.items()}
        except ArchError as error:  # it names the nearest layer
            hint = error.problems[0].hint
        except KeyError:  # fusing leaves fewer
            hint = "ask the model before it is fused"
        raise fail("unknown-output", f"no level '{name}'; {one_of(maps)}", hint=did_you_mean(name, maps) or hint)

    def to_keras(self) -> keras.Model:
        """The same layers as a plain keras.Model, whose file loads where archdsl is not installed."""
        return keras.Model(self.inputs[0], self.output, name=self.name)

    def save_to_preset(self, folder: str | os.PathLike[str]) -> None:
        """Write a folder that `archdsl.from_preset` reads: the config as YAML, the weights as safetensors.

        It is written whole or not at all; a preset that is there already is replaced. Raises ArchError for a
        folder with anything else in it, and when it cannot be written.
        """
        from archdsl.models.hub.preset_folder import write_folder

        write_folder(self, folder)

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            **self._state(),
            "config": self.config,
            "passes": list(self.passes),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Any = None) -> Backbone:
        """The model that `get_config` describes. It may come from anybody's file, so it has a budget.

        Raises ArchError for anything that `get_config` does not write, and beyond Budget.for_saved_models.
        """
        return cls.from_saved(config, for_saved_models())

    @classmethod
    def from_saved(cls, config: Mapping[str, Any], budget: Budget, fresh: bool = True) -> Backbone:
        """from_config with another budget. Without `fresh` the kernels are zeros."""
        saved = checked(SavedBackbone, config, budget)
        loaded = load(without_parents(saved.config), (), budget)
        graph, _ = run_passes(compile_graph(loaded, budget), names=saved.passes)
        with dtype_policy(saved.dtype):
            model = cls(graph, loaded.resolved, passes=saved.passes, fresh=fresh, name=saved.name or graph.name)
        model.restore_state(saved.state)
        return model

    def rebuilt(self, graph: Graph, config: Mapping[str, Any]) -> Backbone:
        """Another architecture as a plain Backbone, its kernels zeros."""
        return Backbone(graph, config, fresh=False)

    def _state(self) -> dict[str, Any]:
        """The state that a saved model keeps beside its architecture."""
        frozen = [name for name, layer in self.layers_by_node.items() if not layer.trainable]
        return {"trainable": self.trainable, "dtype": self.dtype_policy.name, "frozen": frozen}

    def restore_state(self, state: Mapping[str, Any]) -> None:
        """Set which layers are trained, as a saved model has it."""
        self.trainable = state.get("trainable", True)
        if "frozen" in state:
            self._freeze(state["frozen"])

    def _freeze(self, names: Iterable[str]) -> None:
        """Stop training the layers of these nodes, and no others; their batch norms keep their statistics."""
        frozen = set(names)
        for name, layer in self.layers_by_node.items():
            layer.trainable = name not in frozen

    def _numbered_levels(self) -> dict[str, str]:
        """Public key of each level that has a number, and its name in the graph."""
        return {level: level for level in self._graph.levels if level[0] == "P"}


def _side_layers(graph: Graph, tensors: Mapping[str, Any]) -> list[keras.Layer]:
    """Layers of levels and outputs that the result does not depend on."""
    needed = graph.needed_by(graph.results)
    operations = [operation_of(tensors[node.name]) for node in graph.nodes if node not in needed and node.weights]
    return [operation for operation in operations if isinstance(operation, keras.Layer)]


class _Untracked:
    """Holds a value out of reach of Keras, which searches the attributes of a model for layers."""

    def __init__(self, value: dict[str, Any]):
        self.value = value
