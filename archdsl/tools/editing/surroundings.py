"""A text merged with its parents, even while it is half-written: the values around every place in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property, lru_cache
from inspect import Parameter
from pathlib import Path
from typing import Any

from archdsl.analysis.explain import at
from archdsl.blocks.registry import Block, find_block
from archdsl.diagnostics.fixes import Range
from archdsl.diagnostics.problems import ArchError, Mark
from archdsl.frontend.budget import DEFAULT
from archdsl.frontend.compose.config import Config
from archdsl.frontend.compose.defaults_list import SELF, lineage, sub_folder
from archdsl.frontend.compose.merge import merge
from archdsl.frontend.compose.search_path import config_root, leads_somewhere
from archdsl.frontend.sections import GROUPS, default_of
from archdsl.frontend.sema.composite import Composite
from archdsl.frontend.sema.parameters import name_of
from archdsl.frontend.sema.resolve import own_blocks, without
from archdsl.frontend.source import ABSENT, KeyPath, Place, Source
from archdsl.frontend.yaml.files import Reading
from archdsl.tools.editing.document import Document
from archdsl.tools.editing.names import Names
from archdsl.tools.editing.places import At

_MOST_PARENTS = 16
"""Entries of a broken Defaults List that are tried one by one."""


class Surroundings:
    """`values` are the text's over its parents'; key paths are those of the whole config.

    A file of a group holds layers, which are under the name of the group there: `package`.
    """

    def __init__(self, document: Document):
        self.document = document
        self.index = document.index
        self.package = _package(document, self.index.source)
        ordered = self._sources()
        _, self.inherited_places = _merged([each for each in ordered if each is not None])
        self.values, _ = _merged([self._landed if each is None else each for each in ordered])

    @property
    def roots(self) -> list[Path]:
        """The folders that parents and options are looked for in."""
        return [root for root in (self._root, config_root()) if root is not None]

    @property
    def _root(self) -> Path | None:
        folder = self.document.folder
        return folder.parent if folder and self.package and folder.name == self.package else folder

    @property
    def sub_folder(self) -> str:
        """The sub-folder of the roots that names of parents are relative to."""
        return self.package or sub_folder(self.index.source, self._root, Reading(DEFAULT))

    @property
    def _landed(self) -> Source:
        """The values of the text itself. A key without a value keeps the parents' value."""
        source = self.index.source
        values = {key: value for key, value in source.values.items() if key != "defaults"}
        gaps = [path for path, entry in self.index.entries.items() if entry.kind == "nothing" and path]
        values = without(values, gaps) if gaps and "defaults" in source.values else values
        return Source(source.file, {self.package: values} if self.package else values)

    def _sources(self) -> list[Source | None]:
        """The values of the parents, in order; None for the text itself."""
        stated = self.index.source.values.get("defaults")
        with suppress(ArchError):
            return self._lineage(stated if isinstance(stated, list) else [SELF])
        entries = stated[:_MOST_PARENTS] if isinstance(stated, list) else []
        others = [entry for entry in entries if entry != SELF and self._is_found(entry)]
        with suppress(ArchError):
            return self._lineage([*others, SELF])
        return [None]

    def _is_found(self, entry: Any) -> bool:
        if isinstance(entry, str) and not any(leads_somewhere(root / f"{entry[:200]}.yaml") for root in self.roots):
            return False
        with suppress(ArchError):
            return bool(self._lineage([entry, SELF]))
        return False

    def _lineage(self, entries: list[Any]) -> list[Source | None]:
        source = self.index.source
        own = Source(source.file, {"defaults": entries}, package=source.package)
        found = lineage(own, self._root, Reading(DEFAULT, self.document.others))
        return [None if member.source is own else member.landed for member in found.members]

    def network_path(self, path: KeyPath) -> KeyPath:
        """The key path in the whole config."""
        return (self.package, *path) if self.package and path[:1] != ("defaults",) else path

    def own_path(self, path: KeyPath) -> KeyPath:
        """The key path in the text."""
        return path[1:] if self.package and path[:1] == (self.package,) else path

    def at(self, line: int, column: int) -> At:
        """The role of a place, with its path in the whole config."""
        found = self.index.at(line, column)
        return found._replace(path=self.network_path(found.path)) if found.role else found

    def value(self, path: KeyPath) -> Any:
        """The value at a path of the whole config, also from stage_defaults; ABSENT for none."""
        found = at(self.values, path)
        filler = default_of(path) if found is ABSENT and len(path) > 2 else ()
        return at(self.values, filler) if filler else found

    def keys(self, path: KeyPath) -> list[str]:
        """The keys of the mapping at a path, the parents' included."""
        found = at(self.values, path)
        return list(found) if isinstance(found, dict) else []

    @cached_property
    def names(self) -> Names:
        return Names(self.values)

    def key_range(self, path: KeyPath) -> Range | None:
        """Where a key is set: in the text, else in the last parent that sets it."""
        return self.index.key_range(self.own_path(path)) or self.inherited_range(path)

    def inherited_range(self, path: KeyPath) -> Range | None:
        """Where the parents set a key."""
        place = self.inherited_places.get(path)
        return place and key_at(place.key, str(path[-1]))

    # Blocks

    def block_name(self, layer: KeyPath) -> str:
        """The name of a layer's block: its own, inherited, from `stage_defaults`, or from an argument."""
        name = self.value((*layer, "block"))
        argument = name_of(name)
        if argument and layer[0] == "blocks":
            name = at(self.values, ("blocks", layer[1], "arguments", argument))
        return name if isinstance(name, str) else ""

    def block(self, name: str) -> Block | None:
        """The block with a name: the config's own, else a registered one."""
        with suppress(ArchError):
            return self.own.get(name) or find_block(name)
        return None

    @cached_property
    def own(self) -> Mapping[str, Composite]:
        """The config's own blocks; empty while one of them is invalid."""
        with suppress(ArchError):
            return own_blocks(Config("", self.document.name, self.values, self._all_places))
        return {}

    @property
    def _all_places(self) -> dict[KeyPath, Place]:
        own = {self.network_path(path): place for path, place in self.index.source.places.items()}
        return {**self.inherited_places, **own}

    def parameters(self, name: str) -> Mapping[str, Parameter]:
        """The arguments of a block, by name."""
        found = self.block(name)
        if found is not None:
            return found.parameters
        return {each: Parameter(each, Parameter.KEYWORD_ONLY, default=value) for each, value in self._arguments(name)}

    def _arguments(self, name: str) -> Iterator[tuple[str, Any]]:
        """The arguments of a block whose definition is invalid."""
        stated = at(self.values, ("blocks", name, "arguments"))
        yield from (
            (key, value) for key, value in (stated if isinstance(stated, dict) else {}).items() if key.isidentifier()
        )


@lru_cache(maxsize=4)
def surroundings(document: Document) -> Surroundings:
    """The surroundings of a document, worked out once: it does not change."""
    return Surroundings(document)


def key_at(mark: Mark, key: str) -> Range:
    """The range of the key that begins at a place."""
    return Range(mark.file, mark.line, mark.column, mark.line, mark.column + len(key))


def _package(document: Document, source: Source) -> str:
    """The group whose option the file is; empty for a config."""
    folder = Path(document.name).parent.name or (document.folder.name if document.folder else "")
    return folder if folder in GROUPS and source.package != "_global_" else ""


def _merged(sources: list[Source]) -> tuple[dict[str, Any], dict[KeyPath, Place]]:
    with suppress(ArchError):
        return merge(sources)
    return merge(sources[-1:])
