"""Documentation of the word at a place, as Markdown: its meaning, its figures, the source of its value."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from archdsl.analysis.explain import explained
from archdsl.analysis.text import count_text, shape_text
from archdsl.blocks.registry import Block
from archdsl.diagnostics.fixes import Range
from archdsl.diagnostics.problems import ArchError
from archdsl.frontend.compose.config import root_of
from archdsl.frontend.sections import layer_of
from archdsl.frontend.sema.key_docs import ARGUMENTS
from archdsl.frontend.source import ABSENT, KeyPath, dotted
from archdsl.schemas.meanings import meanings_of
from archdsl.tools.editing.definition import parent_file, reference_at, referred
from archdsl.tools.editing.document import Document
from archdsl.tools.editing.figures import figures_of
from archdsl.tools.editing.markdown import code, escaped, fenced
from archdsl.tools.editing.places import At
from archdsl.tools.editing.surroundings import Surroundings, surroundings
from archdsl.tools.editing.wording import DEFAULTS, default_text, description_of, literal, schema_at, signature

_LONGEST = 200


class Hover(NamedTuple):
    """`markdown` describes the text in `range`."""

    range: Range
    markdown: str


def hover(document: Document, line: int, column: int) -> Hover | None:
    """The documentation of the word at a place, or None."""
    around = surroundings(document)
    at = around.at(line, column)
    if not at.role or not at.word:
        return None
    said = list(_of_key(around, at) if at.role == "key" else _of_value(around, at))
    place = around.index.range(at.start, at.end)
    return Hover(place, "\n\n".join(said)) if said else None


# Keys


def _of_key(around: Surroundings, at: At) -> Iterator[str]:
    yield f"**{code(dotted(at.path)[:_LONGEST])}**"
    if meaning := _meaning(around, at.path):
        yield escaped(meaning)
    if figures := figures_text(around.document, at.path):
        yield figures
    if around.value(at.path) is not ABSENT and not isinstance(around.value(at.path), dict):
        yield from _explained(around, at.path)


def _meaning(around: Surroundings, path: KeyPath) -> str:
    """The meaning of a key, which in a layer may be an argument of its block."""
    key, layer = str(path[-1]), layer_of(path)
    schema = schema_at(path[:-1])
    known = meanings_of(schema) if schema else {}
    if key in known and schema:
        return known[key]
    if path == ("defaults",):
        return DEFAULTS
    is_argument = (layer and path[:-1] == layer) or path[-2:-1] == ("first",)
    return ARGUMENTS.get(key, "") if is_argument else ""


def figures_text(document: Document, path: KeyPath) -> str:
    """Input and output shapes and cost of a layer, stage or section, in the last valid text."""
    found = document.last_good
    figures = figures_of(found).get(path) if found else None
    if found is None or figures is None:
        return ""
    inside = [node for node in found.outline.nodes if f"{node.origin.path}.".startswith(f"{dotted(path)}.")]
    sources = [source for node in inside for source in node.inputs if source not in inside]
    shapes = ", ".join(dict.fromkeys(shape_text(source.type.shape) for source in sources)) or "nothing"
    share = f" ({figures.params / found.params:.1%} of the network)" if found.params else ""
    stale = "" if document.report else "  \nof the last text without a mistake"
    made = shape_text(inside[-1].type.shape)
    return f"{shapes} → **{made}**  \n{figures.params:,} parameters{share}, {count_text(figures.macs)} MACs{stale}"


def _explained(around: Surroundings, path: KeyPath) -> Iterator[str]:
    """The source of a value, the values it overrides, and its scaled value."""
    if around.document.config is None or path[0] == "defaults":
        return
    with suppress(ArchError):
        found = explained(around.document.config, path)
        lines = [_is(found.value)]
        lines += [f"becomes **{found.becomes}**: {escaped(found.scaling)}"] if found.scaling else []
        lines += [escaped(found.default)] if found.default else []
        for each in found.statements:
            said = "removes it" if each.value is ABSENT else code(_short(literal(each.value)))
            lines.append(f"{'**' * each.wins}{escaped(str(each.mark))}{'**' * each.wins}: {said}")
        yield "  \n".join(lines)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


# Values


def _of_value(around: Surroundings, at: At) -> Iterator[str]:
    word = at.word.strip("\"'")
    path = tuple([step for step in at.path if type(step) is str])
    layer, naming = layer_of(path), around.names.naming(at.path)
    if found := reference_at(at):
        target = referred(at, found)
        yield code(dotted(target)[:_LONGEST])
        yield from _explained(around, target) if around.document.config else [_is(around.value(target))]
    elif path[:1] == ("defaults",):
        yield from preset_text(around, path, word)
    elif layer and path == (*layer, "block"):
        yield from block_text(around, around.block_name(layer) or word)
        if figures := figures_text(around.document, layer):
            yield figures
    elif naming:
        yield from _named(around, at, word)
    else:
        yield from _explained(around, at.path)


def _is(value: Any) -> str:
    return "is not in this config" if value is ABSENT else f"= {code(_short(literal(value)))}"


def _named(around: Surroundings, at: At, word: str) -> Iterator[str]:
    """The stage or layer that a word names, with its block and figures."""
    naming = around.names.naming(at.path)
    for meant in around.names.meanings(naming, word) if naming else ():
        block = around.block_name(meant.name.path)
        yield f"**{code(dotted(meant.name.path))}**" + (f", block {code(block)}" if block else "")
        if figures := figures_text(around.document, meant.name.path):
            yield figures


def block_text(around: Surroundings, name: str) -> Iterator[str]:
    """The signature, documentation and arguments of a block."""
    found: Block | None = around.block(name)
    yield fenced(f"{name}({signature(around, name)})")
    if documentation := found.documentation if found else description_of(around, name):
        yield escaped(documentation)
    rows = [
        f"- {code(key)} {escaped(default_text(each))}: {escaped(ARGUMENTS.get(key, ''))}".rstrip(": ")
        for key, each in around.parameters(name).items()
    ]
    if rows:
        yield "\n".join(rows)


def preset_text(around: Surroundings, path: KeyPath, word: str) -> Iterator[str]:
    """The description of a parent, and its cost if it is a network on its own."""
    file = parent_file(around, path, word)
    if file is not None:
        description, costs = _preset(around.document, str(file))
        yield f"**{code(word)}**"
        if description:
            yield escaped(description)
        if costs:
            yield costs


@lru_cache(maxsize=4)
def _preset(document: Document, file: str) -> tuple[str, str]:
    """The description of a parent (the first comment of a group's option) and its costs."""
    text = document.text_of(file)
    parent = Document(file, text, folder=root_of(Path(file)), others=document.others)
    if parent.config is None or parent.report is None:
        return _first_comment(text), ""
    found = parent.report
    outputs = ", ".join(f"{name} {shape_text(node.type.shape)}" for name, node in found.outline.outputs.items())
    size = shape_text(found.input_shape)
    costs = f"{found.params:,} parameters, {count_text(found.macs)} MACs for {size}  \noutputs: {escaped(outputs)}"
    return str(parent.config.values.get("description", "")), costs


def _first_comment(text: str) -> str:
    lines = [line for line in text.splitlines()[:5] if line.startswith("# ")]
    return next((line[2:] for line in lines if "$schema" not in line and "@" not in line), "")
