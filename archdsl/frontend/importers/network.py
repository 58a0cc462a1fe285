"""Layers of a network that was read from elsewhere and the blocks that they use, before they become a config."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from keyword import iskeyword
from typing import Any, NamedTuple, TypeAlias

from archdsl.frontend.sema.resolve_stages import RESERVED

INPUT = "input"
MAIN = ""
"""What stands for the network itself among the names of blocks."""
Entry: TypeAlias = dict[str, Any]
"""A layer of a config without its name and inputs: a block and its arguments."""


class Layer(NamedTuple):
    """A layer of the config: its block with arguments, and what it reads."""

    entry: Entry
    reads: tuple[str, ...]


Layers: TypeAlias = dict[str, Layer]
"""Layers by name, in the order that they run."""


class Defined(NamedTuple):
    """A block made of layers, the last of which is its result; `arguments` are their defaults."""

    inputs: tuple[str, ...]
    arguments: dict[str, Any]
    layers: Layers

    def written(self) -> dict[str, Any]:
        """As it stands under `blocks:`."""
        inputs = {"inputs": list(self.inputs)} if self.inputs != (INPUT,) else {}
        arguments = {"arguments": self.arguments} if self.arguments else {}
        return {**inputs, **arguments, "layers": dict(_in_turn(self.layers, self.inputs))}


class Network(NamedTuple):
    """Layers, the names of those that are results, and the blocks that they use."""

    layers: Layers
    results: tuple[str, ...]
    blocks: Mapping[str, Defined]

    def parts(self) -> Iterator[tuple[str, Layers, tuple[str, ...]]]:
        """The network and each block: its name, its layers, and the names of its results."""
        yield MAIN, self.layers, self.results
        for name, block in self.blocks.items():
            yield name, block.layers, (next(reversed(block.layers)),)


class Run(NamedTuple):
    """Equal layers in a row, each reading the one before it; `first` has the arguments that only the first has."""

    name: str
    last: str
    entry: Entry
    reads: tuple[str, ...]
    times: int = 1
    first: Entry | None = None


def runs_of(layers: Layers, seen: Collection[str], names: Iterable[str] | None = None) -> list[Run]:
    """The layers, or those named, with equal ones in a row as one run; those in `seen` are read by others too."""
    runs: list[Run] = []
    alone = read_once(layers, seen)
    for name in layers if names is None else names:
        entry, reads = layers[name]
        last = runs[-1] if runs else None
        if last and last.entry == entry and reads == (last.last,) and last.last in alone and "share" not in entry:
            runs[-1] = last._replace(last=name, times=last.times + 1)
        else:
            runs.append(Run(name, name, entry, reads))
    return runs


def read_once(layers: Layers, seen: Collection[str]) -> set[str]:
    """Layers that one other layer reads, and nothing else refers to."""
    reads = Counter(read for layer in layers.values() for read in layer.reads)
    shared = [layer.entry["share"] for layer in layers.values() if "share" in layer.entry]
    return {name for name, count in reads.items() if count == 1} - {*seen, *shared}


def _in_turn(layers: Layers, inputs: Sequence[str]) -> Iterator[tuple[str, Entry]]:
    """Layers of a block as a config has them; `from` is left out where it is the layer before."""
    before, names = inputs[0], {name: name for name in inputs}
    for run in runs_of(layers, list(layers)[-1:]):
        names[run.last] = run.name
        reads = [names[read] for read in run.reads]
        origin = {} if run.reads == (before,) else {"from": reads if len(reads) > 1 else reads[0]}
        yield run.name, {**run.entry, **({"depth": run.times} if run.times > 1 else {}), **origin}
        before = run.last


class Names:
    """Names as a config can have them, each once."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {INPUT, *taken}

    def new(self, name: str) -> str:
        plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:48]
        if not is_name(plain):
            plain = f"layer_{plain}".rstrip("_")
        number, free = 1, plain
        while free in self._taken:
            number += 1
            free = f"{plain}_{number}"
        self._taken.add(free)
        return free


def is_name(text: str) -> bool:
    return text[:1].isalpha() and text not in RESERVED and not iskeyword(text)
