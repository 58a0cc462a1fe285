"""Where in a config each key may stand: a right key at a wrong level is told its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from archdsl.language.schema import ConfigSchema, LayerSchema, StageSchema
from archdsl.registry import all_blocks

_NAMES = {StageSchema: "a stage", LayerSchema: "a layer"}


def belongs(key: str, in_layer: bool) -> str:
    """A hint that says where `key` may stand, or what blocks take it; nothing for a key that may stand nowhere."""
    places = _homes().get(key, ())
    if in_layer and _NAMES[LayerSchema] in places:
        takers = [name for name, block in sorted(all_blocks().items()) if key in block.parameters]
        return f"blocks that take '{key}': {', '.join(takers[:5])}" if takers else ""
    if not places:
        return ""
    return f"'{key}' belongs {' or '.join([f'under {place}' if place else 'at the top level' for place in places])}"


@cache
def _homes() -> Mapping[str, tuple[str, ...]]:
    homes: dict[str, list[str]] = {"defaults": [""]}
    for key, home in [*_walk(ConfigSchema, ""), *_arguments()]:
        if home not in homes.setdefault(key, []):
            homes[key].append(home)
    return {key: tuple(places) for key, places in homes.items()}


def _walk(model: type[BaseModel], home: str) -> Iterator[tuple[str, str]]:
    for key, annotation in fields(model).items():
        yield key, home
        inner = plain(annotation)
        while get_origin(inner) is dict:  # named stages, named layers
            inner = plain(get_args(inner)[1])
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _walk(inner, _NAMES.get(inner) or f"{home}.{key}".lstrip("."))


def _arguments() -> Iterator[tuple[str, str]]:
    for block in all_blocks().values():
        yield from ((key, _NAMES[LayerSchema]) for key in block.parameters)


def fields(model: type[BaseModel]) -> dict[str, Any]:
    """Keys as a config writes them, with their types."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def plain(annotation: Any) -> Any:
    """The annotation without Annotated and Optional."""
    while get_origin(annotation) in (Annotated, Union, UnionType):
        annotation = next(item for item in get_args(annotation) if item is not NoneType)
    return annotation
