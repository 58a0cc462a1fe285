"""Completions at a place: keys, blocks and their arguments, names, parents, values, references."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Literal, NamedTuple, get_args, get_origin

from archdsl.analysis.explain import at as value_at
from archdsl.blocks.registry import all_blocks
from archdsl.diagnostics.fixes import Range
from archdsl.diagnostics.nearest import one_report
from archdsl.frontend.compose.defaults_list import SELF
from archdsl.frontend.compose.search_path import options_of, parent_names
from archdsl.frontend.scope import INPUT
from archdsl.frontend.sections import GROUPS, default_of, layer_of
from archdsl.frontend.sema.key_docs import ARGUMENTS
from archdsl.frontend.sema.parameters import FITS
from archdsl.frontend.sema.schema import ConfigSchema, LayerSchema
from archdsl.frontend.sema.vocabulary import annotation_at, members
from archdsl.frontend.source import ABSENT, KeyPath
from archdsl.schemas.meanings import meanings_of
from archdsl.schemas.schema import Schema
from archdsl.tools.editing.definition import base_of, group_of, keys_of
from archdsl.tools.editing.document import Document
from archdsl.tools.editing.markdown import escaped
from archdsl.tools.editing.names import Name, Naming, is_slot
from archdsl.tools.editing.places import At
from archdsl.tools.editing.surroundings import Surroundings, surroundings
from archdsl.tools.editing.wording import DEFAULTS, default_text, description_of, literal, schema_at, signature
from archdsl.tools.editing.written import QUOTED

Kind = Literal["key", "block", "argument", "name", "parent", "value", "reference"]
_DEPTH = "How often the layer is repeated."
_OPEN_REFERENCE = re.compile(r"\$\{(\.*)((?:[^\s{}.]*\.)*)([^\s{}.]*)$")
_ONLY_IN_BLOCKS = ("when",)
_NEVER_IN_BLOCKS = ("each", "share")


class Completion(NamedTuple):
    """`text` replaces `range`; `label` is shown in the list, with `detail` in small print after it.

    `documentation` is Markdown.
    """

    label: str
    kind: Kind
    range: Range
    text: str
    detail: str = ""
    documentation: str = ""


class _Offer(NamedTuple):
    """A completion without a range. It inserts `text`, or the label where that is empty.

    `ends` follows a key: a colon, and a space where the value can stand in the same line.
    """

    label: str
    kind: Kind
    detail: str = ""
    documentation: str = ""
    ends: str = ""
    text: str = ""


@one_report()
def complete(document: Document, line: int, column: int) -> list[Completion]:
    """Everything that fits at the place before a column. The editor filters by the word there."""
    around = surroundings(document)
    at = around.at(line, column)
    if not at.role or "\n" in at.word:  # text of several lines is prose
        return []
    reference = _OPEN_REFERENCE.search(at.before)
    if reference and at.role == "value":
        return _references(around, at, reference)
    offers = _keys(around, at) if at.role == "key" else []
    offers = offers or _values(around, at.path if at.role == "value" else at.holder)
    whole, gap = around.index.range(at.start, at.end), _gap(around.index.text, at)
    word = _inside_quotes(around, at) or whole
    ends = word == whole and not at.has_colon
    return [
        Completion(
            label=each.label,
            kind=each.kind,
            range=whole if each.text else word,
            text=gap + (each.text or each.label) + each.ends * ends,
            detail=each.detail,
            documentation=escaped(each.documentation),
        )
        for each in offers
    ]


def _gap(text: str, at: At) -> str:
    """The space missing after a colon or a dash."""
    return " " * (not at.word and text[max(0, at.start - 1) : at.start] in (":", "-"))


def _inside_quotes(around: Surroundings, at: At) -> Range | None:
    """The text between the quotes around the place; they may still be open."""
    is_closed = len(at.word) > 1 and at.word[-1] == at.word[0]
    is_inside = at.word[:1] in QUOTED and at.before != "" and not (is_closed and at.before == at.word)
    return around.index.range(at.start + 1, at.end - is_closed) if is_inside else None


# Keys


def _keys(around: Surroundings, at: At) -> list[_Offer]:
    """The keys that are still missing from the mapping."""
    holder = at.holder
    if holder[:1] == ("defaults",):
        return [*_groups(around)] if len(holder) == 2 else []
    if (filled := _first_of(holder)) is not None:
        offers: Iterable[_Offer] = _arguments(around, filled)
    elif layer_of(holder) == holder != ():
        offers = _layer_keys(around, holder)
    elif (schema := schema_at(holder)) is not None:
        offers = _fields(schema, at)
    else:
        offers = _inherited(around, holder)
    if not around.own_path(holder):
        offers = [_Offer("defaults", "key", "", DEFAULTS, ": "), *offers]
    present = {entry.path[-1] for entry in around.index.children.get(around.own_path(holder), ())} - {at.path[-1]}
    return [each for each in offers if each.label not in present]


def _first_of(holder: KeyPath) -> KeyPath | None:
    """The body that a stage's `first:` gives arguments to."""
    is_first = holder[-1:] == ("first",) and not layer_of(holder) and len(holder) > 1
    return (*holder[:-1], "body") if is_first else None


def _fields(schema: type[Schema], at: At) -> Iterator[_Offer]:
    meanings = meanings_of(schema)
    for field in schema.model_fields.values():
        yield _Offer(field.key, "key", "", meanings.get(field.key, ""), _ends(field.annotation, at))


def _ends(annotation: Any, at: At) -> str:
    """A colon, with a space where the value goes on the same line."""
    is_mapping = all(get_origin(each) is dict or _is_schema(each) for each in members(annotation))
    return ":" if is_mapping and not at.is_flow else ": "


def _is_schema(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Schema)


def _layer_keys(around: Surroundings, layer: KeyPath) -> Iterator[_Offer]:
    """The keys of every layer, and the arguments of its block."""
    unfit = _NEVER_IN_BLOCKS if layer[0] == "blocks" else _ONLY_IN_BLOCKS
    meanings = meanings_of(LayerSchema)
    for field in LayerSchema.model_fields.values():
        if field.key not in unfit and (field.key != "after" or not is_slot(layer)):
            yield _Offer(field.key, "key", "", meanings[field.key], ": ")
    yield from _arguments(around, layer)


def _arguments(around: Surroundings, layer: KeyPath) -> Iterator[_Offer]:
    name = around.block_name(layer)
    parameters = around.parameters(name) if name else {}
    for argument, parameter in parameters.items():
        yield _Offer(argument, "argument", default_text(parameter), ARGUMENTS.get(argument, ""), ": ")
    if name and "depth" not in parameters:
        yield _Offer("depth", "argument", "", _DEPTH, ": ")


def _inherited(around: Surroundings, holder: KeyPath) -> Iterator[_Offer]:
    """The stages and layers set by parents or filled by stage_defaults."""
    filler = default_of(holder) if len(holder) > 2 else ()
    for key in dict.fromkeys([*around.keys(holder), *(around.keys(filler) if filler else ())]):
        place = around.inherited_range((*holder, key)) or (around.key_range((*filler, key)) if filler else None)
        if place is not None:
            yield _Offer(key, "key", "inherited", f"Set in {place.file}, line {place.line}.", ": ")


# Values


def _values(around: Surroundings, path: KeyPath) -> list[_Offer]:
    if path[:1] == ("defaults",):
        return _defaults(around, path)
    layer, key = layer_of(path) if path else (), next((step for step in reversed(path) if type(step) is str), "")
    arguments = _own_arguments(around, path) if layer and path[0] == "blocks" else []
    if layer and path[len(layer) :] == ("block",):
        return [*arguments, *_blocks(around)]
    if key == "when" and layer:
        return [*arguments, _Offer(FITS, "value", "", "Only where all inputs have one shape.")]
    naming = around.names.naming(path)
    if naming is not None:
        return [*_names(around, naming, path), *([_Offer("true", "value")] if key == "share" else [])]
    return [*arguments, *_words(_annotation(around, path, layer))]


def _annotation(around: Surroundings, path: KeyPath, layer: KeyPath) -> Any:
    """The type of the value at a path; for an argument, the type that its block declares."""
    filled = _first_of(path[:-1]) if not layer else None
    holder = filled or layer
    inside = path[len(layer) :] if layer else path[-1:]
    if holder and inside and str(inside[0]) not in [field.key for field in LayerSchema.model_fields.values()]:
        parameter = around.parameters(around.block_name(holder)).get(str(inside[0]))
        return parameter.annotation if parameter is not None else Any
    return annotation_at(ConfigSchema, path)


def _words(annotation: Any) -> Iterator[_Offer]:
    """The values of a literal or boolean type."""
    for member in members(annotation):
        values = get_args(member) if get_origin(member) is Literal else (True, False) if member is bool else ()
        yield from (_Offer(literal(value), "value") for value in values)


@cache
def _registered() -> list[_Offer]:
    return [_Offer(name, "block", "", found.summary) for name, found in sorted(all_blocks().items())]


def _blocks(around: Surroundings) -> list[_Offer]:
    """All blocks with their arguments, the config's own first."""
    names = around.keys(("blocks",))
    own = [_Offer(name, "block", signature(around, name), description_of(around, name)) for name in names]
    return [*own, *[each._replace(detail=signature(around, each.label)) for each in _registered()]]


def _own_arguments(around: Surroundings, path: KeyPath) -> list[_Offer]:
    """The arguments of the block being defined."""
    holder = (*path[:2], "arguments")
    stated = value_at(around.values, holder)
    known = stated if isinstance(stated, dict) else {}
    return [_Offer(f"${name}", "argument", f"= {literal(value)}") for name, value in known.items()]


def _names(around: Surroundings, naming: Naming, path: KeyPath) -> list[_Offer]:
    """The names that fit at a path, except those already in the same list."""
    layer = layer_of(path) or path[:2]
    if naming.of == "entries":
        known = [(name, "") for name in around.keys(naming.holder) if name != layer[-1]]
    elif naming.of == "block":
        layers = around.keys((*naming.holder, "layers"))
        end = layers.index(str(layer[-1])) if len(layer) == 4 and layer[-1] in layers else len(layers)
        inputs = around.names.inside(naming.holder) if len(layer) == 4 else []
        known = [*[(name, "an input") for name in inputs], *[(name, "") for name in layers[:end]]]
    else:
        known = _network_names(around, naming, path)
    used = _used_beside(around, path)
    return [_Offer(name, "name", detail) for name, detail in known if name not in used]


def _used_beside(around: Surroundings, path: KeyPath) -> set[str]:
    """The other items of the list that the path is in."""
    items = around.index.children.get(around.own_path(path[:-1]), []) if type(path[-1]) is int else []
    return {around.index.text[each.start : each.end].strip("\"'") for each in items if each.path[-1] != path[-1]}


def _network_names(around: Surroundings, naming: Naming, path: KeyPath) -> list[tuple[str, str]]:
    """The names a layer can read, nearest first; everything for `outputs`, stages and sections for `freeze`."""
    names, part = around.names, naming.parts[0]
    if path[0] in ("outputs", "freeze"):
        chosen = names.parts if path[0] == "freeze" else names.layers
        return [(_short(around, name, ""), _what(around, name)) for name in chosen]
    before = [name for name in names.before(naming.holder) if len(name.path) > 1]
    shown = dict.fromkeys([(_short(around, name, part), _what(around, name)) for name in reversed(before)])
    return [*shown, *([(INPUT, "the image")] if path[-1] != "share" else [])]


def _short(around: Surroundings, name: Name, part: str) -> str:
    """The shortest name that is unambiguous in that part."""
    found = around.names.find(name.short, part)
    return name.short if found and found.name == name and not found.rest else name.full


def _what(around: Surroundings, name: Name) -> str:
    """`a stage`, `a section`, or the block of a layer."""
    return around.block_name(name.path) if name.full != name.part else ("a section", "a stage")[len(name.path) - 1]


# Parents


def _defaults(around: Surroundings, path: KeyPath) -> list[_Offer]:
    """Parents for an entry of the Defaults List, options where the entry is a group."""
    if len(path) == 3:
        group = group_of(path[2])
        options = options_of(group, around.roots) if group else []
        return [_Offer(name, "parent") for name in [*options, *(["null"] if options else [])]]
    used = _used_beside(around, path)
    if around.package:
        names = options_of(around.package, around.roots)
    else:
        names = list(dict.fromkeys(name for root in around.roots for name in parent_names(root)))
        names = [name for name in names if name.partition("/")[0] not in GROUPS]
    parents = [_Offer(name, "parent") for name in names if name not in used]
    if len(path) == 1:  # there is no list yet
        return [each._replace(text=f"[{each.label}, {SELF}]") for each in parents]
    return [*parents, *_groups(around), *([] if SELF in used else [_Offer(SELF, "value", "", "This file itself.")])]


def _groups(around: Surroundings) -> Iterator[_Offer]:
    if not around.package:
        yield from (_Offer(group, "key", "a group", f"A file of the folder {group}.", ": ") for group in GROUPS)


# References


def _references(around: Surroundings, at: At, reference: re.Match[str]) -> list[Completion]:
    """The keys or indexes that can continue the reference at the place."""
    dots, keys, last = reference.groups()
    holder = (*base_of(at.path, dots), *keys_of(keys))
    found = around.value(holder) if holder else around.values
    inside = list(found) if isinstance(found, dict) else range(len(found)) if isinstance(found, list) else ()
    end = at.start + len(at.before)
    tail = re.match(r"[^\s{}.\"']*", around.index.text[end : end + 200])
    place = around.index.range(end - len(last), end + (tail.end() if tail else 0))
    return [
        Completion(str(key), "reference", place, str(key), _preview(around.value((*holder, key)))) for key in inside
    ]


def _preview(value: Any) -> str:
    return "" if value is ABSENT or isinstance(value, (dict, list)) else literal(value)
