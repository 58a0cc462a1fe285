"""Which module of a PyTorch checkpoint is which layer of a graph.

Both run in an order: modules by their numbers, layers as the graph has them. Inside of them names tell. Where the two
have other layers, a layer belongs to a module only if that is so however the two are laid side by side.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from math import prod

import numpy

from archdsl.diagnostics.problems import Mark
from archdsl.ir.graph import Graph
from archdsl.ir.node import Node
from archdsl.ir.ops import AnchorBoxes, BatchNorm, LayerScale
from archdsl.weights.arrays import read_arrays
from archdsl.weights.formats.contents import Contents, Shape, Stored
from archdsl.weights.matching import Match
from archdsl.weights.pytorch.implicit import IMPLICIT
from archdsl.weights.pytorch.modules import match_modules
from archdsl.weights.pytorch.settings import other_settings
from archdsl.weights.pytorch.units import (
    SCALE,
    Layer,
    Module,
    alone,
    anchors_of,
    are_folded,
    arrays_for,
    layers_of,
    modules_of,
    unmerged,
)
from archdsl.weights.pytorch.wiring import misreadings

SCHEME = "torch"
HEAD_UNITS = {"cv2.0.2", "m.0"}  # of the boxes of the finest map; with anchors, all of its numbers
MAX_PAIRS = 2_000  # of layers and modules of equal shapes; a network of a hundred layers has some hundreds


def match_torch(graph: Graph, contents: Contents, partial: bool, mark: Mark) -> Match:
    """The arrays of a checkpoint by the nodes they belong to. Raises ArchError for one that is not made of numbers.

    With `partial`, those of a variant: of the modules that fit a layer whatever else has changed.
    """
    layers, modules = layers_of(graph), modules_of(contents)
    if not modules:
        return match_modules(graph, contents, partial, mark)
    pairs = list(zip(layers, modules, strict=False))
    wrong = [] if partial or not contents.reads else list(misreadings(graph, pairs, contents.reads))
    wrong += [] if partial else other_settings(graph, contents.modules)
    if partial and in_turn(layers, modules) < len(layers):
        ours, theirs = list(map(_likeness, layers)), list(map(_likeness, modules))
        theirs[:1] = ours[:1] if _is_of_other_images(layers[0], modules[0]) else theirs[:1]
        sure = certain(ours, theirs)
        pairs = [(layers[own], modules[other]) for own, other in sure]
    found: dict[str, Stored] = {}
    taken = set()
    for layer, module in pairs:
        module.units = unmerged(layer, module)
        for path, unit in layer.units.items():
            if path in module.units:
                taken.add(id(module.units[path]))
                found |= {node.name: stored for node, stored in arrays_for(unit, module.units[path]).items()}
        for node, stored in _alone(layer, module):
            taken.add(id(stored))
            found[node.name] = alone(node, stored)
    wrong += [*_other_anchors(graph, modules, mark), *_implicit(modules)]
    return Match(SCHEME, "name", found, tuple(_surplus(modules, taken)), tuple(wrong))


def _other_anchors(graph: Graph, modules: Sequence[Module], mark: Mark) -> Iterator[str]:
    """A fact where the anchors that the file was trained with are not those of the graph."""
    wanted = [side / stride for sizes, stride in anchors_of(graph) for size in sizes for side in size]
    if any(isinstance(node.op, AnchorBoxes) and node.op.style == "darknet" for node in graph.nodes):
        yield "boxes are decoded by Darknet's formula, and such checkpoints are trained with YOLOv5's (formula: yolo)"
    for module in modules:
        if module.anchors and wanted:
            if prod(module.anchors.shape) != len(wanted):
                yield f"{module.name} has {prod(module.anchors.shape) // 2} anchors; expected {len(wanted) // 2}"
                continue
            (given,) = read_arrays([module.anchors], f"{module.name}.anchors", mark)
            if not numpy.allclose(given.ravel(), wanted, rtol=2e-3):
                told = ", ".join(f"{each:.4g}" for each in given.ravel()[:6])
                yield f"{module.name} was trained with other anchors: {told}, … pixels of its maps"


def _implicit(modules: Sequence[Module]) -> Iterator[str]:
    """A fact where a head has what it knows implicitly, and perhaps has it in its convolutions too."""
    if are_folded(modules):
        for stored in [each for module in modules for each in module.others if IMPLICIT in each.arrays]:
            yield (
                f"nothing tells whether {stored.name} is folded into its convolution, as all batch norms are; "
                "give the checkpoint of before that, or without its implicit arrays if they are"
            )


def in_turn(layers: Sequence[Layer], modules: Sequence[Module]) -> int:
    """How many layers are the same as the modules, from the first to the first that differs."""
    same = [_is_same(layer, module) for layer, module in zip(layers, modules, strict=False)]
    return same.index(False) if False in same else len(same)


def _is_same(layer: Layer, module: Module) -> bool:
    shapes = {path: unit.shape for path, unit in unmerged(layer, module).items()}
    return layer.shapes == shapes and len(layer.unnamed) == len(module.others)


def shapes_of(of: Layer | Module) -> Hashable:
    return frozenset(of.shapes.items())


def _likeness(of: Layer | Module) -> Hashable:
    """Equal for a layer and a module that may be the same. A head, of which there is one, may be of other classes."""
    return frozenset(of.shapes) if HEAD_UNITS & of.shapes.keys() else shapes_of(of)


def _is_of_other_images(layer: Layer, module: Module) -> bool:
    """Whether the first layer is the module but for the channels that it reads, which are those of an image."""

    def without_channels(shapes: Mapping[str, Shape]) -> Mapping[str, Shape]:
        return {path: (shape[0], *shape[2:]) for path, shape in shapes.items()}

    return without_channels(layer.shapes) == without_channels(module.shapes)


def _surplus(modules: Sequence[Module], taken: set[int]) -> Iterator[Stored]:
    for module in modules:
        for unit in module.units.values():
            if id(unit) not in taken:
                yield unit.conv
        yield from (stored for stored in module.others if id(stored) not in taken)


def _alone(layer: Layer, module: Module) -> Iterator[tuple[Node, Stored]]:
    """What a layer scales its result by, or normalises its input with, where it is one layer's and one module's."""
    for kind, role in ((LayerScale, SCALE), (BatchNorm, "running_mean")):
        ours = [node for node in layer.unnamed if isinstance(node.op, kind)]
        theirs = [stored for stored in module.others if role in stored.arrays]
        theirs = theirs or [unit.conv for unit in module.units.values() if unit.is_nothing]
        if len(ours) == len(theirs) == 1:
            yield ours[0], theirs[0]


def certain(ours: Sequence[Hashable], theirs: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Places of equal items that every longest common subsequence of the two pairs."""
    pairs = [(own, other) for own, key in enumerate(ours) for other, each in enumerate(theirs) if key == each]
    if len(pairs) > MAX_PAIRS:
        return []
    ahead = _chains(pairs)
    mirrored = _chains([(-own, -other) for own, other in reversed(pairs)])
    behind = {(-own, -other): found for (own, other), found in mirrored.items()}
    longest = max((length for length, _ in ahead.values()), default=0)
    whole = sum(count for length, count in ahead.values() if length == longest)
    return [
        pair
        for pair in pairs
        if ahead[pair][0] + behind[pair][0] - 1 == longest and ahead[pair][1] * behind[pair][1] == whole
    ]


def _chains(pairs: Sequence[tuple[int, int]]) -> dict[tuple[int, int], tuple[int, int]]:
    """How long the longest chain is that ends with each pair, and how many there are that long."""
    found: dict[tuple[int, int], tuple[int, int]] = {}
    for own, other in pairs:
        before = [each for (first, second), each in found.items() if first < own and second < other]
        length = max((length for length, _ in before), default=0)
        found[own, other] = length + 1, sum(count for each, count in before if each == length) or 1
    return found
