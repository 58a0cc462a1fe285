"""A Keras model → a model of the same structure, whatever its layers are called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from archdsl.backends.keras.arrays import fill
from archdsl.diagnostics.problems import Mark, fail
from archdsl.weights.arrays import refuse_strange_numbers
from archdsl.weights.first_convolution import account, adapted, convolutions_of_the_image, is_adaptable
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
    first = _other_channels(model, ours, theirs, pairs) if partial else {}
    moving = _moving(ours, theirs, {**pairs, **{place: other for place, (other, _) in first.items()}})
    times = {ours.parts[place].name: each for place, (_, each) in first.items()}
    if not moving:
        raise fail("weights", f"no layer of {model.name} fits", mark=mark)
    values = _values(moving, arrays_of, times)
    refuse_strange_numbers({layer.name: arrays for layer, arrays in values.items()}, mark)
    for layer, arrays in values.items():
        fill(layer, arrays)
    found = _transfer(model, ours, theirs, moving, times)
    return replace(found, source="other model") if arrays_of is _own_arrays else found


def _structure(model: Any, mark: Mark) -> Structure:
    if not getattr(model, "inputs", None):
        raise fail("model", "a Keras model that is not functional; expected one made of layers", mark=mark)
    return structure_of(model.ends if isinstance(model, Model) else model.outputs, model.inputs)


def _moving(ours: Structure, theirs: Structure, pairs: Pairs) -> list[tuple[Part, Part]]:
    """The pairs that own arrays, each array once."""
    found = {ours.parts[place].owner: (ours.parts[place], theirs.parts[other]) for place, other in pairs.items()}
    return [(own, other) for owner, (own, other) in found.items() if owner is not None]


def _other_channels(model: Model, ours: Structure, theirs: Structure, pairs: Pairs) -> dict[int, tuple[int, int]]:
    """Convolutions of the image without partner: that of the other for another number of channels, in turn."""
    times = convolutions_of_the_image(model.graph)
    taken = set(pairs.values())
    free = [place for place in _readers_of_the_image(theirs) if place not in taken]
    found = {}
    for place, part in enumerate(ours.parts):
        if part.name not in times or place in pairs:
            continue
        other = next((each for each in free if _is_adaptable(part, theirs.parts[each], times[part.name])), None)
        if other is not None:
            free.remove(other)
            found[place] = (other, times[part.name])
    return found


def _is_adaptable(own: Part, other: Part, times: int) -> bool:
    is_whole = getattr(other.layer, "groups", 0) == 1  # which only a convolution has
    return is_whole and is_adaptable(_shapes(own), _shapes(other), times)


def _readers_of_the_image(structure: Structure) -> Iterator[int]:
    """The places of layers with arrays that read an input, or one that was normalised."""
    is_image = [part.kind.startswith("input ") for part in structure.parts]
    for place, part in enumerate(structure.parts):
        if len(part.inputs) == 1 and is_image[part.inputs[0].source]:
            is_image[place] = part.kind == "normalization"
            yield place


def _values(moving: Iterable[tuple[Part, Part]], arrays_of: Arrays, times: Mapping[str, int]) -> dict[Any, list[Array]]:
    """The arrays of each layer of ours that gets some, in the order in which it has them."""
    values: dict[Any, list[Array]] = {}
    for own, other in moving:
        arrays = values.setdefault(own.layer, own.layer.get_weights())
        given = list(arrays_of(other.layer)[other.first :])
        if own.name in times:
            given = adapted(given, arrays[own.first].shape, times[own.name])
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


def _transfer(
    model: Model,
    ours: Structure,
    theirs: Structure,
    moving: Iterable[tuple[Part, Part]],
    times: Mapping[str, int],
) -> Transfer:
    entries = {node.name: node.origin.path for node in model.graph.nodes}
    others = {other.owner for _, other in moving}
    moved = [
        Moved(own.name, entries[own.name], other.name, _shapes(own), _made(own, other, times)) for own, other in moving
    ]
    got = {own.owner for own, _ in moving}
    left = [
        Left(part.name, entries[part.name], _shapes(part), (), "nothing in its place in the other model")
        for part in _owners(ours)
        if part.owner not in got
    ]
    unused = [part.name for part in _owners(theirs) if part.owner not in others]
    return Transfer("keras", "structure", tuple(moved), tuple(left), tuple(unused))


def _made(own: Part, other: Part, times: Mapping[str, int]) -> str:
    return account(_shapes(own)[0], _shapes(other)[0], times[own.name]) if own.name in times else ""


def _owners(structure: Structure) -> Iterator[Part]:
    """Each part that has arrays once, where it comes first."""
    return iter({part.owner: part for part in reversed(structure.parts) if part.owner is not None}.values())
