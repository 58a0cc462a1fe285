"""Values are checked as pydantic checks them, which is not imported for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from enum import Enum
from math import inf, nan
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import jsonschema
import pydantic
import pytest
from pydantic_core import ValidationError
from support.mutation import value_mutant

import archdsl
from archdsl.blocks import registry
from archdsl.blocks.registry import Block, Kernel, Ratio, Width, all_blocks
from archdsl.diagnostics.problems import ArchError
from archdsl.frontend.sema.schema import ConfigSchema
from archdsl.frontend.values import read_mapping
from archdsl.ir.ops import Identity
from archdsl.schemas.annotations import Limits, OneOrMore, listed, validator
from archdsl.schemas.json_form import json_schema_of
from archdsl.schemas.schema import OPEN, REQUIRED, Field, Schema, plain_data, renamed

VALUES = [None, True, 0, -1, 1, 2, 3.0, 0.5, nan, inf, 10**20, "", "a", "Not A Name", "x" * 3000, "same", [], [1]]
VALUES += [[0, "a"], ["a", "a"], [None, 1, 70_000], [[1]], {}, {"a": 1}, {"block": 1}, {"Bad": None}, {"p2": {"x": 1}}]
ANNOTATIONS = [
    *dict.fromkeys(parameter.annotation for block in all_blocks().values() for parameter in block.parameters.values()),
    *(Any, None, int, str, bool, float, list, dict, list[Width], dict[str, Ratio | None], dict[Literal["a", "b"], int]),
    *(Annotated[str, Limits(pattern="^a*$", max_length=2)], Annotated[dict[str, Any], Limits(max_length=0)]),
    *(tuple[int, ...], set[Width], list[set[Width] | None]),
]


TYPE = re.compile(r"(constrained-|tuple\[|list\[|dict\[|literal\[|union\[|function-|nullable\[)|(int|bool|str|float)$")
"""What pydantic adds to the place of a finding: the type that it is about."""


def of_pydantic(annotation: Any) -> Any:
    """The same type, made of nothing that is ours."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Schema):
        return model_of(annotation)
    if origin is Annotated:
        limits = [metadata_of(each) for each in arguments[1:]]
        return Annotated[(of_pydantic(arguments[0]), *limits)]
    if origin in (Union, UnionType):
        return Union[tuple(map(of_pydantic, arguments))]  # noqa: UP007
    if origin is Sequence:  # a config has only lists
        return list[of_pydantic(arguments[0])]  # type: ignore[misc]
    if origin is tuple and Ellipsis not in arguments:  # nor can it have a tuple
        return Annotated[origin[tuple(map(of_pydantic, arguments))], pydantic.Strict(False)]
    return origin[tuple(map(of_pydantic, arguments))] if origin in (list, dict, set) else annotation


def metadata_of(ours: Limits | OneOrMore) -> Any:
    if isinstance(ours, OneOrMore):
        return pydantic.BeforeValidator(listed)
    return pydantic.Field(**{name: limit for name, limit in ours._asdict().items() if limit is not None})


def model_of(schema: type[Schema]) -> type[pydantic.BaseModel]:
    fields: dict[str, Any] = {
        f"field_{name}": (of_pydantic(field.annotation), pydantic.Field(default_of(field), alias=field.key))
        for name, field in schema.model_fields.items()
    }
    extra: Any = schema.model_config["extra"]
    return pydantic.create_model(schema.__name__, __config__=pydantic.ConfigDict(strict=True, extra=extra), **fields)


def default_of(field: Field) -> Any:
    return model_of(type(field.default))() if isinstance(field.default, Schema) else field.default


Found = dict[str, Any]


def wrong(check: Callable[[Any], Any], value: Any) -> list[Found]:
    """What is found; the title of an error is not compared."""
    try:
        check(value)
    except ValidationError as error:
        return [{**found} for found in error.errors(include_url=False)]
    return []


def is_readable(values: Any) -> bool:
    """Whether a file could hold it: a number of thousands of digits, which Python cannot print, is refused before."""
    try:
        read_mapping(values)
    except ArchError:
        return False
    return True


def is_same(ours: list[Found], theirs: list[Found]) -> bool:
    """Whether the same is found. Of a value that may have several types ours is about one, theirs about each."""
    if ours == theirs:
        return True
    places, known = [found["loc"] for found in ours], [without_types(found["loc"]) for found in theirs]
    return all(any(is_near(place, loc) for loc in known) for place in places) and all(
        any(is_near(place, loc) for place in places) for loc in known
    )


def without_types(loc: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(step for step in loc if not (isinstance(step, str) and TYPE.match(step)))


def is_near(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Whether one is the other, or inside of it."""
    common = min(len(one), len(other))
    return one[:common] == other[:common]


@pytest.mark.parametrize("annotation", ANNOTATIONS, ids=str)
def test_an_annotation_means_what_it_means_to_pydantic(annotation: Any) -> None:
    ours = validator(annotation)
    theirs = pydantic.TypeAdapter(of_pydantic(annotation), config=pydantic.ConfigDict(strict=True))
    for value in VALUES:
        found = wrong(ours.validate_python, value)
        assert is_same(found, wrong(theirs.validate_python, value))
        assert found or repr(ours.validate_python(value)) == repr(theirs.validate_python(value))
    assert json_schema_of(annotation) == theirs.json_schema()


@pytest.mark.parametrize("block", all_blocks().values(), ids=lambda block: block.name)
def test_the_arguments_of_a_block_are_checked_as_by_a_model_of_pydantic(block: Block) -> None:
    ours, theirs = block.schema, model_of(block.schema)
    given = dict.fromkeys(block.parameters, 1)
    for values in [{}, given, {**given, "other": 1}, *[{**given, name: value} for name in given for value in VALUES]]:
        assert is_same(wrong(ours.model_validate, values), wrong(theirs.model_validate, values))
    assert json_schema_of(ours) == theirs.model_json_schema()


def test_a_config_is_checked_as_by_a_model_of_pydantic() -> None:
    theirs, refused = model_of(ConfigSchema), 0
    for seed in range(1_000):
        values = value_mutant(seed)
        if not is_readable(values):
            continue
        found = wrong(ConfigSchema.model_validate, values)
        assert is_same(found, wrong(theirs.model_validate, values)), seed
        refused += bool(found)
    assert refused > 300


class Level(Enum):
    LOW = 1


class Point(pydantic.BaseModel):
    x: int


class Tree(pydantic.BaseModel):
    branches: dict[str, Tree] = {}


class Node(Schema):
    """A node of a list."""

    value: Width = 1
    """What it holds."""
    following: Node | None = renamed("next", None)
    named: dict[str, Node] = {}


def test_a_class_may_contain_itself() -> None:
    made = Node.model_validate({"next": {"value": 2, "next": {"value": 3}}, "named": {"a": {}}})
    assert made.following and made.following.following
    assert (made.value, made.following.following.value, made.named["a"].value) == (1, 3, 1)
    last = {"value": 3, "next": None, "named": {}}
    assert plain_data(made.following) == {"value": 2, "next": last, "named": {}}
    assert wrong(Node.model_validate, {"next": {"next": {"value": 0}}})[0]["loc"] == ("next", "next", "value")
    described = json_schema_of(Node)["$defs"]["Node"]
    meanings = described["description"], described["properties"]["value"]["description"]
    assert meanings == ("A node of a list.", "What it holds.")


class Closed(Schema):
    width: int


class Open(Closed):
    model_config = OPEN


def test_an_instance_does_not_change_and_has_other_keys_only_where_they_are_allowed() -> None:
    with pytest.raises(AttributeError):
        Closed(width=1).width = 2
    assert wrong(Closed.model_validate, {"width": 1, "more": 2})[0]["type"] == "extra_forbidden"
    made = Open(width=1, more=2)
    assert (made.width, made.model_extra, made.model_fields_set) == (1, {"more": 2}, {"width", "more"})


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        (Level, Level.LOW, 2),
        (Path, Path("x"), 1),
        (dict[str, Point], {"a": {"x": 1}}, {"a": {"x": "b"}}),
        (set[Width], {1}, {0}),
        (tuple[Tree, Tree], [{"branches": {"a": {}}}, {}], [{"branches": {"a": {}}}, {"branches": 1}]),
        (Annotated[Decimal, Limits(ge=1)], Decimal(1), Decimal(0)),
    ],
    ids=str,
)
def test_an_argument_may_have_any_type_that_pydantic_knows(annotation: Any, good: Any, bad: Any) -> None:
    fields = {"a": Field(annotation, REQUIRED, "a"), "b": Field(annotation, None, "b")}
    arguments = Schema.model_with("arguments", fields)
    arguments.model_validate({"a": good, "b": good})
    assert {found["loc"][0] for found in wrong(arguments.model_validate, {"a": good, "b": bad})} == {"b"}
    assert json_schema_of(arguments)["required"] == ["a"]


@pytest.fixture
def shape(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block whose arguments are of several types."""
    monkeypatch.setattr(registry, "_blocks", dict(all_blocks()))

    @archdsl.block
    def shape(
        x: Any,
        *,
        sides: Kernel | tuple[Kernel, Kernel] = 3,
        mode: Literal["auto"] | Ratio | None = None,
        names: str | list[Node] = "",
    ) -> Any:
        return Identity()(x)


OF_SHAPE = "of block 'shape'"


def with_shape(argument: str, value: Any) -> dict[str, Any]:
    return {"stages": {"a": {"body": {"block": "shape", argument: value}}}}


@pytest.mark.usefixtures("shape")
@pytest.mark.parametrize(
    ("argument", "value", "path", "message"),
    [
        ("sides", 0, "", "got the number 0; expected a value ≥ 1"),
        ("sides", [3, 0], ".1", "got the number 0; expected a value ≥ 1"),
        ("sides", [3, "5"], ".1", "expected a whole number, got text '5'"),
        ("sides", [3], ".1", "the list is too short: item 2 is missing"),
        ("sides", "3", "", "expected a whole number or a list, got text '3'"),
        ("mode", "autp", "", "got text 'autp'; expected one of: auto"),
        ("mode", 20, "", "got the number 20; expected a value ≤ 16.0"),
        ("mode", [], "", "expected 'auto' or a number, got a list of 0"),
        ("names", 1, "", "expected text or a list, got the number 1"),
        ("names", [{"value": 0}], ".0.value", "got the number 0; expected a value ≥ 1"),
        (
            "names",
            [{}, {"valve": 1}],
            ".1.valve",
            f"unknown key 'valve' {OF_SHAPE}; expected one of: value, next, named",
        ),
    ],
)
def test_a_value_of_several_types_has_one_error_at_its_place(
    argument: str, value: Any, path: str, message: str, problems_of: Callable[..., list[archdsl.Problem]]
) -> None:
    (problem,) = problems_of(with_shape(argument, value))
    assert (problem.path, problem.message) == (f"stages.a.body.{argument}{path}", message)


@pytest.mark.usefixtures("shape")
@pytest.mark.parametrize(
    ("argument", "value"), [("sides", 3), ("sides", [3, 5]), ("mode", "auto"), ("mode", 1.5), ("names", [{"value": 2}])]
)
def test_a_value_of_several_types_may_have_any_of_them(argument: str, value: Any) -> None:
    archdsl.compile_config(with_shape(argument, value))
    jsonschema.validate({argument: value}, json_schema_of(all_blocks()["shape"].schema))
