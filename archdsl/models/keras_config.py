"""A functional Keras model → a config of the same network."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from archdsl.diagnostics.problems import ArchError, Problem, fail, problem
from archdsl.frontend.importers.network import INPUT, Entry, Layer, Names, Network
from archdsl.frontend.importers.network_config import Described, written
from archdsl.models.backbone import Backbone
from archdsl.models.keras_blocks import Unsayable, blocks_of, has_weights
from archdsl.weights.keras_walk import Walk

_MORE = {"activation": "_act", "rescale": "_scale"}  # what a layer does after its own work
_POOLS = ("global_avg_pool", "global_max_pool")


def config_of(model: Any, fold: bool = True) -> dict[str, Any]:
    """The config of a functional Keras model, as plain data: a stage for each stride, a block for layers that repeat.

    Built again, and given the weights with `archdsl.weights.load(built, model)`, it gives the same numbers. What has
    no effect on them, such as initializers and regularizers, is left out. Without `fold`, there is a layer for each of
    Keras's, with its name. The config of a Backbone is its own.

    Raises ArchError with a problem for each layer that the language has no words for, such as a Lambda.
    """
    if isinstance(model, Backbone) and not model.passes:
        return model.config
    _check_form(model)
    walk = _Layers({(0, id(model.inputs[0])): INPUT})
    for tensor in model.outputs:
        walk.reach(tensor)
    if walk.problems:
        raise ArchError(walk.problems)
    results = tuple([walk.result(tensor) for tensor in model.outputs])
    if INPUT in results:
        raise fail("model", f"'{model.name}' gives back its input; expected results of layers")
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", model.name).lstrip("_.-")[:64] or "model"
    described = Described(name, list(model.inputs[0].shape[1:]), _result_names(model))
    return written(Network(walk.needed(results), results, {}), described, fold)


def _check_form(model: Any) -> None:
    if not getattr(model, "inputs", None):
        raise fail("model", "a Keras model that is not functional; expected one made of layers")
    shapes = [tuple(each.shape) for each in model.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][-1] is None:
        raise fail("model", f"'{model.name}' has inputs of the shapes {shapes}; expected one image, (H, W, C)")


def _result_names(model: Any) -> list[str]:
    """The keys of the dict that the model gives, in the order of its `outputs`; else the names of the layers."""
    results = getattr(model, "_outputs_struct", None)
    if not isinstance(results, dict):
        return list(getattr(model, "output_names", [model.layers[-1].name]))  # a Sequential has none
    keys = {id(tensor): str(key) for key, tensor in results.items()}
    return [keys.get(id(tensor), name) for tensor, name in zip(model.outputs, model.output_names, strict=True)]


@dataclass
class _Layers(Walk[str]):
    """Layers by name, in the order that they run, and what is wrong with the others."""

    layers: dict[str, Layer] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    _names: Names = field(default_factory=Names)
    _first: dict[tuple[int, str], str] = field(default_factory=dict)  # of the Keras layers that own arrays

    def entered(self, tensor: Any, name: str) -> str:
        return name

    def picked(self, result: str, index: int) -> str:
        return result

    def result(self, tensor: Any) -> str:
        """The layer that a result of the model is."""
        return self._found[0, id(tensor)]

    def called(self, operation: Any, node: Any, read: tuple[str, ...]) -> str:
        try:
            kept = self._with_sides(operation, node, read)
            return self._added(operation, kept.entry, kept.reads) if kept else self._said(operation, node, read)
        except Unsayable as reason:
            self.problems.append(problem("model", f"the layer '{operation.name}' {reason}", path=operation.name))
            return read[0] if read else INPUT

    def _said(self, operation: Any, node: Any, read: tuple[str, ...]) -> str:
        for position, entry in enumerate(blocks_of(operation, node)):
            read = (self._added(operation, entry, read, _MORE.get(entry["block"], "") if position else ""),)
        return read[0]

    def _added(self, operation: Any, entry: Entry, read: tuple[str, ...], suffix: str = "") -> str:
        name = self._names.new(f"{operation.name}{suffix}")
        self.layers[name] = Layer(self._shared(operation, entry, name), read)
        return name

    def _shared(self, operation: Any, entry: Entry, name: str) -> Entry:
        """The entry; with the layer whose weights it uses, where the same Keras layer was called before."""
        if not has_weights(entry) or not getattr(operation, "weights", ()):
            return entry
        first = self._first.setdefault((id(operation), entry["block"]), name)
        return entry if first == name else {**entry, "share": first}

    def _with_sides(self, operation: Any, node: Any, read: tuple[str, ...]) -> Layer | None:
        """A pooling that is brought into the shape of a map of one pixel, as in squeeze-and-excitation, as one."""
        pool = self.layers.get(read[0]) if read and type(operation).__name__ == "Reshape" else None
        is_pixel = tuple(node.output_tensors[0].shape)[1:3] == (1, 1)
        if pool is None or not is_pixel or pool.entry["block"] not in _POOLS:
            return None
        return pool._replace(entry={**pool.entry, "keep_sides": True})

    def needed(self, results: Iterable[str]) -> dict[str, Layer]:
        """Without layers that nothing reads."""
        pending, found = list(results), {INPUT}
        while pending:
            name = pending.pop()
            if name not in found:
                found.add(name)
                pending += self.layers[name].reads
        return {name: layer for name, layer in self.layers.items() if name in found}
