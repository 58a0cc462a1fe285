"""An annotation → the core schema by which pydantic_core checks values: the one that pydantic makes, without pydantic.

Importing pydantic takes longer than most commands. It is asked for what is not in TYPES, such as an enumeration or a
date, so that an argument of a block may have any type that pydantic knows.
"""

from __future__ import annotations

import collections.abc
from collections.abc import Callable, Hashable, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic_core import CoreConfig, CoreSchema, SchemaValidator, core_schema

from archdsl.schemas.unions import union_schema

STRICT = CoreConfig(strict=True)  # "1" is not a number, and 1 is not true


class Limits(NamedTuple):
    """`Annotated[int, Limits(ge=1, le=8)]`: range of a number, length of a list or a text, pattern of a text."""

    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None

    def around(self, schema: Any) -> CoreSchema:
        return {**schema, **{name: limit for name, limit in self._asdict().items() if limit is not None}}

    def __get_pydantic_core_schema__(self, source: Any, schema_of: Callable[[Any], CoreSchema]) -> CoreSchema:
        """For pydantic, where a type that it is asked for has a limited one inside."""
        return self.around(schema_of(source))


class OneOrMore(NamedTuple):
    """`Annotated[list[str], OneOrMore()]`: a text on its own is a list of one."""

    def around(self, schema: CoreSchema) -> CoreSchema:
        return core_schema.no_info_before_validator_function(listed, schema)


def listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def core_schema_of(annotation: Any) -> CoreSchema:
    """A core schema that is complete: with the definitions that it refers to."""
    schema_of = Translation()
    schema = schema_of(annotation)
    return core_schema.definitions_schema(schema, list(schema_of.definitions.values()))


def validator(annotation: Any) -> SchemaValidator:
    """Checks values strictly. Raises pydantic_core.ValidationError with everything that is wrong."""
    return SchemaValidator(core_schema_of(annotation), STRICT)


class Translation:
    """Called with an annotation, gives its core schema; `definitions` are what such schemas refer to.

    A type of our own, a class or an instance of one, has a method `__core_schema__`, which takes the translation.
    """

    def __init__(self) -> None:
        self.definitions: dict[str, CoreSchema] = {}

    def __call__(self, annotation: Any) -> CoreSchema:
        if hasattr(annotation, "__core_schema__"):
            return annotation.__core_schema__(self)  # type: ignore[no-any-return]
        origin = get_origin(annotation) or annotation
        translate = TYPES.get(origin) if isinstance(origin, Hashable) else None
        schema = translate(self, *get_args(annotation)) if translate else None
        return schema or self._by_pydantic(annotation)

    def define(self, reference: str, make: Callable[[], CoreSchema]) -> CoreSchema:
        """A reference to what `make` gives. It is made once, and may refer to itself."""
        if reference not in self.definitions:
            self.definitions[reference] = core_schema.any_schema()  # until it is made
            self.definitions[reference] = make()
        return core_schema.definition_reference_schema(reference)

    def _by_pydantic(self, annotation: Any) -> CoreSchema:
        from pydantic import TypeAdapter

        schema: Any = TypeAdapter(annotation).core_schema
        if schema["type"] != "definitions":
            return schema  # type: ignore[no-any-return]
        self.definitions |= {definition["ref"]: definition for definition in schema["definitions"]}
        return schema["schema"]  # type: ignore[no-any-return]


def _annotated(schema_of: Translation, annotation: Any, *metadata: Any) -> CoreSchema | None:
    if not all(isinstance(each, (Limits, OneOrMore)) for each in metadata):
        return None
    schema = schema_of(annotation)
    for each in metadata:
        schema = each.around(schema)
    return schema


def _union(schema_of: Translation, *members: Any) -> CoreSchema:
    schemas = [schema_of(member) for member in members if member is not NoneType]
    schema = schemas[0] if len(schemas) == 1 else union_schema(schemas)
    return core_schema.nullable_schema(schema) if NoneType in members else schema


def _list(schema_of: Translation, item: Any = Any) -> CoreSchema:
    return core_schema.list_schema(schema_of(item))


def _tuple(schema_of: Translation, *items: Any) -> CoreSchema | None:
    """A tuple of this length. It may be written as a list, since YAML has no tuples."""
    if not items or Ellipsis in items:
        return None
    return core_schema.tuple_schema([schema_of(item) for item in items], strict=False)


def _dict(schema_of: Translation, key: Any = Any, value: Any = Any) -> CoreSchema:
    return core_schema.dict_schema(schema_of(key), schema_of(value))


TYPES: Mapping[Any, Callable[..., CoreSchema | None]] = {
    Any: lambda _: core_schema.any_schema(),
    NoneType: lambda _: core_schema.none_schema(),
    bool: lambda _: core_schema.bool_schema(),
    int: lambda _: core_schema.int_schema(),
    float: lambda _: core_schema.float_schema(),
    str: lambda _: core_schema.str_schema(),
    Literal: lambda _, *values: core_schema.literal_schema(list(values)),
    Annotated: _annotated,
    **dict.fromkeys((Union, UnionType), _union),
    **dict.fromkeys((list, collections.abc.Sequence), _list),
    **dict.fromkeys((dict, collections.abc.Mapping), _dict),
    tuple: _tuple,
}
"""Makes the core schema of a type from a Translation and the type's arguments; None for what is left to pydantic."""
