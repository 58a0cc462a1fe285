"""The docstrings below the keys in the body of a Schema: what each key means."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from functools import cache
from itertools import pairwise

from archdsl.schemas.schema import Schema


def _meanings(schema: type) -> Mapping[str, str]:
    """Those of a class, by key; nothing for a Schema that has no body, such as a block's."""
    if not issubclass(schema, Schema) or "__annotations__" not in vars(schema):
        return {}
    (definition,) = ast.parse(inspect.getsource(schema)).body
    meanings = {}
    for statement, following in pairwise(getattr(definition, "body", [])):
        match statement, following:
            case ast.AnnAssign(target=ast.Name(name)), ast.Expr(value=ast.Constant(str(text))):
                meanings[schema.model_fields[name].key] = inspect.cleandoc(text)
    return meanings


meanings_of: Callable[[type], Mapping[str, str]] = cache(_meanings)
