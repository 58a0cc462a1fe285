"""Definitions of the names in a text: parents, blocks, arguments, references, layers, inherited keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from archdsl.analysis.explain import at as value_at
from archdsl.diagnostics.fixes import Range
from archdsl.frontend.compose.search_path import leads_somewhere
from archdsl.frontend.sections import GROUPS, default_of, layer_of
from archdsl.frontend.sema.composite import Composite
from archdsl.frontend.sema.parameters import name_of
from archdsl.frontend.source import ABSENT, KeyPath, is_index
from archdsl.frontend.yaml.files import real
from archdsl.tools.editing.document import Document
from archdsl.tools.editing.places import At
from archdsl.tools.editing.surroundings import Surroundings, surroundings

REFERENCE = re.compile(r"\$\{(\.*)([^{}\s]*)\}")
KEY = re.compile(r"[^.\[\]]+")


class Definition(NamedTuple):
    """`target` defines `origin`, a word of the text. It may be in another file, even a Python file."""

    origin: Range
    target: Range


def define(document: Document, line: int, column: int) -> list[Definition]:
    """The definitions of the word at the place; none for a definition itself or an unknown word."""
    around = surroundings(document)
    at = around.at(line, column)
    if not at.role or not at.word:
        return []
    found = reference_at(at) if at.role == "value" else None
    start, end = found.span() if found else (0, len(at.word))
    origin = around.index.range(at.start + start, at.start + end)
    targets = _of_key(around, at) if at.role == "key" else _of_value(around, at)
    return [Definition(origin, target) for target in dict.fromkeys(targets) if target != origin]


def reference_at(at: At) -> re.Match[str] | None:
    """The reference around the place."""
    place = len(at.before)
    return next((found for found in REFERENCE.finditer(at.word) if found.start() <= place <= found.end()), None)


def referred(at: At, reference: re.Match[str]) -> KeyPath:
    """The key path that a reference leads to."""
    return (*base_of(at.path, reference[1]), *keys_of(reference[2]))


def base_of(path: KeyPath, dots: str) -> KeyPath:
    """Where a reference in the value at a path starts: at the top, or with dots at a mapping around the value."""
    return path[: max(0, len(path) - len(dots))] if dots else ()


def keys_of(written: str) -> KeyPath:
    """`stages.p3[0]` → ("stages", "p3", 0)."""
    return tuple([int(key) if is_index(key) else key for key in KEY.findall(written)])


def _of_key(around: Surroundings, at: At) -> Iterator[Range]:
    """Where a key is inherited from, else its entry in stage_defaults."""
    inherited = around.inherited_range(at.path)
    filler = default_of(at.path) if len(at.path) > 2 else ()
    target = inherited or (around.key_range(filler) if filler else None)
    if target is not None:
        yield target


def _of_value(around: Surroundings, at: At) -> Iterator[Range]:
    word = at.word.strip("\"'")
    path = tuple([step for step in at.path if type(step) is str])
    layer = layer_of(path)
    if found := reference_at(at):
        yield from _listed(_key(around, referred(at, found)))
    elif path[:1] == ("defaults",):
        yield from _parent(around, path, word)
    elif path[:1] == ("blocks",) and name_of(word) is not None:
        yield from _listed(around.key_range((*path[:2], "arguments", word[1:])))
    elif layer and path == (*layer, "block"):
        yield from block_places(around, word)
    elif naming := around.names.naming(at.path):
        for meant in around.names.meanings(naming, word):
            yield from _listed(_key(around, meant.name.path))
        if naming.of == "block" and word in around.names.inside(naming.holder):
            yield from _listed(around.key_range((*naming.holder, "inputs")))


def _listed(place: Range | None) -> list[Range]:
    return [place] if place else []


def _key(around: Surroundings, path: KeyPath) -> Range | None:
    """Where a key is set, else where stage_defaults fills it."""
    filler = default_of(path) if len(path) > 2 else ()
    return around.key_range(path) or (around.key_range(filler) if filler else None)


def block_places(around: Surroundings, name: str) -> Iterator[Range]:
    """Where a block is defined: in YAML, or its function in a file of Python."""
    if value_at(around.values, ("blocks", name)) is not ABSENT:
        yield from _listed(around.key_range(("blocks", name)))
        return
    block = around.block(name)
    if block is not None and not isinstance(block, Composite):
        file, _, line = block.source.rpartition(":")
        yield Range(file, int(line), 1, int(line), 1)


def group_of(key: str | int) -> str:
    """The config group of a key in the Defaults List (`neck`, `override /neck`); empty for any other key."""
    group = str(key).removeprefix("override ").lstrip("/")
    return group if group in GROUPS else ""


def _parent(around: Surroundings, path: KeyPath, word: str) -> Iterator[Range]:
    """The file of a parent, or of the option of a group."""
    group = group_of(path[1]) if len(path) > 1 else around.sub_folder
    if group and not word.startswith("/"):
        word = f"{group}/{word}"
    for root in around.roots:
        file = root / f"{word.lstrip('/')}.yaml"
        if len(word) < 200 and leads_somewhere(file) and real(file).is_relative_to(real(root)):
            yield Range(str(file), 1, 1, 1, 1)
            return


def parent_file(around: Surroundings, path: KeyPath, word: str) -> Path | None:
    """The file named by a word of the Defaults List."""
    return next((Path(place.file) for place in _parent(around, path, word)), None)
