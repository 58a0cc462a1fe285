"""Writes the documents that are derived from the code: `python -m archdsl.tools.reference`, in a checkout.

configs/README.md has the presets and every key, archdsl/blocks/README.md every block, archdsl/blocks/families.py the
file of each; configs/archdsl.schema.json and configs/group.schema.json are for editors.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from archdsl.analysis.report import OutputInfo, report
from archdsl.analysis.text import count_text, yaml_text
from archdsl.blocks.registry import EXACT, Block, all_blocks
from archdsl.frontend.compose.config import SIDE, Config, load
from archdsl.frontend.compose.search_path import config_root, options_of, preset_names
from archdsl.frontend.lower import outline
from archdsl.frontend.presets import info_of, list_options
from archdsl.frontend.sema.json_schema import group_schema, json_schema
from archdsl.frontend.sema.key_docs import arguments_of
from archdsl.frontend.sema.schema import ConfigSchema
from archdsl.schemas.json_form import json_schema_of
from archdsl.tools.cli.blocks_command import expected

Json = Mapping[str, Any]

SCHEMA = "archdsl.schema.json"
NOTE = "<!-- Written by `python -m archdsl.tools.reference`. -->\n"

CONFIGS = """# Presets and keys

Each preset here is what `archdsl show NAME`, `defaults: [NAME, _self_]` and `archdsl.build_from_config("NAME")` take.
[The language by example](LANGUAGE.md) teaches the keys, [`archdsl/blocks`](../archdsl/blocks/README.md) lists the
blocks, and `archdsl.schema.json` lets an editor complete, explain and check a config.
"""
PRESETS = f"""Each family has its presets below it; `defaults: [family/NAME, _self_]` starts from the family itself.
MACs are multiply-accumulates for one image of the preset's own size, and of {SIDE} × {SIDE} where it takes any.
Outputs are given as level/stride × channels.
"""
KEYS = """A key without a default may be left out, except `stages`. Any value may be a reference to another key, such
as `${scale.max_width}`.
"""
BLOCKS = """# Blocks

A layer of a config is `{block: NAME, ARGUMENT: VALUE, …}`. An argument without a default is required, but a stage gives
`width` to all its layers, and to its body `depth`, `stride` and `dilation`, where the block takes them. A block with
`width` takes `filters` in its place, which `scale` leaves as it is. Shapes are those of one image: (H, W, C) of a map,
(N, C) of tokens, (C) of a vector, (…, C) of any of them. To add a block of your own, see
[`examples/add_a_block.py`](../../examples/add_a_block.py).
"""
FAMILIES = '''"""The file of each shipped block, which is imported when the block is first asked for.

Written by `python -m archdsl.tools.reference`.
"""

FAMILIES = {
'''
HEADINGS = {
    "InputSchema": "`input`",
    "ConventionsSchema": "`conventions`",
    "NormSchema": "`conventions.norm`",
    "ScaleSchema": "`scale`",
    "BlockSchema": "a block of the config",
    "LayerSchema": "a layer",
    "StageSchema": "a stage",
    "ExpectSchema": "`expect`",
    "WithinSchema": "a limit in `expect`",
    "PublishedSchema": "`published`",
}
"""The parts of a config, in the order in which they are described."""


def documents() -> dict[str, str]:
    """The text of each document, by its path in a checkout."""
    return {
        "configs/README.md": "\n".join([NOTE + CONFIGS, *gallery(), *groups(), *keys()]),
        "archdsl/blocks/README.md": "\n".join([NOTE + BLOCKS, *blocks()]),
        "archdsl/blocks/families.py": "".join(families()),
        f"configs/{SCHEMA}": json.dumps(json_schema(), indent=2) + "\n",
        "configs/group.schema.json": json.dumps(group_schema(SCHEMA), indent=2) + "\n",
    }


def gallery() -> Iterator[str]:
    """Every shipped preset with what it costs, by family."""
    yield "## Presets\n"
    yield PRESETS
    configs = {name: load(name) for name in preset_names()}
    for name in options_of("family", [config_root()]):
        file = config_root() / "family" / f"{name}.yaml"
        described = load(file).values
        yield f"### `family/{name}`\n"
        yield f"{described['description']} ([source]({described['source']})).\n"
        members = [preset for preset, config in configs.items() if family_of(config) == file]
        rows = [(f"`{preset}`", *figures(configs[preset])) for preset in members]
        yield from table(("preset", "parameters", "MACs", "outputs", "trained weights"), rows)


def family_of(preset: Config) -> Path | None:
    """The file of the family that it inherits from; of several the nearest, of none None."""
    files = [Path(source.file) for source in preset.history]
    return next((file for file in reversed(files) if file.parent.name == "family"), None)


def figures(preset: Config) -> Iterator[str]:
    """Parameters, MACs and outputs, and whether there are trained weights."""
    costs = report(outline(preset.at_known_size()))
    yield f"{costs.params:,}"
    yield count_text(costs.macs)
    yield ", ".join(map(output_text, costs.outputs, costs.outputs.values()))
    yield "yes" if info_of(preset).has_weights else ""


def output_text(name: str, info: OutputInfo) -> str:
    """`P3/8 × 256`; a vector has no stride: `classes × 1000`."""
    return f"{name} × {info.channels}" if len(info.shape) == 1 else f"{name}/{info.stride} × {info.channels}"


def groups() -> Iterator[str]:
    """The options of every group."""
    yield "## Groups\n"
    yield "`defaults: [yolo_v8_s_backbone, neck: fpn, _self_]`, or `neck=fpn` on the command line.\n"
    rows = [(f"`{option.group}`", f"`{option.name}`", option.description) for option in list_options()]
    yield from table(("group", "option", "description"), rows)


def keys() -> Iterator[str]:
    """Every key of the language."""
    schema = json_schema_of(ConfigSchema)
    yield "## Keys of a config\n"
    yield KEYS
    yield from key_table(schema)
    for name, heading in HEADINGS.items():
        definition = schema["$defs"][name]
        yield f"### {heading[0].upper()}{heading[1:]}\n"
        yield " ".join(definition["description"].split()) + "\n"
        yield from key_table(definition)


def key_table(schema: Json) -> Iterator[str]:
    needed = schema.get("required", ())
    rows = [
        (f"`{key}`", values_of(field), default_of(field, key in needed), field["description"].replace("\n", " "))
        for key, field in schema["properties"].items()
    ]
    return table(("key", "values", "default", "meaning"), rows)


_module = attrgetter("function.__module__")


def shipped() -> list[Block]:
    return [block for block in all_blocks().values() if _module(block).startswith("archdsl.")]


def families() -> Iterator[str]:
    """The table from the name of a shipped block to its file."""
    yield FAMILIES
    yield from [
        f'    "{block.name}": "{_module(block).rpartition(".")[2]}",\n'
        for block in sorted(shipped(), key=attrgetter("name"))
    ]
    yield "}\n"


def blocks() -> Iterator[str]:
    """Every shipped block, family by family."""
    for family, members in groupby(sorted(shipped(), key=_module), _module):
        yield f"## {(sys.modules[family].__doc__ or '').strip().rstrip('.')}\n"
        for block in members:
            yield from described(block)


def described(block: Block) -> Iterator[str]:
    yield f"### `{block.name}`\n"
    yield block.documentation + "\n"
    needed = json_schema_of(block.schema).get("required", ())
    rows = [
        (f"`{name}`", values_of(field), default_of(field, name in needed), meaning_of(name, field))
        for name, field in arguments_of(block).items()
        if name != EXACT
    ]
    if rows:
        yield from table(("argument", "values", "default", "meaning"), rows)


def meaning_of(argument: str, field: Json) -> str:
    if "description" not in field:
        raise SystemExit(f"the argument '{argument}' has no meaning yet: write it in archdsl/frontend/sema/key_docs.py")
    return str(field["description"])


def values_of(field: Json) -> str:
    """What a key or an argument may be, in words."""
    if "$ref" in field:
        heading = HEADINGS[field["$ref"].rpartition("/")[2]]
        return f"[{heading}](#{re.sub('[^a-z -]', '', heading.lower()).replace(' ', '-')})"
    if "patternProperties" in field:
        return f"by name ({values_of(*field['patternProperties'].values())})"
    if "anyOf" in field:
        return " or ".join(map(values_of, field["anyOf"]))
    if field.get("type") == ["string", "array"]:
        return "string or list of strings"
    return expected(dict(field))


def default_of(field: Json, is_needed: bool) -> str:
    default = field.get("default")
    if "$ref" in field or is_needed or default is None:
        return ""
    return f"`{yaml_text(default)}`"


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a Markdown table, and an empty one."""
    yield line(headers)
    yield line(["---"] * len(headers))
    yield from map(line, rows)
    yield ""


def line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def main() -> None:
    for path, text in documents().items():
        Path(path).write_text(text)
        print(path)


if __name__ == "__main__":
    main()
