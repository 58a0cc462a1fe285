"""A functional Keras model → a config of the same network."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from keyword import iskeyword
from typing import Any, NamedTuple

from archdsl.diagnostics.problems import ArchError, Problem, fail, problem
from archdsl.frontend.budget import UNLIMITED
from archdsl.frontend.compose.config import load
from archdsl.frontend.lower import compile_graph
from archdsl.frontend.sema.resolve_stages import RESERVED
from archdsl.ir.graph import Graph
from archdsl.models.backbone import Backbone
from archdsl.models.keras_blocks import Entry, Unsayable, blocks_of, has_weights
from archdsl.models.keras_stages import HEAD, STEM, Sections, by_stride, strides_of
from archdsl.weights.keras_walk import Walk

INPUT = "input"
STAGE = "net"
_MORE = {"activation": "_act", "rescale": "_scale"}  # what a layer does after its own work
_POOLS = ("global_avg_pool", "global_max_pool")


class _Layer(NamedTuple):
    """A layer of the config: what it reads, and its block."""

    entry: Entry
    reads: tuple[str, ...]


def config_of(model: Any) -> dict[str, Any]:
    """The config of a functional Keras model, as plain data: layers with Keras's names, a stage for each stride.

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
    """In stages, where the strides tell them; else in one."""
    results = [walk.result(tensor) for tensor in model.outputs]
    layers = walk.needed(results)
    if INPUT in results:
        raise fail("model", f"'{model.name}' gives back its input; expected results of layers")
    flat = _written(model, results, layers, {STAGE: list(layers)})
    sections = by_stride(list(layers), strides_of(_graph(flat)))
    if not sections:
        return flat
    staged = _written(model, results, layers, sections)
    with suppress(ArchError):
        if _said_by(staged) == _said_by(flat):
            return staged
    return flat


def _graph(config: dict[str, Any]) -> Graph:
    return compile_graph(load(config, budget=UNLIMITED), UNLIMITED)


def _said_by(config: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Every operation and what it reads, whatever it is called."""
    nodes = list(_graph(config).nodes)
    places = {node: place for place, node in enumerate(nodes)}
    return [(node.op, node.type, places[node.owner or node], *[places[each] for each in node.inputs]) for node in nodes]


def _written(model: Any, results: Sequence[str], layers: dict[str, _Layer], sections: Sections) -> dict[str, Any]:
    """The config with its layers in these sections."""
    norm = _usual_norm(layers.values())
    stated = _stated(layers, norm, sections)
    full = {name: f"{section}_{name}" for section, names in sections.items() for name in names}
    stages = {name: {"post": entries} for name, entries in stated.items() if name not in (STEM, HEAD)}
    return {
        "archdsl": 1,
        "name": re.sub(r"[^A-Za-z0-9_.-]", "_", model.name).lstrip("_.-")[:64] or "model",
        "input": {"shape": list(model.inputs[0].shape[1:])},
        "conventions": {"padding": "same", **({"norm": norm} if norm else {})},
        **({STEM: stated[STEM]} if STEM in stated else {}),
        "stages": stages,
        **({HEAD: stated[HEAD]} if HEAD in stated else {}),
        "outputs": _outputs(model, [full[name] for name in results], [stage for stage in stages if stage != STAGE]),
    }


def _outputs(model: Any, sources: Sequence[str], stages: Sequence[str]) -> list[str] | dict[str, str]:
    """The stages and the result, which is the last layer; several results under the names that Keras has for them."""
    if len(sources) == 1:
        return [*stages, *[source for source in sources if source.partition("_")[0] not in stages]]
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


def _stated(layers: dict[str, _Layer], norm: Entry, sections: Sections) -> dict[str, dict[str, Entry]]:
    """The layers of each section as a config has them, without what they need not say."""
    home = {name: section for section, names in sections.items() for name in names}
    stated: dict[str, dict[str, Entry]] = {section: {} for section in sections}
    before = INPUT
    for name, (entry, reads) in layers.items():
        own = home[name]
        said: Entry = {"block": "norm"} if norm and entry == {"block": "norm", **norm} else dict(entry)
        if "share" in said:
            said["share"] = _reference(said["share"], own, home)
        if reads != (before,):
            sources = [_reference(each, own, home) for each in reads]
            said["from"] = sources if len(sources) > 1 else sources[0]
        stated[own][name] = said
        before = name
    return stated


def _reference(name: str, section: str, home: dict[str, str]) -> str:
    """What a layer of a section calls another: by its name, in another section with that of the section."""
    return name if home.get(name, section) == section else f"{home[name]}_{name}"


class _Names:
    """Names of layers as a config can have them, each once."""

    def __init__(self) -> None:
        self._taken = {INPUT}

    def new(self, name: str) -> str:
        plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:48]
        if not plain[:1].isalpha() or plain in RESERVED or iskeyword(plain):
            plain = f"layer_{plain}"
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
        for position, entry in enumerate(blocks_of(operation, node)):
            read = (self._added(operation, entry, read, _MORE.get(entry["block"], "") if position else ""),)
        return read[0]

    def _added(self, operation: Any, entry: Entry, read: tuple[str, ...], suffix: str = "") -> str:
        name = self._names.new(f"{operation.name}{suffix}")
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
