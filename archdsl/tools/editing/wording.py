"""Blocks, arguments and values in words, for completion and hover."""

from __future__ import annotations

import json
from inspect import Parameter
from typing import Any

from archdsl.analysis.explain import at
from archdsl.frontend.sema.schema import ConfigSchema, RelativeSchema
from archdsl.frontend.sema.vocabulary import annotation_at, members
from archdsl.frontend.source import KeyPath
from archdsl.schemas.schema import Schema
from archdsl.tools.editing.surroundings import Surroundings

DEFAULTS = "Parents and groups in order, `_self_` where this file comes."


def schema_at(path: KeyPath) -> type[Schema] | None:
    """The schema of the mapping at a path of a config, if it has a fixed one."""
    if path[:1] == ("blocks",) and len(path) == 5 and path[2] == "layers":
        return RelativeSchema
    found = [each for each in members(annotation_at(ConfigSchema, path)) if isinstance(each, type)]
    return next((each for each in found if issubclass(each, Schema)), None)


def default_text(parameter: Parameter) -> str:
    """`= 0.5`; empty for an argument that is required, or whose default comes from elsewhere."""
    return "" if parameter.default in (parameter.empty, None) else f"= {literal(parameter.default)}"


def literal(value: Any) -> str:
    """Plain data as written in a config, on one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {literal(item)}' for key, item in value.items())}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(literal, value))}]"
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def description_of(around: Surroundings, name: str) -> str:
    stated = at(around.values, ("blocks", name, "description"))
    return stated if isinstance(stated, str) else ""


def signature(around: Surroundings, name: str) -> str:
    """`width, depth = 1, expansion = 0.5`."""
    parameters = around.parameters(name).items()
    return ", ".join(f"{key} {default_text(each)}".rstrip() for key, each in parameters if key != "filters")
