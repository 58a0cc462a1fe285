"""What pydantic found wrong, in the words and with the places of the config."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from pydantic import BaseModel, ValidationError

from archdsl.diagnostics.codes import CodeName
from archdsl.diagnostics.problems import MAX_PROBLEMS, Problem, problem
from archdsl.diagnostics.unicode import ascii_form, named
from archdsl.diagnostics.wording import describe, did_you_mean, one_of
from archdsl.frontend.compose.config import Config
from archdsl.frontend.sections import STAGES
from archdsl.frontend.sema import fixits
from archdsl.frontend.sema.schema import MODEL_NAME, NAME
from archdsl.frontend.sema.vocabulary import ELSEWHERE, KEY_SYNONYMS, SYNONYMS, belongs, known_keys
from archdsl.frontend.source import KeyPath, dotted, nearest_place

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

_NAME_RULES = {
    NAME: "expected lower-case letters, digits and _, a letter first",
    MODEL_NAME: "expected letters, digits, _, - and points, a letter or digit first",
}
_OF_EVERY_LAYER = ("block", "from", "after", "depth")
_BOUNDS = {"greater_than": ">", "greater_than_equal": "≥", "less_than": "<", "less_than_equal": "≤"}
_BOUND_KEYS = {"greater_than": "gt", "greater_than_equal": "ge", "less_than": "lt", "less_than_equal": "le"}


def problems_of(
    error: ValidationError, config: Config, model: type[BaseModel], prefix: KeyPath = (), owner: str = ""
) -> list[Problem]:
    """One Problem for each finding. `prefix` is where `model` stands in the config, `owner` what the keys belong to."""
    found = islice(error.errors(include_url=False), MAX_PROBLEMS)
    return [_problem(details, config, model, prefix, owner) for details in found]


def _problem(
    details: Mapping[str, Any], config: Config, model: type[BaseModel], prefix: KeyPath, owner: str
) -> Problem:
    kind, location = details["type"], tuple(details["loc"])
    if location[-1:] == ("[key]",):
        kind, location = "key", location[:-1]
    path = (*prefix, *location)
    at_key = kind in ("extra_forbidden", "key")
    # What is missing is missing where the user wrote, not where stage_defaults stand.
    place = nearest_place(config.places, path, config.file) if kind == "missing" else config.place(path)
    code, message, hint = _words(kind, details, str(location[-1]) if location else "", model, location, owner)
    mark = place.key if at_key else place.value
    return problem(code, message, mark=mark, path=dotted(config.stated(path)), hint=hint)


def _words(
    kind: str, details: Mapping[str, Any], key: str, model: type[BaseModel], location: KeyPath, owner: str
) -> tuple[CodeName, str, str]:
    """Code, message and hint for one finding of pydantic."""
    received, context = describe(details["input"]), details.get("ctx", {})
    if kind == "missing" and isinstance(location[-1], int):
        return "length", f"the list is too short: item {location[-1] + 1} is missing", ""
    if kind == "missing":
        hint = "give the layer or its stage a width" if key == "width" else ""
        return "missing-key", f"{owner or 'the config'} needs '{key}'", hint
    if kind == "extra_forbidden":
        return _unknown_key(key, known_keys(model, location[:-1]), owner)
    if kind == "key":
        return "key", f"'{key}' is no valid name; {_NAME_RULES[NAME]}", fixits.name(key)
    if kind == "string_pattern_mismatch" and context["pattern"] in _NAME_RULES:
        return "value", f"got {received}; {_NAME_RULES[context['pattern']]}", fixits.name(details["input"])
    if kind == "literal_error":
        known = re.findall(r"'([^']*)'", context["expected"]) or [context["expected"]]
        word = str(details["input"])
        hint = f"did you mean '{SYNONYMS[word]}'?" if SYNONYMS.get(word) in known else did_you_mean(word, known)
        return "unknown-value", f"got {received}; {one_of(known)}", hint
    if isinstance(details["input"], float) and not math.isfinite(details["input"]):
        return "range", f"expected a finite number, got {received}", ""
    if kind in _BOUNDS:
        bound = context[_BOUND_KEYS[kind]]
        return "range", f"got {received}; expected a value {_BOUNDS[kind]} {bound}", ""
    if kind in _EXPECTED_TYPES:
        holds = known_keys(model, location) if kind == "model_type" else []
        hint = belongs(key, in_layer=False) if key in holds else _type_hint(kind, details["input"], holds)
        return "type", f"expected {_EXPECTED_TYPES[kind]}, got {received}", hint
    if kind == "string_too_long":
        fact = f"a text of {len(details['input'])} characters; expected at most {context['max_length']}"
        return "length", fact, ""
    if kind in ("too_short", "too_long"):
        bound = f"least {context['min_length']}" if kind == "too_short" else f"most {context['max_length']}"
        return "length", f"got {received}; expected at {bound} entries", ""
    return "value", f"got {received}; {details['msg'][0].lower()}{details['msg'][1:]}", ""


def _unknown_key(key: str, known: Sequence[str], owner: str) -> tuple[CodeName, str, str]:
    """A key that nothing is called: misspelt, at a wrong level, or two slips at once."""
    where = f" of {owner}" if owner else ""
    fact = f"; {one_of(known)}" if known else ", which takes no arguments"
    near = did_you_mean(key, [*known, *(_OF_EVERY_LAYER if owner else ())])
    text = ascii_form(key)
    if key in ELSEWHERE:
        return "unknown-key", f"unknown key '{key}'{where}{fact}", ELSEWHERE[key]
    if synonym := KEY_SYNONYMS.get(key.lower()):
        return "unknown-key", f"unknown key '{key}'{where}{fact}", _called(key, synonym, known, in_layer=bool(owner))
    if text.endswith(":"):
        near = "take one colon out"
    elif ":" in text or "：" in key:
        name, _, value = text.partition(":")
        near = f"put a space after the colon: {name}: {value.strip()} {named(key)}".strip()
    elif "." in key:
        near = fixits.nested(key)
    elif re.fullmatch(r"p\d+", key) and STAGES.name in known:
        near = f"'{key}' belongs under {STAGES.name}"
    elif key[:1] in "-+" and key[1:] in known:
        near = f"did you mean '{key[1:]}'? (this looks like a diff)"
    return "unknown-key", f"unknown key '{key}'{where}{fact}", belongs(key, in_layer=bool(owner)) or near


def _called(key: str, name: str, known: Sequence[str], in_layer: bool) -> str:
    """The fix for a key that others call so."""
    here = name in known or (in_layer and name in _OF_EVERY_LAYER)
    return f"did you mean '{name}'?" if here else f"'{key}' is called {name}; {belongs(name, in_layer)}".rstrip("; ")


def _type_hint(kind: str, received: Any, holds: Sequence[str]) -> str:
    """What was meant by a value of another type."""
    if kind in ("int_type", "int_from_float", "float_type", "finite_number"):
        return fixits.number(received, whole=kind.startswith("int"))
    if kind == "bool_type":
        return fixits.truth(received)
    if kind == "string_type":
        return fixits.text(received)
    return fixits.mapping(received, holds) if kind in ("dict_type", "model_type") else fixits.sequence(received)
