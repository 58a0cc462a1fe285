"""A weights file → a model, everything checked before anything is changed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archdsl.backends.keras.arrays import fill
from archdsl.diagnostics.problems import ArchError, Mark, fail, problem
from archdsl.frontend.compose.config import load as load_config
from archdsl.frontend.lower import compile_graph
from archdsl.ir.node import Node
from archdsl.weights.applications import listed
from archdsl.weights.arrays import refuse_strange_numbers, some
from archdsl.weights.classes import by_class, class_layers, has_classes, outputs_of, places_of
from archdsl.weights.counterpart import load_counterpart
from archdsl.weights.darknet import contents_of
from archdsl.weights.first_convolution import adapted, convolutions_of_the_image
from archdsl.weights.fitting import (
    contradictions,
    is_adaptable_to,
    matched_torch,
    misfits,
    presets_with_shapes,
    read_node,
    transfer_of,
    with_hint,
)
from archdsl.weights.formats import opened
from archdsl.weights.formats.contents import Contents, Stored, StoredArray
from archdsl.weights.matching import Match, fits, match, match_inside
from archdsl.weights.model import Model
from archdsl.weights.pytorch.units import owners_of
from archdsl.weights.transfer import Transfer

if TYPE_CHECKING:
    from archdsl.weights.formats.contents import Array

_SLACK_BYTES = 1 << 26  # what HDF5 writes around the arrays of a model
_TRAINING_COPIES = 8  # of each array: an optimizer keeps two, all may be float64


def checked_model(model: Any) -> Model:
    """`model` if it is one of ours. Raises ArchError otherwise."""
    if not isinstance(model, Model):
        raise fail("model", f"'{getattr(model, 'name', model)}' is not an archdsl.Backbone")
    return model


def load_into(
    model: Model, file: str | os.PathLike[str], partial: bool, sha256: str | None, classes: Sequence[str] = ()
) -> Transfer:
    """Give `model` the arrays of a file. See archdsl.weights.load."""
    most = most_bytes(_params(model))
    with opened(Path(file), most, sha256, lambda stream: contents_of(model.graph, stream)) as contents:
        return _take(model, contents, partial, Mark(str(file)), classes)


def most_bytes(params: int) -> int:
    """How large a file may be that a model of so many parameters wrote."""
    return _SLACK_BYTES + _TRAINING_COPIES * 4 * params


def _params(model: Model) -> int:
    return sum(node.params for node in model.graph.nodes)


def _take(model: Model, contents: Contents, partial: bool, mark: Mark, classes: Sequence[str] = ()) -> Transfer:
    is_torch = contents.layout == "torch"
    owners = owners_of(model.graph) if is_torch else [node for node in model.graph.nodes if node.weights]
    nodes = {node.name: node for node in owners}
    found = matched_torch(model.graph, contents, partial, mark) if is_torch else match(model, contents)
    known = len(found.pairs) if found.matched_by == "name" else 0
    is_listed = not is_torch and known < len(nodes)
    if is_listed and (theirs := listed(contents, known, most_bytes(_params(model)) // 4, mark)):
        return load_counterpart(model, theirs.model, partial, mark, theirs.arrays_of)
    if partial and found.matched_by == "order":
        found = match_inside(model, contents) or found
    problems = misfits(model.name, nodes, found, mark)
    if problems and partial and found.matched_by == "order":
        return _take(model, _named_by_its_preset(model, contents, mark), partial, mark, classes)
    if partial:
        problems = [*contradictions(found, mark)]
    moving = {name: stored for name, stored in found.pairs.items() if fits(nodes[name], stored)}
    first = _other_channels(model, nodes, found) if partial else {}
    moving |= {name: found.pairs[name] for name in first}
    named = _class_layers(model, contents, found, classes, mark) if classes else {}
    moving |= named
    if not problems and not moving:
        problems = [problem("weights", f"no layer of {model.name} fits", mark=mark)]
    if problems:
        raise ArchError(with_hint(problems, contents))
    values = {name: read_node(nodes[name], stored, mark) for name, stored in moving.items()}
    for name, times in first.items():
        values[name] = adapted(values[name], nodes[name].weights[0].shape, times)
    refuse_strange_numbers(values, mark)
    _fill(model, values, {name: outputs_of(nodes[name], classes, contents.classes) for name in named})
    common = f"{len(places_of(classes, contents.classes))} of {len(classes)} classes by name"
    return transfer_of(nodes, found, moving, first).with_made(dict.fromkeys(named, common))


def _fill(model: Model, values: Mapping[str, Sequence[Array]], named: Mapping[str, Mapping[int, int]]) -> None:
    """Give layers their arrays; those that are `named` the outputs that both networks have."""
    layers = model.layers_by_node
    for name, arrays in values.items():
        fill(layers[name], by_class(layers[name].get_weights(), arrays, named[name]) if name in named else arrays)


def _class_layers(
    model: Model, contents: Contents, found: Match, classes: Sequence[str], mark: Mark
) -> dict[str, Stored]:
    """The file's layers for those of the model's that have an output for each class. Raises ArchError for none."""
    if not contents.classes:
        raise fail(
            "weights", "it does not name its classes", mark=mark, hint="whole modules of YOLO do, in their `names`"
        )
    nodes = class_layers(model.graph, len(classes))
    if not nodes:
        raise fail("value", f"{len(classes)} names of classes, and no layer of {model.name} gives that many numbers")
    if not places_of(classes, contents.classes):
        told = some(contents.classes)
        raise fail("weights", "none of its classes has one of the names", mark=mark, hint=f"it has {told}")
    ours, theirs = len(classes), len(contents.classes)
    named = {node.name: found.pairs[node.name] for node in nodes if node.name in found.pairs}
    by_name = {node.name: node for node in nodes}
    return {name: stored for name, stored in named.items() if has_classes(by_name[name], stored, ours, theirs)}


def _other_channels(model: Model, nodes: Mapping[str, Node], found: Match) -> dict[str, int]:
    """The convolutions of the image that the file has for another number of channels."""
    times = {name: each for name, each in convolutions_of_the_image(model.graph).items() if name in found.pairs}
    return {name: each for name, each in times.items() if is_adaptable_to(nodes[name], found.pairs[name], each)}


def _named_by_its_preset(model: Model, contents: Contents, mark: Mark) -> Contents:
    """The file's layers by name, for a variant: names come from the preset that has the file's shapes."""
    names = presets_with_shapes(contents)
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
