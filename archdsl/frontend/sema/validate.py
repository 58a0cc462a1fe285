"""pydantic's findings, in the words and with the places of the config."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from pydantic_core import ValidationError

from archdsl.diagnostics.hint import Hint
from archdsl.diagnostics.problems import MAX_PROBLEMS, Problem, problem
from archdsl.diagnostics.unicode import ascii_form, named
from archdsl.diagnostics.wording import describe, did_you_mean, joined, meant, one_of, write
from archdsl.frontend.compose.config import Config
from archdsl.frontend.compose.elsewhere import number_elsewhere
from archdsl.frontend.sections import GROUPS, STAGES
from archdsl.frontend.sema import fixits
from archdsl.frontend.sema.schema import ARGUMENT, CONDITION, MODEL_NAME, NAME
from archdsl.frontend.sema.vocabulary import (
    ELSEWHERE,
    KEY_SYNONYMS,
    SYNONYMS,
    VALUES_ELSEWHERE,
    alike,
    annotation_at,
    belongs,
    known_keys,
    members,
)
from archdsl.frontend.source import KeyPath, dotted, nearest_place
from archdsl.schemas.schema import Schema
from archdsl.schemas.unions import NO_MEMBER, details_of

_NAME_RULES = {
    NAME: "expected lower-case letters, digits and _, a letter first",
    ARGUMENT: "expected a number, or the $name of an argument of this block",
    CONDITION: "expected `fits`, or the $name of an argument of this block",
    MODEL_NAME: "expected letters, digits, _, - and points, a letter or digit first",
}
_OF_EVERY_LAYER = ("block", "from", "after", "each", "share", "when", "depth")


class Finding(NamedTuple):
    """One finding of pydantic: its kind, the value that does not fit, and the limits that it breaks.

    `location` leads from `model` to the value; `owner` is what the keys belong to where that is a block, and `needs` a
    key that is missing there, for one that is unknown.
    """

    kind: str
    value: Any
    limits: Mapping[str, Any]
    message: str
    model: type[Schema]
    location: KeyPath
    owner: str
    needs: str = ""

    @property
    def key(self) -> str:
        return str(self.location[-1]) if self.location else ""

    @property
    def received(self) -> str:
        return describe(self.value)


def problems_of(
    error: ValidationError,
    config: Config,
    model: type[Schema],
    prefix: KeyPath = (),
    owner: str = "",
    later: Sequence[KeyPath] = (),
) -> list[Problem]:
    """One Problem for each finding. `prefix` is the path of `model` in the config, `owner` what the keys belong to.

    What is `later` given, at these paths inside `model`, is not told.
    """
    found = [_finding(details, model, owner) for details in islice(details_of(error), MAX_PROBLEMS)]
    found = [each for each in found if not any(each.location[: len(path)] == path for path in later)]
    return [_problem(finding, config, prefix) for finding in _independent(found)]


def fact_of(error: ValidationError, model: type[Schema]) -> str:
    """What is wrong with a value that no config holds, as it is worded for one that does."""
    finding = _finding(next(details_of(error)), model, "")
    return f"{dotted(finding.location)}: {_WORDS.get(finding.kind, _other)(finding).message}"


def _independent(found: Sequence[Finding]) -> list[Finding]:
    """Without keys that may be missing because they are misspelt, and without more than the first of missing items."""
    unknown = {each.location[:-1] for each in found if each.kind == "extra_forbidden" and each.owner}
    lacking = [each for each in found if each.kind == "missing"]
    kept, needs = [], {}
    for each in found:
        mapping = each.location[:-1]
        is_more = each.kind == "missing" and isinstance(each.location[-1], int) and each.location[-1] > 0
        if is_more and any(mapping == other.location[:-1] and other is not each for other in lacking):
            continue
        if each.kind == "missing" and mapping in unknown:
            needs[mapping] = each.key
            continue
        kept.append(each)
    return [each._replace(needs=needs.get(each.location[:-1], "")) for each in kept]


def _finding(details: Mapping[str, Any], model: type[Schema], owner: str) -> Finding:
    kind, location = details["type"], tuple(details["loc"])
    if location[-1:] == ("[key]",):
        kind, location = "key", location[:-1]
    elif isinstance(details["input"], float) and not math.isfinite(details["input"]):
        kind = "finite_number"
    return Finding(kind, details["input"], details.get("ctx", {}), details["msg"], model, location, owner)


def _problem(finding: Finding, config: Config, prefix: KeyPath) -> Problem:
    path = (*prefix, *finding.location)
    # A missing key is reported where the user wrote, not at stage_defaults.
    is_missing = finding.kind == "missing"
    place = nearest_place(config.places, path, config.file) if is_missing else config.place(path)
    mark = place.key if finding.kind in ("extra_forbidden", "key") else place.value
    found = _WORDS.get(finding.kind, _other)(finding)
    if finding.kind in _NO_PLACE and type(finding.value) is int:
        found = found._replace(hint=number_elsewhere(config.history, path, finding.value, mark) or found.hint)
    return found.at(mark, dotted(config.stated(path)))


def _missing(finding: Finding) -> Problem:
    if isinstance(finding.location[-1], int):
        return problem("length", f"the list is too short: item {finding.location[-1] + 1} is missing")
    hint = _NEEDED.get(finding.key, "")
    return problem("missing-key", f"{finding.owner or 'the config'} needs '{finding.key}'", hint=hint)


_NEEDED = {
    "width": "give the layer or its stage a width",
    STAGES.name: "write them, or inherit those of a preset: defaults: [yolo_v8_s_backbone, _self_]",
}


def _bad_key(finding: Finding) -> Problem:
    message = f"'{finding.key}' is not a valid name; {_NAME_RULES[NAME]}"
    return problem("key", message, hint=fixits.name(finding.key))


def _bad_name(finding: Finding) -> Problem:
    rule = _NAME_RULES.get(finding.limits["pattern"])
    if rule is None:
        return _other(finding)
    fix = _NAME_FIXES.get(finding.limits["pattern"], fixits.reference)
    return problem("value", f"got {finding.received}; {rule}", hint=fix(finding.value))


def _argument(value: str) -> str:
    number, slug = fixits.number(value, whole=False), fixits.name(value.lstrip("$"))
    return number or (write(f"${slug.right[0]}") if isinstance(slug, Hint) else slug)


def _condition(value: str) -> str:
    return did_you_mean(value, ["fits"]) or fixits.condition(value)


_NAME_FIXES: dict[str, Callable[[str], str]] = {ARGUMENT: _argument, CONDITION: _condition, MODEL_NAME: fixits.name}


def _unknown_value(finding: Finding) -> Problem:
    known = re.findall(r"'([^']*)'", finding.limits["expected"]) or [finding.limits["expected"]]
    word = str(finding.value)
    hint = meant(SYNONYMS[word]) if SYNONYMS.get(word) in known else did_you_mean(word, known)
    takes_numbers = int in members(annotation_at(finding.model, finding.location))
    hint = hint or VALUES_ELSEWHERE.get(word, "") or fixits.argument(word) or fixits.product(word)
    hint = hint or (fixits.number(finding.value, whole=True) if takes_numbers else "")
    expected = f"{one_of(known)}{', or a whole number' * takes_numbers}"
    return problem("unknown-value", f"got {finding.received}; {expected}", hint=hint)


def _not_finite(finding: Finding) -> Problem:
    return problem("range", f"expected a finite number, got {finding.received}")


def _out_of_range(finding: Finding) -> Problem:
    sign, bound = _BOUNDS[finding.kind]
    return problem("range", f"got {finding.received}; expected a value {sign} {finding.limits[bound]}")


def _wrong_type(finding: Finding) -> Problem:
    expected, fix = _TYPES[finding.kind]
    holds = known_keys(finding.model, finding.location) if finding.kind == "model_type" else []
    hint = belongs(finding.key, in_layer=False) if finding.key in holds else fix(finding.value, holds)
    if finding.key in _BY_KEY and not finding.owner:
        hint = _BY_KEY[finding.key](finding.value)
    hint = _naming(finding) or hint
    if finding.key in GROUPS and isinstance(finding.value, str) and finding.location == (finding.key,):
        choice = f"defaults: [{finding.key}: {finding.value[:60]}, _self_]"
        hint = f"to choose a file of the folder {finding.key}/, write {choice}"
    return problem("type", f"expected {expected}, got {finding.received}", hint=hint)


_BY_KEY: dict[str, Callable[[Any], str]] = {
    "shape": fixits.image,
    "first": lambda value: "write arguments of the body by name: {kernel: 5}",
}
"""Fixes for what is not a list or a mapping at all."""


_NAMING = {
    **dict.fromkeys(("from", "each", "after", "outputs", "results"), "layers go by names, such as p3 or n3"),
    "inputs": "give each input a name, such as [x, skip]",
    "when": "name an argument of the block, such as $residual, or `fits`",
}


def _naming(finding: Finding) -> str:
    """The fix for a value that does not name anything, where a key takes names."""
    is_mapping_of_inputs = isinstance(finding.value, dict) and finding.key == "inputs"
    if not isinstance(finding.value, (int, float)) and not is_mapping_of_inputs:
        return ""
    return next((_NAMING[step] for step in finding.location[:-3:-1] if step in _NAMING), "")


def _no_member(finding: Finding) -> Problem:
    """A value of none of several types; its fix is that of the first."""
    types = [_type(found) for found in finding.limits["members"]]
    expected = " or ".join(dict.fromkeys(words for words, _ in types))
    hint = fixits.pair(finding.value) if "a list" in expected else ""
    fixes = [fix for _, fix in types] if isinstance(finding.value, list) else [types[0][1]]
    hint = hint or _naming(finding) or next(filter(None, [fix(finding.value, []) for fix in fixes]), "")
    return problem("type", f"expected {expected}, got {finding.received}", hint=hint)


def _type(details: Mapping[str, Any]) -> tuple[str, Fix]:
    kind, stated = details["type"], details.get("ctx", {})
    return _TYPES.get(kind) or (stated.get("expected") or kind.removesuffix("_type"), lambda value, holds: "")


def _too_long_text(finding: Finding) -> Problem:
    fact = f"a text of {len(finding.value)} characters; expected at most {finding.limits['max_length']}"
    return problem("length", fact)


def _wrong_length(finding: Finding) -> Problem:
    limits = finding.limits
    word, number = ("least", limits["min_length"]) if finding.kind == "too_short" else ("most", limits["max_length"])
    entries = "entry" if number == 1 else "entries"
    sides = finding.value if finding.key == "padding" and len(finding.value) == 4 else ()
    hint = "write [[top, bottom], [left, right]]" if sides else ""
    return problem("length", f"got {finding.received}; expected at {word} {number} {entries}", hint=hint)


def _other(finding: Finding) -> Problem:
    return problem("value", f"got {finding.received}; {finding.message[0].lower()}{finding.message[1:]}")


def _unknown_key(finding: Finding) -> Problem:
    """Reports an unknown key: misspelt, misplaced or malformed."""
    key, owner, known = finding.key, finding.owner, known_keys(finding.model, finding.location[:-1])
    where = f" of {owner}" if owner else ""
    fact = f"; {one_of(known)}" if known else ", which takes no arguments"
    hint = _key_hint(key, known, in_layer=bool(owner))
    lacks = f"it needs '{finding.needs}'" if finding.needs and not hint.startswith("did you mean") else ""
    hints = hint, lacks, VALUES_ELSEWHERE.get(finding.value, "") if isinstance(finding.value, str) else ""
    return problem("unknown-key", f"unknown key '{key}'{where}{fact}", hint=joined("; ", *hints))


def _key_hint(key: str, known: Sequence[str], in_layer: bool) -> str:
    if key in ELSEWHERE:
        return ELSEWHERE[key]
    if near := next((name for name in known if name.rstrip("s") == key.rstrip("s")), ""):
        return meant(near, key)
    if other := alike(key, [*known, *_OF_EVERY_LAYER]) if in_layer else "":
        return meant(other, key)
    if synonym := KEY_SYNONYMS.get(key.lower()):
        return _called(key, synonym, known, in_layer)
    if in_layer and key in _OF_EVERY_LAYER:
        return belongs(key, in_layer) or f"'{key}' belongs to the layer itself, beside its arguments"
    return belongs(key, in_layer) or _malformed(key, known) or did_you_mean(key, [*known, *_OF_EVERY_LAYER * in_layer])


def _malformed(key: str, known: Sequence[str]) -> str:
    """The fix for a key that is more than a name."""
    text = ascii_form(key)
    if text.endswith(":"):
        return Hint("take one colon out", key[:-1], wrong=key)
    if ":" in text or "：" in key:
        name, _, value = text.partition(":")
        return f"put a space after the colon: {name}: {value.strip()} {named(key)}".strip()
    if "." in key:
        return fixits.nested(key)
    if re.fullmatch(r"p\d+", key) and STAGES.name in known:
        return f"'{key}' belongs under {STAGES.name}"
    return joined(" ", meant(key[1:], key), "(this looks like a diff)") if key[:1] in "-+" and key[1:] in known else ""


def _called(key: str, name: str, known: Sequence[str], in_layer: bool) -> str:
    """The fix for a key that has another name elsewhere."""
    here = name in known or (in_layer and name in _OF_EVERY_LAYER)
    return meant(name, key) if here else f"'{key}' is called {name}; {belongs(name, in_layer)}".rstrip("; ")


Fix = Callable[[Any, Sequence[str]], str]
_WHOLE: tuple[str, Fix] = ("a whole number", lambda value, _: fixits.number(value, whole=True))
_LIST: tuple[str, Fix] = ("a list", lambda value, _: fixits.sequence(value))
_TYPES: dict[str, tuple[str, Fix]] = {
    **dict.fromkeys(("int_type", "int_from_float"), _WHOLE),
    "float_type": ("a number", lambda value, _: fixits.number(value, whole=False)),
    "bool_type": ("true or false", lambda value, _: fixits.truth(value)),
    "string_type": ("text", lambda value, _: fixits.text(value)),
    **dict.fromkeys(("list_type", "tuple_type", "sequence_type", "is_instance_of"), _LIST),
    **dict.fromkeys(("dict_type", "model_type"), ("a mapping", fixits.mapping)),
}
_NO_PLACE = ("extra_forbidden", "dict_type", "model_type")
"""What is wrong with a number that belongs to another key."""
_BOUNDS = {
    "greater_than": (">", "gt"),
    "greater_than_equal": ("≥", "ge"),
    "less_than": ("<", "lt"),
    "less_than_equal": ("≤", "le"),
}
_WORDS: dict[str, Callable[[Finding], Problem]] = {
    "missing": _missing,
    "extra_forbidden": _unknown_key,
    "key": _bad_key,
    "string_pattern_mismatch": _bad_name,
    "literal_error": _unknown_value,
    "finite_number": _not_finite,
    **dict.fromkeys(_BOUNDS, _out_of_range),
    **dict.fromkeys(_TYPES, _wrong_type),
    NO_MEMBER: _no_member,
    "string_too_long": _too_long_text,
    **dict.fromkeys(("too_short", "too_long"), _wrong_length),
}
