"""What pydantic found wrong, in the words and with the places of the config."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from archdsl.errors import Problem, describe, did_you_mean, one_of, problem
from archdsl.loader import Config
from archdsl.source import KeyPath, dotted, nearest_place

SYNONYMS = {
    "swish": "silu",
    "leakyrelu": "leaky_relu",
    "hardswish": "hard_swish",
    "none": "linear",
    "identity": "linear",
}

ELSEWHERE = {"budget": "a config may not raise limits; its user may, with --budget or budget=Budget(…)"}

_EXPECTED_TYPES = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "sequence_type": "a list",
    "is_instance_of": "a list",
    "finite_number": "a finite number",
}
_BOUNDS = {"greater_than": ">", "greater_than_equal": "≥", "less_than": "<", "less_than_equal": "≤"}
_BOUND_KEYS = {"greater_than": "gt", "greater_than_equal": "ge", "less_than": "lt", "less_than_equal": "le"}


def problems_of(
    error: ValidationError, config: Config, model: type[BaseModel], prefix: KeyPath = (), owner: str = ""
) -> list[Problem]:
    """One Problem for each finding. `prefix` is where `model` stands in the config, `owner` what the keys belong to."""
    return [_problem(details, config, model, prefix, owner) for details in error.errors(include_url=False)]


def _problem(
    details: Mapping[str, Any], config: Config, model: type[BaseModel], prefix: KeyPath, owner: str
) -> Problem:
    kind, location = details["type"], tuple(details["loc"])
    if location[-1:] == ("[key]",):
        kind, location = "key", location[:-1]
    path = (*prefix, *location)
    at_key = kind in ("extra_forbidden", "key")
    # What is missing is missing where the user wrote, not where stage_defaults stand.
    place = nearest_place(config.places, path[:-1], config.file) if kind == "missing" else config.place(path)
    code, message, hint = _words(kind, details, str(location[-1]) if location else "", model, location, owner)
    return problem(code, message, mark=place.key if at_key else place.value, path=dotted(path), hint=hint)


def _words(
    kind: str, details: Mapping[str, Any], key: str, model: type[BaseModel], location: KeyPath, owner: str
) -> tuple[str, str, str]:
    """Code, message and hint for one finding of pydantic."""
    received, context = describe(details["input"]), details.get("ctx", {})
    if kind == "missing" and isinstance(location[-1], int):
        return "length", f"the list is too short: item {location[-1] + 1} is missing", ""
    if kind == "missing":
        hint = "give the layer or its stage a width" if key == "width" else ""
        return "missing-key", f"{owner or 'the config'} needs '{key}'", hint
    if kind == "extra_forbidden":
        known = known_keys(model, location[:-1])
        where = f" of {owner}" if owner else ""
        if not known:
            return "unknown-key", f"unknown key '{key}'{where}, which takes no arguments", ""
        hint = ELSEWHERE.get(key) or did_you_mean(key, known)
        return "unknown-key", f"unknown key '{key}'{where}; {one_of(known)}", hint
    if kind == "key":
        return "key", f"'{key}' is no valid name; expected lower-case letters, digits and _, a letter first", ""
    if kind == "literal_error":
        known = re.findall(r"'([^']*)'", context["expected"]) or [context["expected"]]
        word = str(details["input"])
        hint = f"did you mean '{SYNONYMS[word]}'?" if SYNONYMS.get(word) in known else did_you_mean(word, known)
        return "unknown-value", f"got {received}; {one_of(known)}", hint
    if kind in _BOUNDS:
        bound = context[_BOUND_KEYS[kind]]
        return "range", f"got {received}; expected a value {_BOUNDS[kind]} {bound}", ""
    if kind in _EXPECTED_TYPES:
        return "type", f"expected {_EXPECTED_TYPES[kind]}, got {received}", _type_hint(kind, details["input"])
    if kind in ("too_short", "too_long"):
        return "length", f"got {received}; {details['msg'][0].lower()}{details['msg'][1:]}", ""
    return "value", f"got {received}; {details['msg'][0].lower()}{details['msg'][1:]}", ""


def _type_hint(kind: str, received: Any) -> str:
    if kind in ("int_type", "float_type") and isinstance(received, str) and re.fullmatch(r"[-+\d.]+", received):
        return f"write {received} without quotes"
    if isinstance(received, str) and "$" in received:
        return "a $name stands alone, for an argument of a block in `blocks:`"
    if kind == "bool_type" and str(received).lower() in ("yes", "no", "on", "off", "y", "n", "1", "0", "true", "false"):
        return "write true or false, without quotes"
    return ""


def known_keys(model: type[BaseModel], location: Iterable[str | int]) -> list[str]:
    """The keys that may stand at `location` inside `model`."""
    current: Any = model
    for step in location:
        current = _plain(current)
        if isinstance(current, type) and issubclass(current, BaseModel):
            by_key = {field.alias or name: field.annotation for name, field in current.model_fields.items()}
            current = by_key[str(step)]
        else:
            current = get_args(current)[-1]  # dict[name, X] and list[X] hold X
    return [field.alias or name for name, field in _plain(current).model_fields.items()]


def _plain(annotation: Any) -> Any:
    """The annotation without Annotated and Optional."""
    while get_origin(annotation) in (Annotated, Union, UnionType):
        annotation = next(item for item in get_args(annotation) if item is not NoneType)
    return annotation
