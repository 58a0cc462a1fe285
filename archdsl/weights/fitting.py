"""Whether the layers of a file fit the nodes of a graph, and what moves if they do. Needs no Keras."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from archdsl.diagnostics.problems import ArchError, Mark, Problem, problem
from archdsl.frontend.compose.config import load as load_config
from archdsl.frontend.lower import compile_graph
from archdsl.frontend.presets import list_presets
from archdsl.ir.graph import Graph
from archdsl.ir.node import Node
from archdsl.weights.arrays import read_arrays, some
from archdsl.weights.first_convolution import account, is_adaptable
from archdsl.weights.formats.contents import Contents, Shape, Stored, short
from archdsl.weights.matching import Match, arrays_of, fits, shape_counts, shapes_text
from archdsl.weights.pytorch.matching import match_torch
from archdsl.weights.pytorch.presets import presets_of
from archdsl.weights.transfer import Left, Moved, Transfer

if TYPE_CHECKING:
    from archdsl.weights.formats.contents import Array


def matched_torch(graph: Graph, contents: Contents, partial: bool, mark: Mark) -> Match:
    """The arrays of a PyTorch checkpoint by the nodes they belong to. Raises ArchError with the preset that fits."""
    try:
        return match_torch(graph, contents, partial, mark)
    except ArchError as error:
        raise ArchError(with_hint(list(error.problems), contents)) from None


def misfits(name: str, nodes: Mapping[str, Node], found: Match, mark: Mark) -> list[Problem]:
    """Why a whole model cannot be read from the file; one problem for each kind of reason."""
    return [
        problem("weights", f"does not fit {name}: {fact}", mark=mark)
        for fact in [*found.contradictions[:1], *_shape_facts(nodes, found), *_count_facts(nodes, found)]
    ]


def contradictions(found: Match, mark: Mark) -> Iterator[Problem]:
    for fact in found.contradictions[:1]:
        yield problem("weights", f"names and places contradict each other: {fact}", mark=mark)


def _shape_facts(nodes: Mapping[str, Node], found: Match) -> Iterator[str]:
    different = [name for name in nodes if name in found.pairs and not fits(nodes[name], found.pairs[name])]
    if different:
        name = different[0]
        stored = found.pairs[name]
        more = f"; {len(different) - 1} more layers differ" if len(different) > 1 else ""
        yield f"the first layer that differs is {name}, {_both_shapes(nodes[name], stored)}{more}"


def _both_shapes(node: Node, stored: Stored) -> str:
    wanted = shapes_text(weight.shape for weight in node.weights)
    return f"with {wanted}; the file has {shapes_text(stored.shapes)} ({short(stored.label)})"


def _count_facts(nodes: Mapping[str, Node], found: Match) -> Iterator[str]:
    missing = [name for name in nodes if name not in found.pairs]
    if missing:
        yield f"{some(missing)} {'is' if len(missing) == 1 else 'are'} not in the file"
    if found.surplus:
        yield f"the file also has {some([stored.label for stored in found.surplus])}, which the model does not"


def with_hint(problems: list[Problem], contents: Contents) -> list[Problem]:
    """The problems; the last one names the preset that the file is of, if any."""
    names = presets_with_shapes(contents)
    hint = f"its arrays have the shapes of {' or '.join(names)}" if names else problems[-1].hint
    return [*problems[:-1], problems[-1]._replace(hint=hint)]


def presets_with_shapes(contents: Contents) -> list[str]:
    """Presets with as many arrays of each shape as the file has; without those that differ in their weights only."""
    if contents.layout == "torch":
        return presets_of(contents)
    shapes = Counter(shape for stored in contents.layers for shape in stored.shapes)
    fresh = [info.name for info in list_presets() if not info.has_weights]
    return [name for name in fresh if shape_counts(compile_graph(load_config(name))) == shapes]


# What a file gives


def read_node(node: Node, stored: Stored, mark: Mark) -> list[Array]:
    return read_arrays([array for array in arrays_of(node, stored) if array], stored.label, mark)


def is_adaptable_to(node: Node, stored: Stored, times: int) -> bool:
    """Whether the file has it for another number of channels of the image, of which it reads `times` each."""
    return len(stored.arrays) == len(node.weights) and is_adaptable(_shapes(node), _stored_shapes(node, stored), times)


def transfer_of(
    nodes: Mapping[str, Node],
    found: Match,
    moving: Mapping[str, Stored],
    first: Mapping[str, int] = MappingProxyType({}),
) -> Transfer:
    """What moved and what did not; `first` are convolutions that were made for another number of channels."""
    taken = {id(stored) for stored in moving.values()}
    others = *found.surplus, *found.skipped
    unused = [stored.label for stored in (*found.pairs.values(), *others) if id(stored) not in taken]
    return Transfer(
        found.scheme,
        found.matched_by,
        tuple(_moved(node, moving[name], first.get(name)) for name, node in nodes.items() if name in moving),
        tuple(_left(node, found.pairs.get(name)) for name, node in nodes.items() if name not in moving),
        tuple(unused),
        for_training=tuple(dict.fromkeys([stored.label.partition(".")[0] for stored in found.skipped])),
    )


def _moved(node: Node, stored: Stored, times: int | None) -> Moved:
    shapes = _shapes(node)
    made = account(shapes[0], _stored_shapes(node, stored)[0], times) if times else ""
    return Moved(node.name, node.origin.path, stored.label, shapes, made)


def _left(node: Node, stored: Stored | None) -> Left:
    shapes = _shapes(node)
    if stored is None:
        return Left(node.name, node.origin.path, shapes, (), "not in the file")
    reason = f"{shapes_text(stored.shapes)} in the file, {shapes_text(shapes)} here"
    return Left(node.name, node.origin.path, shapes, stored.shapes, reason)


def _shapes(node: Node) -> tuple[Shape, ...]:
    return tuple(weight.shape for weight in node.weights)


def _stored_shapes(node: Node, stored: Stored) -> list[Shape]:
    return [array.shape for array in arrays_of(node, stored) if array]
