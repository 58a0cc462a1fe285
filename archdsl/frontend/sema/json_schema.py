"""The language as JSON Schema, from the same types that check a config: for editors, with every block's arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from archdsl.blocks.registry import Block, Depth, all_blocks
from archdsl.frontend.compose.search_path import config_root
from archdsl.frontend.sections import GROUPS, LAYER_SLOTS, NAMED_SLOTS, SECTIONS
from archdsl.frontend.sema.key_docs import arguments_of
from archdsl.frontend.sema.schema import NAME, ConfigSchema, RelativeSchema
from archdsl.frontend.yaml.files import read_file
from archdsl.schemas.json_form import Json, json_schema_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_OPTION = {"type": ["string", "null"], "description": "The name of a file in the folder of the group; null for none."}
_CHOICE = {
    "type": "object",
    "properties": {f"{word}{group}": _OPTION for word in ("", "override ") for group in GROUPS},
    "patternProperties": {f"^(override )?/({'|'.join(GROUPS)})$": _OPTION},
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
}
DEFAULTS = {
    "type": "array",
    "items": {"anyOf": [{"type": "string"}, _CHOICE]},
    "description": "Parents and groups in order, _self_ where this file comes: [family/yolo_v8, neck: fpn, _self_].",
}

REFERENCE = {
    "type": "string",
    "pattern": r"\$\{",
    "description": "A reference to another key of the config: ${scale.width}, ${..p3.depth}.",
}

ARGUMENT = {
    "type": "string",
    "pattern": r"^\$[a-z][a-z0-9_]*$",
    "description": "An argument of the block that is defined here.",
}
REPEATS = {"depth": {**json_schema_of(Depth), "description": "How often the layer is repeated."}}


def json_schema(own: Mapping[str, Block] | None = None) -> dict[str, Any]:
    """A JSON Schema (draft 2020-12) of config files; a file that inherits need not say anything but `defaults`.

    `own` are blocks that a config defines, and the files that inherit from it use. A file with `blocks:` may name any
    block, since a schema cannot look up what the file defines.
    """
    schema = json_schema_of(ConfigSchema)
    definitions = schema["$defs"]
    blocks = {**all_blocks(), **(own or {})}
    layer = definitions["LayerSchema"]
    definitions["LayerSchema"] = _layer(layer, blocks)
    definitions["BlockLayerSchema"] = _layer(layer, blocks, in_block=True)
    definitions["Argument"] = ARGUMENT
    definitions["Relative"] = json_schema_of(RelativeSchema)
    inner = {"anyOf": [{"$ref": "#/$defs/BlockLayerSchema"}, {"type": "null"}]}
    by_name = definitions["BlockSchema"]["properties"]["layers"]["patternProperties"]
    by_name.update(dict.fromkeys(by_name, inner))
    del schema["required"]
    schema = with_references(schema)
    schema["properties"]["defaults"] = DEFAULTS
    schema["$defs"]["Group"] = _group(blocks, layer["properties"]["block"]["description"])
    named = {"if": {"required": ["blocks"]}, "else": _named_from({*blocks, *_of_families()})}
    return {"$schema": DIALECT, **schema, **named, "title": "archdsl config"}


def _of_families() -> set[str]:
    """The blocks that shipped families define, which a file that inherits from one may name."""
    files = sorted((config_root() / "family").glob("*.yaml"))
    return {name for file in files for name in read_file(file).values.get("blocks") or {}}


def group_schema(schema_file: str) -> dict[str, Any]:
    """A JSON Schema of the files of a group, such as neck/fpn.yaml, beside that of config files in `schema_file`."""
    return {"$schema": DIALECT, "$ref": f"{schema_file}#/$defs/Group", "title": "archdsl group"}


def _group(names: Iterable[str], about_block: str) -> dict[str, Any]:
    """An option of a group: layers of these blocks."""
    named = _one_of(names)
    named["properties"]["block"]["description"] = about_block
    layer = {"allOf": [{"$ref": "#/$defs/LayerSchema"}, named]}
    return {
        "type": "object",
        "description": "The layers of a section, by name.",
        "properties": {"defaults": DEFAULTS},
        "patternProperties": {
            NAME.replace("^", "^(?!defaults$)"): {"anyOf": [layer, {"type": "null"}, {"$ref": "#/$defs/Reference"}]}
        },
        "additionalProperties": False,
    }


def _one_of(names: Iterable[str]) -> dict[str, Any]:
    """A layer of one of these blocks."""
    return {"properties": {"block": {"anyOf": [{"enum": sorted(names)}, {"$ref": "#/$defs/Reference"}]}}}


def _named_from(names: Iterable[str]) -> dict[str, Any]:
    """Every layer outside `blocks:` is one of these blocks."""
    layer = _one_of(names)
    layers = {"additionalProperties": layer}
    stage = {"properties": {**dict.fromkeys(LAYER_SLOTS, layer), **dict.fromkeys(NAMED_SLOTS, layers)}}
    stages = {"additionalProperties": stage}
    sections = {section.name: stages if section.has_stages else layers for section in SECTIONS}
    return {"properties": {**sections, **{section.defaults: stage for section in SECTIONS if section.has_stages}}}


def _layer(layer: Mapping[str, Any], blocks: Mapping[str, Block], in_block: bool = False) -> dict[str, Any]:
    """A layer: the arguments that its block takes; any, where the block is inherited, or the file's own."""
    names = {
        "anyOf": [{"enum": sorted(blocks)}, {"type": "string"}],  # an editor completes those that it knows
        "description": layer["properties"]["block"]["description"],
    }
    common = {**layer["properties"], "block": names}
    return {
        "type": "object",
        "description": layer["description"],
        "properties": common,
        "allOf": [_branch(block, dict.fromkeys(common, True), in_block) for _, block in sorted(blocks.items())],
    }


def _branch(block: Block, common: Mapping[str, bool], in_block: bool) -> dict[str, Any]:
    arguments = {**REPEATS, **arguments_of(block)}
    if in_block:
        arguments = {name: _or(_or_relative(argument), "Argument") for name, argument in arguments.items()}
    return {
        "if": {"properties": {"block": {"const": block.name}}, "required": ["block"]},
        "then": {
            "description": block.summary,
            "properties": {**{name: _or_null(argument) for name, argument in arguments.items()}, **common},
            "additionalProperties": False,
        },
    }


def _or_relative(argument: Json) -> Json:
    """A whole number may be relative to a map or to an argument."""
    is_whole = any(each.get("type") == "integer" for each in (argument, *argument.get("anyOf", ())))
    return _or(argument, "Relative") if is_whole else argument


def with_references(schema: Json) -> Json:
    """The same without titles, which only repeat the keys; and any value in it may be a reference to one."""
    definitions = {name: _opened(definition) for name, definition in schema["$defs"].items()}
    return {**_opened(schema), "$defs": {**definitions, "Reference": REFERENCE}}


def _opened(schema: Json) -> Json:
    """References for what `schema` holds, not for itself."""
    opened = {key: value for key, value in schema.items() if key != "title"}
    for holder in ("properties", "patternProperties"):
        if holder in schema:
            opened[holder] = {key: _or_reference(value) for key, value in schema[holder].items()}
    for holder in ("anyOf", "allOf"):
        if holder in schema:
            opened[holder] = [_opened(value) for value in schema[holder]]
    if "then" in schema:
        opened["then"] = _opened(schema["then"])
    if "items" in schema:
        opened["items"] = _or_reference(schema["items"])
    if "prefixItems" in schema:
        opened["prefixItems"] = [_or_reference(value) for value in schema["prefixItems"]]
    return opened


def _or_reference(schema: Json | bool) -> Json | bool:
    return schema if isinstance(schema, bool) or _takes_any_text(schema) else _or(_opened(schema), "Reference")


def _takes_any_text(schema: Json) -> bool:
    return not schema or (schema.get("type") == "string" and not {"enum", "pattern"} & schema.keys())


def _or_null(argument: Json) -> Json:
    """Null takes back what a parent set."""
    return _either(argument, {"type": "null"})


def _or(schema: Json, definition: str) -> Json:
    """What `schema` allows, or what the definition does; and so for the items of a list."""
    items = {"items": _or(schema["items"], definition)} if "items" in schema else {}
    return _either({**schema, **items}, {"$ref": f"#/$defs/{definition}"})


def _either(schema: Json, other: Json) -> Json:
    inside = dict(schema)
    outside: Json = {key: inside.pop(key) for key in ("description", "default") if key in inside}
    members = inside.pop("anyOf", [inside])
    return {**outside, "anyOf": [*members, *([] if other in members else [other])]}
