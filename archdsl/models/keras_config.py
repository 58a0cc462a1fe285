"""A functional Keras model → a config of the same network."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from keyword import iskeyword
from typing import Any, NamedTuple

from archdsl.diagnostics.problems import ArchError, Problem, fail, problem
from archdsl.frontend.sema.resolve_stages import RESERVED
from archdsl.models.backbone import Backbone
from archdsl.models.keras_blocks import Entry, Unsayable, blocks_of, has_weights
from archdsl.weights.keras_walk import Walk

INPUT = "input"
STAGE = "net"
_POOLS = ("global_avg_pool", "global_max_pool")


class _Layer(NamedTuple):
    """A layer of the config: what it reads, and its block."""

    entry: Entry
    reads: tuple[str, ...]


def config_of(model: Any) -> dict[str, Any]:
    """The config of a functional Keras model, as plain data: one stage whose layers have the names of Keras's.

    Built again, and given the weights with `archdsl.weights.load(built, model)`, it gives the same numbers. What has
    no effect on them, such as initializers and regularizers, is left out. The config of a Backbone is its own.

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
    return _config(model, walk)


def _check_form(model: Any) -> None:
    if not getattr(model, "inputs", None):
        raise fail("model", "a Keras model that is not functional; expected one made of layers")
    shapes = [tuple(each.shape) for each in model.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][-1] is None:
        raise fail("model", f"'{model.name}' has inputs of the shapes {shapes}; expected one image, (H, W, C)")


def _config(model: Any, walk: _Layers) -> dict[str, Any]:
    results = [walk.result(tensor) for tensor in model.outputs]
    layers = walk.needed(results)
    norm = _usual_norm(layers.values())
    return {
        "archdsl": 1,
        "name": re.sub(r"[^A-Za-z0-9_.-]", "_", model.name).lstrip("_.-")[:64] or "model",
        "input": {"shape": list(model.inputs[0].shape[1:])},
        "conventions": {"padding": "same", **({"norm": norm} if norm else {})},
        "stages": {STAGE: {"post": _stated(layers, norm)}},
        "outputs": _outputs(model, results),
    }


def _outputs(model: Any, results: Sequence[str]) -> list[str] | dict[str, str]:
    """One result as it is, the last layer; several under the names that Keras has for them."""
    sources = [f"{STAGE}_{name}" for name in results]
    if len(sources) == 1:
        return sources
    names = _Names()
    return {names.new(name): source for name, source in zip(_result_names(model), sources, strict=True)}


def _result_names(model: Any) -> list[str]:
    """The keys of the dict that the model gives, in the order of its `outputs`; else the names of the layers."""
    results = getattr(model, "_outputs_struct", None)
    if not isinstance(results, dict):
        return list(model.output_names)
    keys = {id(tensor): str(key) for key, tensor in results.items()}
    return [keys.get(id(tensor), name) for tensor, name in zip(model.outputs, model.output_names, strict=True)]


def _usual_norm(layers: Iterable[_Layer]) -> Entry:
    """The arguments of the batch norm that there are most of, which become the conventions."""
    found = [layer.entry for layer in layers if layer.entry.get("kind") == "batch"]
    counts = Counter(tuple(entry.items()) for entry in found)
    return {name: value for name, value in counts.most_common(1)[0][0] if name != "block"} if counts else {}


def _stated(layers: dict[str, _Layer], norm: Entry) -> dict[str, Entry]:
    """The layers as a config has them, without what they need not say."""
    stated, before = {}, INPUT
    for name, layer in layers.items():
        is_usual = bool(norm) and layer.entry == {"block": "norm", **norm}
        entry = {"block": "norm"} if is_usual else layer.entry
        read = list(layer.reads) if len(layer.reads) > 1 else layer.reads[0]
        stated[name] = dict(entry) if read == before else {**entry, "from": read}
        before = name
    return stated


class _Names:
    """Names of layers as a config can have them, each once."""

    def __init__(self) -> None:
        self._taken = {INPUT}

    def new(self, name: str) -> str:
        plain = re.sub(r"[^a-z0-9_]+", "_", name.lower())[:48]
        if not plain[:1].isalpha() or plain in RESERVED or iskeyword(plain):
            plain = f"layer_{plain.lstrip('_')}"
        number, free = 1, plain
        while free in self._taken:
            number += 1
            free = f"{plain}_{number}"
        self._taken.add(free)
        return free


@dataclass
class _Layers(Walk[str]):
    """Layers by name, in the order that they run, and what is wrong with the others."""

    layers: dict[str, _Layer] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    _names: _Names = field(default_factory=_Names)
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
        for entry in blocks_of(operation, node):
            read = (self._added(operation, entry, read),)
        return read[0]

    def _added(self, operation: Any, entry: Entry, read: tuple[str, ...]) -> str:
        name = self._names.new(operation.name)
        self.layers[name] = _Layer(self._shared(operation, entry, name), read)
        return name

    def _shared(self, operation: Any, entry: Entry, name: str) -> Entry:
        """The entry; with the layer whose weights it uses, where the same Keras layer was called before."""
        if not has_weights(entry) or not getattr(operation, "weights", ()):
            return entry
        first = self._first.setdefault((id(operation), entry["block"]), name)
        return entry if first == name else {**entry, "share": first}

    def _with_sides(self, operation: Any, node: Any, read: tuple[str, ...]) -> _Layer | None:
        """A pooling that is brought into the shape of a map of one pixel, as in squeeze-and-excitation, as one."""
        pool = self.layers.get(read[0]) if read and type(operation).__name__ == "Reshape" else None
        is_pixel = tuple(node.output_tensors[0].shape)[1:3] == (1, 1)
        if pool is None or not is_pixel or pool.entry["block"] not in _POOLS:
            return None
        return pool._replace(entry={**pool.entry, "keep_sides": True})

    def needed(self, results: Iterable[str]) -> dict[str, _Layer]:
        """Without layers that nothing reads."""
        pending, found = list(results), {INPUT}
        while pending:
            name = pending.pop()
            if name not in found:
                found.add(name)
                pending += self.layers[name].reads
        return {name: layer for name, layer in self.layers.items() if name in found}
