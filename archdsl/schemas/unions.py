"""A value of one of several types. Where it is of none, what is wrong is told for the type that is meant.

pydantic tells it for each of them, at places that are not in the config: `kernel.int`, `kernel.tuple[int,int].0`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

from pydantic_core import CoreSchema, PydanticCustomError, ValidationError, core_schema

Details = dict[str, Any]
"""A finding of pydantic_core: type, loc, input, msg, ctx."""

NO_MEMBER = "union_type"
"""The finding for a value that is not of the type of any member; `members` of its ctx are what each of them finds."""


def union_schema(members: Sequence[CoreSchema]) -> CoreSchema:
    """Takes a value as the member that fits it best."""
    choices = [(member, str(number)) for number, member in enumerate(members)]
    return core_schema.no_info_wrap_validator_function(_gathered, core_schema.union_schema(choices))  # type: ignore[arg-type]


def _gathered(value: Any, check: Callable[[Any], Any]) -> Any:
    try:
        return check(value)
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise PydanticCustomError(NO_MEMBER, "Input should be of one of the types", {"members": found}) from None


def details_of(error: ValidationError) -> Iterator[Details]:
    """What is wrong, each at its place in the value that was checked."""
    for details in error.errors(include_url=False):
        yield from _meant({**details})


def _meant(details: Details) -> Iterator[Details]:
    """The findings of the first member whose type the value has."""
    if details["type"] != NO_MEMBER:
        yield details
        return
    members = [list(found) for _, found in groupby(details["ctx"]["members"], lambda each: each["loc"][0])]
    for found in members:
        if not _is_of_another_type(found[0]):
            for each in found:
                yield from _meant({**each, "loc": (*details["loc"], *each["loc"][1:])})
            return
    yield {**details, "ctx": {"members": [found[0] for found in members]}}


def _is_of_another_type(first: Details) -> bool:
    if first["type"] == "literal_error":
        return not isinstance(first["input"], str)
    return len(first["loc"]) == 1 and (first["type"].endswith("_type") or first["type"] == "is_instance_of")
