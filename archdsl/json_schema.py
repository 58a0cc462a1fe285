"""The language as JSON Schema, from the same types that check a config: for editors, with every block's arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import archdsl.blocks  # noqa: F401  (importing it registers the shipped blocks)
from archdsl.registry import Block, all_blocks
from archdsl.schema import ConfigSchema

DIALECT = "https://json-schema.org/draft/2020-12/schema"
DEFAULTS = {
    "type": "array",
    "items": {"type": "string"},
    "description": "Parents in order, and _self_ where this file comes: [family/yolo_v8, _self_].",
}


ARGUMENT = {
    "type": "string",
    "pattern": r"^\$[a-z][a-z0-9_]*$",
    "description": "An argument of the block that is defined here.",
}
REPEATS = {"depth": {"type": "integer", "minimum": 1, "description": "How often the layer is repeated."}}


def json_schema(own: Mapping[str, Block] | None = None) -> dict[str, Any]:
    """A JSON Schema (draft 2020-12) of config files; a file that inherits need not say anything but `defaults`.

    `own` are blocks that a config defines, and the files that inherit from it use. A file with `blocks:` may name any
    block, since a schema cannot look up what the file defines.
    """
    schema = ConfigSchema.model_json_schema(by_alias=True)
    definitions = schema["$defs"]
    blocks = {**all_blocks(), **(own or {})}
    layer = definitions["LayerSchema"]
    definitions["LayerSchema"] = _layer(layer, blocks)
    definitions["BlockLayerSchema"] = _layer(layer, blocks, in_block=True)
    definitions["Argument"] = ARGUMENT
    inner = {"anyOf": [{"$ref": "#/$defs/BlockLayerSchema"}, {"type": "null"}]}
    by_name = definitions["BlockSchema"]["properties"]["layers"]["patternProperties"]
    by_name.update(dict.fromkeys(by_name, inner))
    schema["properties"]["defaults"] = DEFAULTS
    del schema["required"]
    named = {"if": {"required": ["blocks"]}, "else": _named_from(blocks)}
    return {"$schema": DIALECT, **schema, **named, "title": "archdsl config"}


def _named_from(names: Iterable[str]) -> dict[str, Any]:
    """Every layer outside `blocks:` is one of these blocks."""
    layer = {"properties": {"block": {"enum": sorted(names)}}}
    layers = {"additionalProperties": layer}
    stage = {"properties": {"down": layer, "pre": layers, "body": layer, "post": layers}}
    stages = {"additionalProperties": stage}
    return {"properties": {"stem": layers, "stage_defaults": stage, "stages": stages, "tail": layers}}


def _layer(layer: Mapping[str, Any], blocks: Mapping[str, Block], in_block: bool = False) -> dict[str, Any]:
    """A layer: the arguments that its block takes; any, where the block is inherited, or the file's own."""
    names = {
        "anyOf": [{"enum": sorted(blocks)}, {"type": "string"}],  # an editor completes those that it knows
        "description": "What the layer is; `archdsl blocks` lists them.",
    }
    common = {**layer["properties"], "block": names}
    return {
        "type": "object",
        "description": layer["description"],
        "properties": {"block": names},
        "allOf": [_branch(block, common, in_block) for _, block in sorted(blocks.items())],
    }


def _branch(block: Block, common: Mapping[str, Any], in_block: bool) -> dict[str, Any]:
    arguments = {**REPEATS, **block.schema.model_json_schema()["properties"]}
    if in_block:
        arguments = {name: _or_argument(argument) for name, argument in arguments.items()}
    return {
        "if": {"properties": {"block": {"const": block.name}}, "required": ["block"]},
        "then": {
            "description": block.summary,
            "properties": {**arguments, **common},
            "additionalProperties": False,
        },
    }


def _or_argument(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The same, or `$name`; and so for the items of a list."""
    items = {"items": _or_argument(schema["items"])} if "items" in schema else {}
    return {"anyOf": [{**schema, **items}, {"$ref": "#/$defs/Argument"}]}
