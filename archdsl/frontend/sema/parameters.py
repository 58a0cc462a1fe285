"""Open values in a block that a config defines: `$name`, and numbers relative to an input, a layer or an argument.

`$name` is the block's argument as a whole value, or as an item of a list. `{of: input, times: 4}` is four times the
channels of the input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from inspect import Parameter
from typing import Any, NamedTuple, get_args, get_origin

from archdsl.blocks.registry import Block, Depth
from archdsl.diagnostics.wording import describe
from archdsl.frontend.compose.config import Location
from archdsl.frontend.sema.schema import RelativeSchema
from archdsl.frontend.sema.spec import LayerSpec, Scale
from archdsl.frontend.sema.vocabulary import members
from archdsl.frontend.source import KeyPath
from archdsl.ir.node import ShapeError

FITS = "fits"
"""In `when:`, it leaves a layer out whose inputs have different shapes."""
Flag = bool | int
"""The type of an argument that `when:` names; 0 is false."""


class Use(NamedTuple):
    """Where a layer passes an argument on: the type and the default it has there, and how it scales."""

    annotation: Any
    default: Any
    size: str | None


class Argument(NamedTuple):
    """A `$name` at an entry of the config, and what it is used as there."""

    name: str
    at: Location
    use: Use


def name_of(value: Any) -> str | None:
    """`hidden` for the text `$hidden`, None for any other value."""
    return value[1:] if isinstance(value, str) and value.startswith("$") else None


def is_relative(value: Any) -> bool:
    return isinstance(value, dict) and "of" in value


def is_open(value: Any) -> bool:
    """Whether it has a value only where the block is used."""
    return is_relative(value) or bool(list(_names(value, ())))


def literal_arguments(arguments: Mapping[str, Any], known: Iterable[str]) -> dict[str, Any]:
    """What can be checked before the block is used; of a list, an open item counts as another of its items."""
    kept: dict[str, Any] = {}
    for key, value in arguments.items():
        items = [item for item in value if not is_open(item)] if isinstance(value, list) else []
        if key not in known or not is_open(value):
            kept[key] = value
        elif items:
            kept[key] = [items[0] if is_open(item) else item for item in value]
    return kept


def open_places(arguments: Mapping[str, Any], known: Iterable[str]) -> Iterator[KeyPath]:
    """Where the open values are: arguments, or items of lists of which others are literal."""
    for key in arguments.keys() & known:
        value = arguments[key]
        if isinstance(value, list) and not all(map(is_open, value)):
            yield from ((key, index) for index, item in enumerate(value) if is_open(item))
        elif is_open(value):
            yield (key,)


def arguments_of(layer: LayerSpec) -> Iterator[Argument]:
    """Every `$name` among the arguments of a layer."""
    stated = {**layer.arguments, **layer.first}
    for key, value in stated.items():
        for name, place in _names(value, (key,)):
            yield Argument(name, layer.at.inside(*place), _use(layer.block, key, place))
    for name, place in _names(layer.repeats, ("depth",)):
        yield Argument(name, layer.at.inside(*place), Use(Depth, None, "depth"))
    for index, text in enumerate(layer.when):
        if text != FITS:
            yield Argument(text[1:], layer.at.inside("when", index), Use(Flag, False, None))


def _names(value: Any, path: KeyPath) -> Iterator[tuple[str, KeyPath]]:
    name = name_of(value)
    if name is not None:
        yield name, path
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _names(item, (*path, index))
    elif is_relative(value):
        for key, item in value.items():
            yield from _names(item, (*path, key))


def _use(block: Block, key: str, place: KeyPath) -> Use:
    parameter = block.parameters[key]
    inner = place[1] if len(place) > 1 else None
    if isinstance(inner, int):
        return Use(item_type(parameter.annotation), Parameter.empty, None)
    if inner is not None and inner != "of":
        return Use(RelativeSchema.model_fields[inner].annotation, Parameter.empty, None)
    return Use(parameter.annotation, parameter.default, block.sizes.get(key))


def item_type(annotation: Any) -> Any:
    """The type of the items of a type of lists; anything, where it says none."""
    lists = [member for member in members(annotation) if get_origin(member) in (list, tuple, Sequence)]
    return get_args(lists[0])[0] if lists else Any


class Values(NamedTuple):
    """The open values of a block where it is used: its arguments, and the channels of its layers by name."""

    arguments: Mapping[str, Any]
    channels: Callable[[str], int]
    scale: Scale

    def holds(self, when: Iterable[str]) -> bool:
        """Whether all arguments that `when:` names are true."""
        return all(self.arguments[text[1:]] for text in when if text != FITS)

    def filled_in(self, layer: LayerSpec) -> LayerSpec:
        """The layer with a value for each open one. An argument without a value counts as not set."""
        arguments, first = self._all(layer.arguments), self._all(layer.first)
        return layer._replace(arguments=arguments, first=first, repeats=self._one(layer.repeats))

    def _all(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        filled = {key: self._one(value) for key, value in arguments.items()}
        return {key: value for key, value in filled.items() if value is not None}

    def _one(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._one(item) for item in value]
        if is_relative(value):
            return self._relative(value)
        name = name_of(value)
        return value if name is None else self.arguments[name]

    def _relative(self, value: Mapping[str, Any]) -> int:
        """of × times + plus, rounded to a multiple of the divisor; of channels by default to that of `scale`.

        Channels as they are, without any of these, are not rounded.
        """
        argument = name_of(value["of"])
        base = self.channels(value["of"]) if argument is None else self.arguments[argument]
        if isinstance(base, bool) or not isinstance(base, (int, float)):
            raise ShapeError(f"{value['of']} is {describe(base)}; expected a number")
        exact = base * (self._one(value.get("times")) or 1) + (self._one(value.get("plus")) or 0)
        divisor = self._one(value.get("divisor"))
        if argument is None and exact <= 0:
            raise ShapeError(f"of {base} channels of {value['of']} it leaves {exact:g}; expected at least 1")
        if (argument is None and len(value) > 1) or divisor is not None:
            return self.scale.multiple(exact, divisor)
        return round(exact)
