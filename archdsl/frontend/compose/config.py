"""Whatever a user calls a config → one composed mapping of plain values, with the place of each."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from archdsl.diagnostics.nearest import one_report
from archdsl.diagnostics.problems import ArchError, Mark, fail, problem
from archdsl.diagnostics.wording import describe
from archdsl.frontend.budget import DEFAULT, Budget
from archdsl.frontend.compose.defaults_list import Lineage, lineage
from archdsl.frontend.compose.groups import choices_in
from archdsl.frontend.compose.interpolation import escaped, has_reference, resolve_references
from archdsl.frontend.compose.merge import copied, merge
from archdsl.frontend.compose.order import with_explicit_order
from archdsl.frontend.compose.override_grammar import read_overrides
from archdsl.frontend.compose.overrides import apply_overrides
from archdsl.frontend.compose.search_path import config_root, find_config, options_of
from archdsl.frontend.sections import STAGES, default_of
from archdsl.frontend.source import KeyPath, Place, Places, Source, dotted, nearest_place
from archdsl.frontend.values import read_mapping
from archdsl.frontend.yaml.files import ConfigText, Reading, read_file, real

ConfigLike = str | os.PathLike[str] | Mapping[str, Any] | ConfigText | Source
"""What a config may be given as: a preset name, a path, a dict, an OmegaConf DictConfig, a text with the name of a
file, or one that was read."""

SIDE = 640
"""Pixels of a side that nobody sets, for costs and pictures that depend on it."""

ASKED_FOR = Mark("<image size>")
"""The place of an image size that does not stand in a config: the command line's, or a caller's."""

_TO_BE_FILLED = "???"  # Hydra's mark for a value that a child must give


@dataclass(frozen=True)
class Config:
    """A composed config: parents merged in, overrides and references applied, `defaults` gone. `values` is plain data.

    `removed` names the stages that overrides deleted; `history` is what each file and override sets, in the order
    in which they apply; `replaced_input` is what the config says of its input where
    the caller says something else.
    """

    name: str
    file: str
    values: dict[str, Any]
    places: Places
    removed: tuple[str, ...] = ()
    history: tuple[Source, ...] = ()
    replaced_input: Mapping[str, Any] = field(default_factory=dict)

    def at(self, *path: str | int) -> Location:
        """Where `path` is set."""
        return Location(self, path)

    def place(self, path: KeyPath) -> Place:
        """Where `path` is written; what a stage takes from stage_defaults is written there."""
        return nearest_place(self.places, self.stated(path), self.file)

    def stated(self, path: KeyPath) -> KeyPath:
        """The key that the value of `path` is written under: its own, or the one that fills it."""
        default = default_of(path) if len(path) > 2 and path not in self.places else ()
        return default if default and default in self.places else path

    @property
    def resolved(self) -> dict[str, Any]:
        """The config as one file with no parents and no references: plain data that gives the same graph.

        Without what holds only for the file that states it, and for no variant of it.
        """
        kept = {key: value for key, value in self.values.items() if key not in ("expect", "published")}
        resolved = {"archdsl": 1, "name": self.name, **escaped(kept)}
        if self.removed:  # so that `outputs` may still name them
            resolved[STAGES.name] |= dict.fromkeys(self.removed)
        return with_explicit_order(resolved)

    def with_size(self, height: int | None, image_width: int | None) -> Config:
        """The same config for images of another size, with as many channels as it says."""
        stated = self.values.get("input")
        shape = stated.get("shape") if isinstance(stated, dict) else None
        channels = shape[2] if isinstance(shape, list) and len(shape) == 3 else 3
        return self.with_input(shape=(height, image_width, channels))

    def at_known_size(self) -> Config:
        """The same config, whose image has SIDE pixels for each side that it leaves open."""
        stated = self.values.get("input") or {}
        shape = stated.get("shape", [None, None, 3]) if isinstance(stated, dict) else None
        if not isinstance(shape, list) or len(shape) != 3 or None not in shape[:2]:  # known, or it will be reported
            return self
        return self.with_size(*[SIDE if side is None else side for side in shape[:2]])

    def with_input(self, *, shape: Sequence[int | None] | None = None, rescale: bool | None = None) -> Config:
        """The same config for another image shape (H, W, C), with or without the rescaling."""
        given = shape if isinstance(shape, (str, int, float)) else list(shape or ())  # another value will be reported
        changes: dict[str, Any] = {} if shape is None else {"shape": given}
        changes |= {} if rescale is None else {"rescale": rescale}
        stated = self.values.get("input", {})
        if not changes or not isinstance(stated, dict):  # what is no mapping will be reported
            return self
        paths = [("input", "shape"), *[("input", "shape", index) for index in range(3)]] if shape is not None else []
        places = {**self.places, **dict.fromkeys(paths, Place(ASKED_FOR, ASKED_FOR))}
        values = {**self.values, "input": {**stated, **changes}}
        return replace(self, values=values, places=places, replaced_input=stated)

    def with_freeze(self, parts: Sequence[str] | None) -> Config:
        """The same config with these stages (and stem, tail) frozen; None for what it says itself."""
        return self if parts is None else replace(self, values={**self.values, "freeze": listed(parts, "freeze")})

    def with_outputs(self, names: Sequence[str], mark: Mark) -> Config:
        """The same config with these outputs, requested at `mark`. P3 is stage p3, as it is in results."""
        stages = self.values.get("stages") or {}
        wanted = listed(names, "outputs")
        found = [name.lower() if name not in stages and name.lower() in stages else name for name in wanted]
        paths: list[KeyPath] = [("outputs",), *[("outputs", index) for index in range(len(found))]]
        places = {**self.places, **dict.fromkeys(paths, Place(mark, mark))}
        return replace(self, values={**self.values, "outputs": found}, places=places)


class Location(NamedTuple):
    """An entry of a config. Where it is written is looked up when it is asked for: hardly any ever is."""

    config: Config
    path: KeyPath

    def __truediv__(self, key: str | int) -> Location:
        """The entry called `key` inside of this one."""
        return self.inside(key)

    def inside(self, *keys: str | int) -> Location:
        """The entry that `keys` lead to from this one."""
        return Location(self.config, (*self.path, *keys))

    @property
    def key(self) -> Mark:
        """The place of its key, or of the nearest entry around it."""
        return self.config.place(self.path).key

    @property
    def value(self) -> Mark:
        """The place of its value, or of the nearest entry around it."""
        return self.config.place(self.path).value

    @property
    def own_key(self) -> Mark | None:
        """The place of its key; for what stage_defaults fill, that of the stage. None where nothing is written."""
        around = [self.path[:length] for length in range(len(self.path), 0, -1)]
        return next((self.config.places[path].key for path in around if path in self.config.places), None)

    @property
    def stated(self) -> str:
        """The key that its value is written under: stage_defaults.body for a stage that does not set its own."""
        return dotted(self.config.stated(self.path))

    @property
    def is_written(self) -> bool:
        """Whether the config sets it, itself or for all stages."""
        return self.config.stated(self.path) in self.config.places

    def __str__(self) -> str:
        return _dotted(self.path)


_dotted = lru_cache(maxsize=1024)(dotted)  # the same few entries are in every config


@one_report()
def load(config: ConfigLike, overrides: Sequence[str] = (), budget: Budget = DEFAULT) -> Config:
    """Read, inherit, override, follow references. Raises ArchError with the place of everything that is wrong."""
    if not isinstance(budget, Budget):
        hint = "write budget=archdsl.Budget(params=…)"
        raise fail("type", f"expected an archdsl.Budget, got {describe(budget)}", path="budget", hint=hint)
    source, root, name = _read(config, budget)
    given = read_overrides(listed(overrides))
    others = config.others if isinstance(config, ConfigText) else {}
    found = lineage(source, root, Reading(budget, others), choices_in(given))
    values, places = merge(found.sources)
    stages_before = _stage_names(values)
    idle = {choice.mark for choice in found.idle}  # as there is no choice to take back, they delete values
    setting = [each for each in given if not each.chooses or each.mark in idle]
    if setting:
        values = copied(values)
    changes = apply_overrides(values, places, setting, budget)
    removed = tuple(stages_before - _stage_names(values))
    if _is_open(values):
        _refuse_gaps(values, places, source.file)
        values = resolve_references(values, places, source.file, budget)
    stated = values.get("name")
    return Config(
        stated if isinstance(stated, str) else name, source.file, values, places, removed, (*found.sources, *changes)
    )


def lineage_of(path: Path, root: Path | None = None) -> Lineage:
    """The files that the config at `path` is made of, and its choices; `root` is its folder, as for `lineage`."""
    source, folder, _ = _read(path, DEFAULT)
    return lineage(source, root or folder, Reading(DEFAULT))


def options_for(config: ConfigLike, group: str) -> list[str]:
    """The options of a group that `config` may choose, its own folder's and the shipped ones."""
    _, root, _ = _read(config, DEFAULT)
    return options_of(group, [folder for folder in (root, config_root()) if folder])


def _stage_names(values: Mapping[str, Any]) -> set[str]:
    stages = values.get(STAGES.name)
    return set(stages) if isinstance(stages, dict) else set()


def _read(config: ConfigLike, budget: Budget) -> tuple[Source, Path | None, str]:
    if isinstance(config, Source):
        return config, Path(config.file).parent, "backbone"  # of standard input the current folder
    if isinstance(config, ConfigText):
        return Reading(budget).text(config.text, config.file), config.folder, _model_name(Path(config.file).stem)
    if isinstance(config, Mapping):
        return read_mapping(config, budget=budget), None, "backbone"
    if isinstance(config, (str, os.PathLike)):
        path = find_config(config)
        return read_file(path, budget=budget), root_of(path), _model_name(path.stem)
    raise fail("type", f"expected a preset name, a path or a mapping, got {describe(config)}")


def _model_name(stem: str) -> str:
    """The name of a file as that of a model, which Keras takes with few other characters than letters and digits."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", stem).lstrip("_.-")[:64] or "backbone"


def root_of(path: Path) -> Path:
    """The folder that the config's parents are named in: its own, or that of all shipped configs."""
    shipped = config_root()
    return shipped if real(path).is_relative_to(shipped) else path.parent


def listed(texts: Sequence[str], name: str = "overrides") -> list[str]:
    """A list of texts. Raises ArchError for one text, which is a sequence of its letters."""
    if isinstance(texts, str):
        raise fail("type", f"expected a list of {name}, got one text", hint=f"write {name}=['{texts}']")
    return list(texts)


def _is_open(values: dict[str, Any]) -> bool:
    """Whether a text in it is a mark to be filled, or holds a reference."""
    pending: list[Any] = [values]
    for value in pending:  # which grows: one list is faster than a stack
        kind = type(value)
        if kind is dict:
            pending += value.values()
        elif kind is list:
            pending += value
        elif kind is str and (value == _TO_BE_FILLED or has_reference(value)):
            return True
    return False


def _refuse_gaps(values: dict[str, Any], places: Places, file: str) -> None:
    problems = [
        problem(
            "missing-value",
            f"'{_TO_BE_FILLED}' is not allowed; a config holds values only",
            mark=nearest_place(places, path, file).value,
            path=dotted(path),
            hint="write the value itself",
        )
        for path, text in _texts(values, ())
        if text == _TO_BE_FILLED
    ]
    if problems:
        raise ArchError(problems)


def _texts(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))
