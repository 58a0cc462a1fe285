"""Schema: a class whose annotations are the keys that a mapping has, with the types of their values.

It does what a model of pydantic does, under the same names, so far as configs need it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, Self, TypeVar, get_type_hints

from pydantic_core import CoreConfig, CoreSchema, core_schema

from archdsl.schemas.annotations import Translation, validator

REQUIRED: Any = ...
"""The default of a key that must be given."""
CLOSED: Mapping[str, Any] = {"extra": "forbid"}
OPEN: Mapping[str, Any] = {"extra": "allow"}
_NONE: Mapping[str, Any] = MappingProxyType({})

Made = TypeVar("Made")


class Field(NamedTuple):
    """What a mapping may have under `key`."""

    annotation: Any
    default: Any
    key: str

    def checked(self, schema_of: Translation) -> core_schema.ModelField:
        schema = schema_of(self.annotation)
        if isinstance(self.default, (dict, list)):  # the general way to copy a default is ten times slower
            schema = core_schema.with_default_schema(schema, default_factory=self.default.copy)
        elif self.default is not REQUIRED:
            schema = core_schema.with_default_schema(schema, default=self.default)
        return core_schema.model_field(schema, validation_alias=self.key)


class _Renamed(NamedTuple):
    key: str
    default: Any


def renamed(key: str, default: Any = REQUIRED) -> Any:
    """In the body of a Schema, the default of a field that has another name in Python than its key in a mapping."""
    return _Renamed(key, default)


class _OfTheClass(Generic[Made]):
    """An attribute of a class, made when it is first asked for, and anew for each subclass."""

    def __init__(self, make: Callable[[Any], Made]):
        self.make = make

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = f"_{name}"

    def __get__(self, instance: Any, owner: type) -> Made:
        if self.name not in vars(owner):
            setattr(owner, self.name, self.make(owner))
        made: Made = vars(owner)[self.name]
        return made


def _fields(schema: type[Schema]) -> Mapping[str, Field]:
    fields = {}
    for name, annotation in get_type_hints(schema, include_extras=True).items():
        stated = getattr(schema, name, REQUIRED)
        key, default = stated if isinstance(stated, _Renamed) else (name, stated)
        fields[name] = Field(annotation, default, key)
    return fields


class Schema:
    """Base of the classes that describe a mapping. Values are checked strictly; an instance does not change.

    Other keys than those described are refused, or with ``model_config = OPEN`` kept in `model_extra`.
    """

    __slots__ = ("__dict__", "__pydantic_extra__", "__pydantic_fields_set__", "__pydantic_private__")

    model_config = CLOSED
    model_fields = _OfTheClass(_fields)
    """The fields by their names in Python."""
    model_validator = _OfTheClass(validator)

    def __init__(self, /, **values: Any):
        self.model_validator.validate_python(values, self_instance=self)

    @classmethod
    def model_validate(cls, values: Any) -> Self:
        """The instance that a mapping describes. Raises pydantic_core.ValidationError with all that is wrong in it."""
        return cls.model_validator.validate_python(values)  # type: ignore[no-any-return]

    @classmethod
    def model_construct(cls, values: Mapping[str, Any] = _NONE, extra: Mapping[str, Any] = _NONE) -> Self:
        """An instance of values that are known to be right, by their names in Python; `extra` is under other keys."""
        made = cls.__new__(cls)
        defaults = {name: field.default for name, field in cls.model_fields.items()}
        object.__setattr__(made, "__dict__", {**defaults, **values})
        object.__setattr__(made, "__pydantic_fields_set__", set(values))
        object.__setattr__(made, "__pydantic_extra__", dict(extra))
        return made

    @classmethod
    def model_with(cls, name: str, fields: Mapping[str, Field]) -> type[Self]:
        """A subclass called `name`, which has these fields too."""
        return type(name, (cls,), {"_model_fields": {**cls.model_fields, **fields}})

    @classmethod
    def __core_schema__(cls, schema_of: Translation) -> CoreSchema:
        reference = f"{cls.__module__}.{cls.__qualname__}:{id(cls)}"
        return schema_of.define(reference, lambda: cls._model(schema_of, reference))

    @classmethod
    def _model(cls, schema_of: Translation, reference: str) -> CoreSchema:
        fields = {name: field.checked(schema_of) for name, field in cls.model_fields.items()}
        inner = core_schema.model_fields_schema(fields, model_name=cls.__name__)
        config = CoreConfig(strict=True, extra_fields_behavior=cls.model_config["extra"])
        return core_schema.model_schema(cls, inner, config=config, ref=reference)

    @property
    def model_fields_set(self) -> set[str]:
        """The names, in Python, of the fields that were set."""
        return self.__pydantic_fields_set__  # type: ignore[attr-defined,no-any-return]

    @property
    def model_extra(self) -> dict[str, Any] | None:
        """What it has under other keys, None where there can be none."""
        return self.__pydantic_extra__  # type: ignore[attr-defined,no-any-return]

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"an instance of {type(self).__name__} does not change")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"


def plain_data(value: Any) -> Any:
    """A value of a Schema, or one that has such inside, as mappings and lists."""
    if isinstance(value, Schema):
        stated = {field.key: getattr(value, name) for name, field in value.model_fields.items()}
        return plain_data({**stated, **(value.model_extra or {})})
    if isinstance(value, dict):
        return {key: plain_data(item) for key, item in value.items()}
    return [plain_data(item) for item in value] if isinstance(value, (list, tuple)) else value
