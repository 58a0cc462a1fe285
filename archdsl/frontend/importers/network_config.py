"""A network that was read from elsewhere → its config: bricks, blocks for what repeats, and a stage for each stride.

Every step is a way to write the same network, and is taken only if the config has the same operations as the plain one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeAlias

from archdsl.diagnostics.problems import ArchError
from archdsl.frontend.budget import UNLIMITED
from archdsl.frontend.compose.config import load
from archdsl.frontend.importers.bricks import NORM, with_bricks
from archdsl.frontend.importers.folding import folded
from archdsl.frontend.importers.network import Entry, Layer, Layers, Names, Network
from archdsl.frontend.importers.stages import HEAD, STEM, Sections, by_stride, strides_of
from archdsl.frontend.importers.staging import FORMS, slots
from archdsl.frontend.lower import compile_graph
from archdsl.frontend.yaml.writing import yaml_line
from archdsl.ir.graph import Graph

STAGE = "net"
MOST_FOLDED = 4_000  # layers; twice those of the largest network that people have
Config: TypeAlias = dict[str, Any]


class Described(NamedTuple):
    """What a config says besides its layers: `names` are those of its results, if there are several."""

    name: str
    shape: list[int | None]
    names: Sequence[str]


def written(network: Network, described: Described, fold: bool = True) -> Config:
    """The config of a network. Without `fold` each of its layers has its own name, and one line."""
    norm = _usual_norm(network.layers.values())
    network = network._replace(layers=_with_usual(network.layers, norm))
    conventions: Config = {"padding": "same", **({"norm": norm} if norm else {})}
    plain = _Writer(described, conventions)
    wanted = _operations(plain.flat(network))
    if not fold or len(network.layers) > MOST_FOLDED:
        return _staged(plain, network, wanted, ("post",))
    writer = plain
    if norm:
        bricks, activation = with_bricks(network)
        joined = _Writer(described, {**conventions, **({"activation": activation} if activation else {})})
        if _has(wanted, joined.flat(bricks)):
            network, writer = bricks, joined
    network = folded(network, lambda tried: _has(wanted, writer.flat(tried)))
    return _staged(writer, network, wanted, FORMS)


def config_text(config: Config) -> str:
    """The config in YAML, a line for each layer."""
    return "".join(_lines(config, ""))


def _lines(mapping: Config, indent: str) -> Iterator[str]:
    for key, value in mapping.items():
        if _holds_layers(value):
            yield f"{indent}{key}:\n"
            yield from _lines(value, f"{indent}  ")
        else:
            yield f"{indent}{key}: {yaml_line(value)}\n"


def _holds_layers(value: Any) -> bool:
    is_mapping = isinstance(value, dict) and "block" not in value
    return is_mapping and any(
        "block" in each or _holds_layers(each) for each in value.values() if isinstance(each, dict)
    )


def _staged(writer: _Writer, network: Network, wanted: list[Any], forms: Sequence[str]) -> Config:
    """In stages, where the strides tell them; else in one."""
    flat, names = writer.flat(network), list(network.layers)
    for sections, ways in ((by_stride(names, strides_of(_graph(flat))), forms), ({STAGE: names}, forms[-2:])):
        for form in ways if sections else ():
            with suppress(ArchError):
                config = writer.config(network, sections, form)
                if _has(wanted, config):
                    return config
    return flat


def _graph(config: Config) -> Graph:
    return compile_graph(load(config, budget=UNLIMITED), UNLIMITED)


def _operations(config: Config) -> list[tuple[Any, ...]]:
    """Every operation and what it reads, and which are results, whatever they are called."""
    graph = _graph(config)
    nodes = list(graph.nodes)
    places = {node: place for place, node in enumerate(nodes)}
    own = [(node.op, node.type, places[node.owner or node], *[places[each] for each in node.inputs]) for node in nodes]
    results = [places[node] for node in graph.outputs.values()]
    return [*own, tuple(results if isinstance(config["outputs"], dict) else results[-1:])]


def _has(wanted: list[Any], config: Config) -> bool:
    try:
        return _operations(config) == wanted
    except ArchError:
        return False


def _usual_norm(layers: Iterable[Layer]) -> Entry:
    """The arguments of the batch norm that there are most of, which become the conventions."""
    found = [layer.entry for layer in layers if layer.entry.get("kind") == "batch"]
    counts = Counter(tuple(entry.items()) for entry in found if "share" not in entry)
    return {name: value for name, value in counts.most_common(1)[0][0] if name != "block"} if counts else {}


def _with_usual(layers: Layers, norm: Entry) -> Layers:
    usual = {**NORM, **norm}
    return {
        name: layer._replace(entry=NORM) if norm and layer.entry == usual else layer for name, layer in layers.items()
    }


class _Writer(NamedTuple):
    """Writes a network with these facts beside its layers."""

    described: Described
    conventions: Config

    def flat(self, network: Network) -> Config:
        return self.config(network, {STAGE: list(network.layers)}, "post")

    def config(self, network: Network, sections: Sections, form: str) -> Config:
        parts, full = slots(network, sections, form)
        stages = {name: layers for name, layers in parts.items() if name not in (STEM, HEAD)}
        blocks = {name: block.written() for name, block in network.blocks.items()}
        return {
            "archdsl": 1,
            "name": self.described.name,
            "input": {"shape": self.described.shape},
            "conventions": self.conventions,
            **({"blocks": blocks} if blocks else {}),
            **({STEM: parts[STEM]} if STEM in parts else {}),
            "stages": stages,
            **({HEAD: parts[HEAD]} if HEAD in parts else {}),
            "outputs": self._outputs(
                [full[name] for name in network.results], [each for each in stages if each != STAGE]
            ),
        }

    def _outputs(self, sources: Sequence[str], stages: Sequence[str]) -> list[str] | dict[str, str]:
        """The stages and the result, which is the last layer; several results under their names."""
        if len(sources) == 1:
            return [*stages, *[source for source in sources if source.partition("_")[0] not in stages]]
        names = Names()
        return {names.new(name): source for name, source in zip(self.described.names, sources, strict=True)}
