"""What this package needs of a model: its graph, and the layers that hold the arrays of the graph's nodes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from archdsl.ir.graph import Graph


@runtime_checkable
class Model(Protocol):
    """An archdsl.Backbone, seen from below it. Layers are Keras's."""

    name: str

    @property
    def graph(self) -> Graph:
        """Nodes with the names and shapes of their arrays."""

    @property
    def config(self) -> dict[str, Any]:
        """The resolved config as plain data."""

    @property
    def passes(self) -> tuple[str, ...]:
        """Names of the passes between the config's graph and this one."""

    @property
    def layers(self) -> Sequence[Any]:
        """Layers on the path to the last feature map, in Keras's order."""

    @property
    def side_layers(self) -> Sequence[Any]:
        """Layers that only levels beside that path need."""

    @property
    def inputs(self) -> Sequence[Any]:
        """Its symbolic inputs."""

    @property
    def ends(self) -> Sequence[Any]:
        """All symbolic results that can be requested."""

    @property
    def layers_by_node(self) -> Mapping[str, Any]:
        """Every layer that owns weights by the name of its node."""

    def rebuilt(self, graph: Graph, config: Mapping[str, Any]) -> Model:
        """Another architecture as a model, its kernels zeros."""

    def get_config(self) -> dict[str, Any]:
        """What a saved file describes the model by."""

    def save_weights(self, path: str | os.PathLike[str]) -> None:
        """Write Keras's `.weights.h5`."""
