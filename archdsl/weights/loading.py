"""A weights file → a model, everything checked before anything is changed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archdsl.backends.keras.arrays import fill
from archdsl.diagnostics.problems import ArchError, Mark, Problem, fail, problem
from archdsl.frontend.compose.config import load as load_config
from archdsl.frontend.lower import compile_graph
from archdsl.frontend.presets import list_presets
from archdsl.ir.graph import Node
from archdsl.weights.applications import listed
from archdsl.weights.arrays import read_arrays, refuse_strange_numbers, some
from archdsl.weights.counterpart import load_counterpart
from archdsl.weights.first_convolution import account, adapted, convolutions_of_the_image, is_adaptable
from archdsl.weights.formats import opened
from archdsl.weights.formats.contents import Contents, Shape, Stored, StoredArray, short
from archdsl.weights.matching import Match, arrays_of, fits, match, match_inside, shape_counts, shapes_text
from archdsl.weights.model import Model
from archdsl.weights.transfer import Left, Moved, Transfer

if TYPE_CHECKING:
    from archdsl.weights.formats.contents import Array

_SLACK_BYTES = 1 << 26  # what HDF5 writes around the arrays of a model
_TRAINING_COPIES = 8  # of each array: an optimizer keeps two, all may be float64


def checked_model(model: Any) -> Model:
    """`model` if it is one of ours. Raises ArchError otherwise."""
    if not isinstance(model, Model):
        raise fail("model", f"'{getattr(model, 'name', model)}' is not an archdsl.Backbone")
    return model


def load_into(model: Model, file: str | os.PathLike[str], partial: bool, sha256: str | None) -> Transfer:
    """Give `model` the arrays of a file. See archdsl.weights.load."""
    with opened(Path(file), most_bytes(_params(model)), sha256) as contents:
        return _take(model, contents, partial, Mark(str(file)))


def most_bytes(params: int) -> int:
    """How large a file may be that a model of so many parameters wrote."""
    return _SLACK_BYTES + _TRAINING_COPIES * 4 * params


def _params(model: Model) -> int:
    return sum(node.params for node in model.graph.nodes)


def _take(model: Model, contents: Contents, partial: bool, mark: Mark) -> Transfer:
    nodes = {node.name: node for node in model.graph.nodes if node.weights}
    found = match(model, contents)
    known = len(found.pairs) if found.matched_by == "name" else 0
    theirs = listed(contents, known, most_bytes(_params(model)) // 4, mark) if known < len(nodes) else None
    if theirs:
        return load_counterpart(model, theirs.model, partial, mark, theirs.arrays_of)
    if partial and found.matched_by == "order":
        found = match_inside(model, contents) or found
    problems = _misfits(model, nodes, found, mark)
    if problems and partial and found.matched_by == "order":
        return _take(model, _named_by_its_preset(model, contents, mark), partial, mark)
    if partial:
        problems = [*_contradictions(found, mark)]
    moving = {name: stored for name, stored in found.pairs.items() if fits(nodes[name], stored)}
    first = _other_channels(model, nodes, found) if partial else {}
    moving |= {name: found.pairs[name] for name in first}
    if not problems and not moving:
        problems = [problem("weights", f"no layer of {model.name} fits", mark=mark)]
    if problems:
        raise ArchError(_with_hint(problems, contents))
    values = {name: _read(nodes[name], stored, mark) for name, stored in moving.items()}
    for name, times in first.items():
        values[name] = adapted(values[name], nodes[name].weights[0].shape, times)
    refuse_strange_numbers(values, mark)
    layers = model.layers_by_node
    for name, arrays in values.items():
        fill(layers[name], arrays)
    return _transfer(nodes, found, moving, first)


def _other_channels(model: Model, nodes: Mapping[str, Node], found: Match) -> dict[str, int]:
    """The convolutions of the image that the file has for another number of channels."""
    times = {name: each for name, each in convolutions_of_the_image(model.graph).items() if name in found.pairs}
    return {name: each for name, each in times.items() if _is_adaptable(nodes[name], found.pairs[name], each)}


def _is_adaptable(node: Node, stored: Stored, times: int) -> bool:
    return len(stored.arrays) == len(node.weights) and is_adaptable(_shapes(node), _stored_shapes(node, stored), times)


def _stored_shapes(node: Node, stored: Stored) -> list[Shape]:
    return [array.shape for array in arrays_of(node, stored) if array]


def _named_by_its_preset(model: Model, contents: Contents, mark: Mark) -> Contents:
    """The file's layers by name, for a variant: names come from the preset that has the file's shapes."""
    names = _presets_with_shapes(contents)
    if not names:
        hint = "load it into the architecture it was written for, save that as .safetensors, and give this file"
        raise fail("weights", "its layers have no names that tell where they belong in a variant", mark=mark, hint=hint)
    loaded = load_config(names[0])
    source = model.rebuilt(compile_graph(loaded), loaded.resolved)
    _take(source, contents, partial=False, mark=mark)
    return Contents("nodes", tuple(_stored(node, source) for node in source.graph.nodes if node.weights))


def _stored(node: Node, model: Model) -> Stored:
    arrays = zip(node.weights, model.layers_by_node[node.name].get_weights(), strict=True)
    by_name = {weight.name: StoredArray(weight.shape, array.dtype.name, array.copy) for weight, array in arrays}
    return Stored(node.name, node.name, by_name)


# Whether a file fits


def _misfits(model: Model, nodes: Mapping[str, Node], found: Match, mark: Mark) -> list[Problem]:
    """Why a whole model cannot be read from the file; one problem for each kind of reason."""
    return [
        problem("weights", f"does not fit {model.name}: {fact}", mark=mark)
        for fact in [*found.contradictions[:1], *_shape_facts(nodes, found), *_count_facts(nodes, found)]
    ]


def _contradictions(found: Match, mark: Mark) -> Iterator[Problem]:
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


def _with_hint(problems: list[Problem], contents: Contents) -> list[Problem]:
    """The problems; the last one names the preset that the file is of, if any."""
    names = _presets_with_shapes(contents)
    hint = f"its arrays have the shapes of {' or '.join(names)}" if names else ""
    return [*problems[:-1], problems[-1]._replace(hint=hint)]


def _presets_with_shapes(contents: Contents) -> list[str]:
    """Presets with as many arrays of each shape as the file has; without those that differ in their weights only."""
    shapes = Counter(shape for stored in contents.layers for shape in stored.shapes)
    fresh = [info.name for info in list_presets() if not info.has_weights]
    return [name for name in fresh if shape_counts(compile_graph(load_config(name))) == shapes]


# What a file gives


def _read(node: Node, stored: Stored, mark: Mark) -> list[Array]:
    return read_arrays([array for array in arrays_of(node, stored) if array], stored.label, mark)


def _transfer(
    nodes: Mapping[str, Node], found: Match, moving: Mapping[str, Stored], first: Mapping[str, int]
) -> Transfer:
    taken = {id(stored) for stored in moving.values()}
    unused = [stored.label for stored in (*found.pairs.values(), *found.surplus) if id(stored) not in taken]
    return Transfer(
        found.scheme,
        found.matched_by,
        tuple(_moved(node, moving[name], first.get(name)) for name, node in nodes.items() if name in moving),
        tuple(_left(node, found.pairs.get(name)) for name, node in nodes.items() if name not in moving),
        tuple(unused),
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
