"""A Keras model → a model of the same structure, whatever its layers are called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from archdsl.backends.keras.arrays import fill
from archdsl.diagnostics.problems import Mark, fail
from archdsl.weights.arrays import refuse_strange_numbers
from archdsl.weights.keras_structure import structure_of
from archdsl.weights.matching import shapes_text
from archdsl.weights.model import Model
from archdsl.weights.structure import Pairs, Part, Structure, common, first_without_partner, isomorphism
from archdsl.weights.transfer import Left, Moved, Transfer

if TYPE_CHECKING:
    from archdsl.weights.formats.contents import Array, Shape


Arrays: TypeAlias = "Callable[[Any], Sequence[Array]]"
"""The arrays of a Keras layer, in the order in which it has them."""


def _own_arrays(layer: Any) -> Sequence[Array]:
    return list(layer.get_weights())


def load_counterpart(model: Model, source: Any, partial: bool, mark: Mark, arrays_of: Arrays = _own_arrays) -> Transfer:
    """Give `model` the arrays of a functional Keras model, or those that a file has for it.

    See archdsl.weights.load. Raises ArchError, and leaves `model` as it was, where they do not fit.
    """
    ours, theirs = _structure(model, mark), _structure(source, mark)
    pairs = isomorphism(ours, theirs)
    if pairs is None and not partial:
        hint = "`partial` takes the layers that are the same"
        raise fail("weights", f"does not fit {model.name}: {_difference(ours, theirs)}", mark=mark, hint=hint)
    pairs = common(ours, theirs) if pairs is None else pairs
    moving = _moving(ours, theirs, pairs)
    if not moving:
        raise fail("weights", f"no layer of {model.name} fits", mark=mark)
    values = _values(moving, arrays_of)
    refuse_strange_numbers({layer.name: arrays for layer, arrays in values.items()}, mark)
    for layer, arrays in values.items():
        fill(layer, arrays)
    return _transfer(model, ours, theirs, moving)


def _structure(model: Any, mark: Mark) -> Structure:
    if not getattr(model, "inputs", None):
        raise fail("model", "a Keras model that is not functional; expected one made of layers", mark=mark)
    return structure_of(model.ends if isinstance(model, Model) else model.outputs, model.inputs)


def _moving(ours: Structure, theirs: Structure, pairs: Pairs) -> list[tuple[Part, Part]]:
    """The pairs that own arrays, each array once."""
    found = {ours.parts[place].owner: (ours.parts[place], theirs.parts[other]) for place, other in pairs.items()}
    return [(own, other) for owner, (own, other) in found.items() if owner is not None]


def _values(moving: Iterable[tuple[Part, Part]], arrays_of: Arrays) -> dict[Any, list[Array]]:
    """The arrays of each layer of ours that gets some, in the order in which it has them."""
    values: dict[Any, list[Array]] = {}
    for own, other in moving:
        arrays = values.setdefault(own.layer, own.layer.get_weights())
        given = arrays_of(other.layer)[other.first :]
        for index, array in enumerate(given[: len(own.shapes)], own.first):
            arrays[index] = array.reshape(arrays[index].shape)
        if own.kind == "normalization":
            arrays[1] = arrays[1] * (own.scale / other.scale) ** 2  # of the variance, which it divides by the root of
    return values


def _difference(ours: Structure, theirs: Structure) -> str:
    own, other = first_without_partner(ours, theirs)
    if own and other:
        return (
            f"the first that differs is {own.name}, {_described(own)}; the other has {other.name}, {_described(other)}"
        )
    for extra, where in ((own, "the other model"), (other, "the model")):
        if extra:
            return f"{extra.name}, {_described(extra)}, is not in {where}"
    return "its layers are the same, but are connected or shared in another way"


def _described(part: Part) -> str:
    if part.layer is None:
        return f"{part.kind} of {len(part.inputs)}" if part.inputs else "an input"
    return f"with {shapes_text(_shapes(part))}"


def _shapes(part: Part) -> tuple[Shape, ...]:
    """Shapes of its arrays, as its layer has them."""
    weights = part.layer.weights[part.first :] if part.layer else ()
    return tuple(tuple(weight.shape) for weight in weights[: len(part.shapes)])


def _transfer(model: Model, ours: Structure, theirs: Structure, moving: Iterable[tuple[Part, Part]]) -> Transfer:
    entries = {node.name: node.origin.path for node in model.graph.nodes}
    others = {other.owner for _, other in moving}
    moved = [Moved(own.name, entries[own.name], other.name, _shapes(own)) for own, other in moving]
    got = {own.owner for own, _ in moving}
    left = [
        Left(part.name, entries[part.name], _shapes(part), (), "nothing in its place in the other model")
        for part in _owners(ours)
        if part.owner not in got
    ]
    unused = [part.name for part in _owners(theirs) if part.owner not in others]
    return Transfer("keras", "structure", tuple(moved), tuple(left), tuple(unused))


def _owners(structure: Structure) -> Iterator[Part]:
    """Each part that has arrays once, where it comes first."""
    return iter({part.owner: part for part in reversed(structure.parts) if part.owner is not None}.values())
