"""The language as JSON Schema, from the same types that check a config: for editors, with every block's arguments."""

from __future__ import annotations

from collections.abc import Mapping
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


def json_schema() -> dict[str, Any]:
    """A JSON Schema (draft 2020-12) of config files; a file that inherits need not say anything but `defaults`."""
    schema = ConfigSchema.model_json_schema(by_alias=True)
    definitions = schema["$defs"]
    definitions["LayerSchema"] = _layer(definitions["LayerSchema"], all_blocks())
    schema["properties"]["defaults"] = DEFAULTS
    del schema["required"]
    return {"$schema": DIALECT, **schema, "title": "archdsl config"}


def _layer(layer: Mapping[str, Any], blocks: Mapping[str, Block]) -> dict[str, Any]:
    """A layer: the arguments that its block takes; any, where the block is inherited."""
    names = {"enum": sorted(blocks), "description": "What the layer is; `archdsl blocks` lists them."}
    common = {**layer["properties"], "block": names}
    return {
        "type": "object",
        "description": layer["description"],
        "properties": {"block": names},
        "allOf": [_branch(block, common) for _, block in sorted(blocks.items())],
    }


def _branch(block: Block, common: Mapping[str, Any]) -> dict[str, Any]:
    arguments = block.schema.model_json_schema()["properties"]
    repeats = {"depth": {"type": "integer", "minimum": 1, "description": "How often the layer is repeated."}}
    return {
        "if": {"properties": {"block": {"const": block.name}}, "required": ["block"]},
        "then": {
            "description": block.summary,
            "properties": {**repeats, **arguments, **common},
            "additionalProperties": False,
        },
    }
