"""Runs of layers of equal structure → one block, and a use of it in the place of each.

It is the compression of a text by its own words, for a graph: a word is a run of layers in a row that others see only
the last of. Whatever differs between the places where it stands becomes an argument.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Container, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from archdsl.blocks.registry import all_blocks
from archdsl.frontend.importers.network import (
    INPUT,
    MAIN,
    Defined,
    Entry,
    Layer,
    Layers,
    Names,
    Network,
    is_name,
    runs_of,
)
from archdsl.frontend.sema.composite import RESERVED

MOST_LAYERS = 48  # of a block
MOST_INPUTS = 2
MOST_ARGUMENTS = 6
MOST_BLOCKS = 24
_ABSENT = "$"  # the value of an argument that is not set, which no config has
_SHORT = {"activation": "act", "conv_bn_act": "conv", "depthwise_bn_act": "depthwise", "depthwise_conv": "depthwise"}
_ENDS = {"add": "residual_block", "concat": "dense_block", "multiply": "gated_block"}
Shape: TypeAlias = tuple[Hashable, ...]
"""The blocks of a run of layers, and for each what it reads: places in the run, and below 0 its inputs."""


class Use(NamedTuple):
    """A run of layers of `part`, which is that of the network or of a block, and what it reads from outside."""

    home: str
    part: Layers
    names: Sequence[str]
    begin: int
    end: int
    inputs: tuple[str, ...]
    lines: int

    @property
    def layers(self) -> Layers:
        return {name: self.part[name] for name in self.names[self.begin : self.end]}

    @property
    def prefix(self) -> str:
        """What the names of its layers begin with."""
        names = [f"{name}_" for name in self.names[self.begin : self.end]]
        first, last = min(names), max(names)
        same = next((place for place, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
        return first[:same].rpartition("_")[0]


@dataclass(frozen=True)
class Fold:
    """A run of layers that stands in several places, which do not overlap."""

    shape: Shape
    uses: list[Use]

    @property
    def saved(self) -> int:
        """How many lines it saves: equal uses in a row are one line, and the block takes three besides its layers."""
        runs = len(self.uses)
        for before, use in zip(self.uses, self.uses[1:], strict=False):
            is_next = (
                use.home == before.home and use.begin == before.end and use.inputs == (before.names[before.end - 1],)
            )
            runs -= is_next and _entries(use) == _entries(before)
        return sum(use.lines for use in self.uses) - runs - self.uses[0].lines - 3

    @property
    def named(self) -> int:
        """How much the names of the layers say that these belong together."""
        return sum(len(use.prefix) for use in self.uses)


def folded(network: Network, is_same: Callable[[Network], bool]) -> Network:
    """The network with blocks for what repeats in it, as long as each saves lines and the result still `is_same`."""
    refused: set[Shape] = set()
    while len(network.blocks) < MOST_BLOCKS:
        fresh = (fold for fold in _folds(network) if fold.shape not in refused and _varying(fold) is not None)
        fold = next(fresh, None)
        if fold is None or len(refused) > MOST_BLOCKS:
            break
        tried = _applied(network, fold)
        if is_same(tried):
            network = tried
        else:
            refused.add(fold.shape)
    return network


# What repeats


def _folds(network: Network) -> Iterator[Fold]:
    """What saves lines, the most first."""
    found: dict[Shape, list[Use]] = defaultdict(list)
    for home, layers, results in network.parts():
        for shape, use in _closed(home, layers, results):
            uses = found[shape]
            if not uses or uses[-1].home != home or uses[-1].end <= use.begin:
                uses.append(use)
    folds = [Fold(shape, uses) for shape, uses in found.items() if len(uses) > 1]
    saved = {id(fold): fold.saved for fold in folds}
    useful = [fold for fold in folds if saved[id(fold)] > 0]
    return iter(sorted(useful, key=lambda fold: (-saved[id(fold)], len(fold.shape), -fold.named)))


def _closed(home: str, layers: Layers, results: Sequence[str]) -> Iterator[tuple[Shape, Use]]:
    """Runs of layers of which only the last is read by others, and which do not cut a row of equal layers in two."""
    names = list(layers)
    places = {name: place for place, name in enumerate(names)}
    last_read = _last_reads(layers, results)
    shared = {entry["share"] for entry, _ in layers.values() if "share" in entry}
    starts = {run.name for run in runs_of(layers, results)}
    for begin in range(len(names)):
        if names[begin] not in starts:
            continue
        inputs: dict[str, int] = {}
        shape: list[Hashable] = []
        seen, lines = float(begin), 0  # the last place that reads one of the layers
        for place in range(begin, min(begin + MOST_LAYERS, len(names))):
            entry, reads = layers[names[place]]
            own = [places[read] - begin if places.get(read, -1) >= begin else _input(inputs, read) for read in reads]
            if len(inputs) > MOST_INPUTS or "share" in entry or names[place] in shared:
                break
            shape.append((entry["block"], tuple(own)))
            lines += names[place] in starts
            is_all = home != MAIN and len(shape) == len(names)
            is_whole = place + 1 == len(names) or names[place + 1] in starts
            if seen <= place and len(shape) > 1 and is_whole and not is_all:
                yield tuple(shape), Use(home, layers, names, begin, place + 1, tuple(inputs), lines)
            seen = max(seen, last_read[names[place]])


def _input(inputs: dict[str, int], name: str) -> int:
    """-1 for the first input of a run."""
    return inputs.setdefault(name, -1 - len(inputs))


def _last_reads(layers: Layers, results: Container[str]) -> dict[str, float]:
    """The place of the last layer that reads each; a result is read by the world."""
    found: dict[str, float] = {}
    for place, (_, reads) in enumerate(layers.values()):
        found |= dict.fromkeys(reads, place)
    return {name: float("inf") if name in results else found.get(name, 0) for name in layers}


# What differs


def _entries(use: Use) -> list[Entry]:
    return [layer.entry for layer in use.layers.values()]


def _varying(fold: Fold) -> dict[tuple[Any, ...], list[tuple[int, str]]] | None:
    """The arguments that differ: their values at each use, and the layers that have them. None for too many."""
    uses = [_entries(use) for use in fold.uses]
    found: dict[tuple[Any, ...], list[tuple[int, str]]] = {}
    for place, entries in enumerate(zip(*uses, strict=True)):
        for key in dict.fromkeys(key for entry in entries for key in entry):
            values = [entry.get(key, _ABSENT) for entry in entries]
            if any(value != values[0] or "$" in str(value) for value in values):
                kind = key.rpartition("_")[2]  # a width is a width, whatever it is called in a block
                found.setdefault((kind, *map(str, values)), []).append((place, key))
    return found if len(found) <= MOST_ARGUMENTS else None


# One block for all of them


def _applied(network: Network, fold: Fold) -> Network:
    name = Names([*all_blocks(), *network.blocks]).new(_block_name(fold))
    defined, values = _defined(fold)
    uses = {
        (use.home, use.begin): (use, {"block": name, **arguments})
        for use, arguments in zip(fold.uses, values, strict=True)
    }
    layers, results, blocks = network.layers, network.results, {name: defined}
    for home, own, ends in network.parts():
        made, renamed = _with_uses(home, own, uses)
        if home == MAIN:
            layers, results = made, tuple([renamed.get(each, each) for each in ends])
        else:
            blocks[home] = network.blocks[home]._replace(layers=made)
    return Network(layers, results, blocks)


def _with_uses(
    home: str, layers: Layers, uses: Mapping[tuple[str, int], tuple[Use, Entry]]
) -> tuple[Layers, dict[str, str]]:
    """Layers with a use in the place of each run, and new names for the last layers of these."""
    names = list(layers)
    gone = {name for (part, _), (use, _) in uses.items() if part == home for name in use.layers}
    taken = Names(layers.keys() - gone)
    made: Layers = {}
    renamed: dict[str, str] = {}
    place = 0
    while place < len(names):
        old, (entry, reads) = names[place], layers[names[place]]
        if found := uses.get((home, place)):
            use, entry = found
            old, reads, place = names[use.end - 1], use.inputs, use.end - 1
            renamed[old] = taken.new(use.prefix or str(entry["block"]))
        made[renamed.get(old, old)] = Layer(entry, tuple([renamed.get(read, read) for read in reads]))
        place += 1
    return made, renamed


def _defined(fold: Fold) -> tuple[Defined, list[Entry]]:
    """The block, and what each use passes to it."""
    first = fold.uses[0]
    names, inputs = _layer_names(fold), _input_names(first)
    entries = [dict(entry) for entry in _entries(first)]
    defaults: dict[str, Any] = {}
    values: list[Entry] = [{} for _ in fold.uses]
    for places in sorted((_varying(fold) or {}).values(), key=lambda each: each[-1], reverse=True):
        place, key = places[-1]
        argument = key if key not in defaults and key not in RESERVED else f"{names[place]}_{key}"
        given = [_entries(use)[place].get(key, _ABSENT) for use in fold.uses]
        defaults[argument] = default = _default(given, entries[place]["block"], key)
        for own, value in zip(values, given, strict=True):
            own |= {} if value in (_ABSENT, default) else {argument: value}
        for place, key in places:
            entries[place][key] = f"${argument}"
    renamed = {**dict(zip(first.inputs, inputs, strict=True)), **dict(zip(first.layers, names, strict=True))}
    layers = {
        name: Layer(entry, tuple([renamed[read] for read in layer.reads]))
        for name, entry, layer in zip(names, entries, first.layers.values(), strict=True)
    }
    order = list(reversed(defaults))
    return Defined(inputs, {name: defaults[name] for name in order}, layers), values


def _default(given: Sequence[Any], block: str, key: str) -> Any:
    """The value that most uses have; where some set none, the default of the block, if it has one."""
    if _ABSENT in given:
        known = all_blocks().get(block)
        default = known.parameters[key].default if known else None
        return default if isinstance(default, (int, float, str)) else None
    usual, count = Counter(map(str, given)).most_common(1)[0]
    value = next(value for value in given if str(value) == usual)
    return value if 2 * count > len(given) and "$" not in usual else None


def _input_names(use: Use) -> tuple[str, ...]:
    return (INPUT,) if len(use.inputs) == 1 else tuple([f"{INPUT}{number + 1}" for number in range(len(use.inputs))])


def _layer_names(fold: Fold) -> list[str]:
    """The names that the layers have in every place, without their prefix; else the names of their blocks."""
    told = {tuple(name.removeprefix(f"{use.prefix}_") for name in use.layers) for use in fold.uses}
    names = list(told.pop())
    if not told and all(map(is_name, names)) and len(set(names)) == len(names):
        return names
    kinds = _kinds(fold)
    numbers = [kinds[: place + 1].count(kind) for place, kind in enumerate(kinds)]
    return [f"{kind}{number}" if kinds.count(kind) > 1 else kind for kind, number in zip(kinds, numbers, strict=True)]


def _kinds(fold: Fold) -> list[str]:
    return [_SHORT.get(entry["block"], str(entry["block"])) for entry in _entries(fold.uses[0])]


def _block_name(fold: Fold) -> str:
    kinds = _kinds(fold)
    if len(kinds) <= 3:
        return "_".join(kinds)
    return next((_ENDS[each] for each in reversed(kinds) if each in _ENDS), "chain")
