"""`$name` in a block that a config defines: the block's argument, as a whole value, or as an item of a list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from inspect import Parameter
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from archdsl.blocks.registry import Block, Depth
from archdsl.frontend.compose.config import Location
from archdsl.frontend.sema.spec import LayerSpec
from archdsl.frontend.source import KeyPath


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


def literal_arguments(arguments: Mapping[str, Any], known: Iterable[str]) -> dict[str, Any]:
    """What can be checked before any `$name` has a value: arguments without one, and the other items of lists."""
    kept: dict[str, Any] = {}
    for key, value in arguments.items():
        items = [item for item in value if not list(_names(item, ()))] if isinstance(value, list) else []
        if key not in known or not list(_names(value, ())):
            kept[key] = value
        elif items:
            kept[key] = items
    return kept


def arguments_of(layer: LayerSpec) -> Iterator[Argument]:
    """Every `$name` among the arguments of a layer."""
    stated = {**layer.arguments, **layer.first}
    for key, value in stated.items():
        for name, place in _names(value, (key,)):
            yield Argument(name, layer.at.inside(*place), _use(layer.block, key, is_item=len(place) > 1))
    for name, place in _names(layer.repeats, ("depth",)):
        yield Argument(name, layer.at.inside(*place), Use(Depth, None, "depth"))


def _names(value: Any, path: KeyPath) -> Iterator[tuple[str, KeyPath]]:
    name = name_of(value)
    if name is not None:
        yield name, path
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _names(item, (*path, index))


def _use(block: Block, key: str, is_item: bool) -> Use:
    parameter = block.parameters[key]
    if is_item:
        return Use(item_type(parameter.annotation), Parameter.empty, None)
    return Use(parameter.annotation, parameter.default, block.sizes.get(key))


def item_type(annotation: Any) -> Any:
    """The type of the items of a type of lists; anything, where it says none."""
    if get_origin(annotation) is Annotated:
        return item_type(get_args(annotation)[0])
    items = [item for item in get_args(annotation) if item is not Ellipsis]
    return items[0] if items else Any


def filled_in(layer: LayerSpec, values: Mapping[str, Any]) -> LayerSpec:
    """The layer with a value for each `$name`. What has none is as if nobody had said it."""
    arguments, first = _filled_all(layer.arguments, values), _filled_all(layer.first, values)
    return layer._replace(arguments=arguments, first=first, repeats=_filled(layer.repeats, values))


def _filled_all(arguments: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    filled = {key: _filled(value, values) for key, value in arguments.items()}
    return {key: value for key, value in filled.items() if value is not None}


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_filled(item, values) for item in value]
    name = name_of(value)
    return value if name is None else values[name]
