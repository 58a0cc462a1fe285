"""`hydra.searchpath: [archdsl://configs]`: the shipped configs in any Hydra program, through archdsl's own loader.

Every Hydra program of an environment with archdsl imports this file, so that the rest of archdsl is only imported when
an archdsl:// folder is used.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.object_type import ObjectType
from hydra.errors import ConfigCompositionException
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from omegaconf import OmegaConf

if TYPE_CHECKING:
    from archdsl.diagnostics.problems import Problem
    from archdsl.frontend.compose.config import Config
    from archdsl.frontend.compose.defaults_list import Lineage
    from archdsl.frontend.source import KeyPath, Source

SHIPPED = "configs"


class ArchdslConfigSource(ConfigSource):
    """`archdsl://configs` holds the shipped configs, `archdsl:///a/folder` those of that folder.

    Hydra gets each with its parents merged in, so that all of it goes under `backbone` in a Defaults List with
    `yolo_v8_s_backbone@backbone`. The choices of groups stay choices, which `neck=fpn` changes. Nothing outside of the
    folder is found, by any name or link, and no group `hydra` either: a config is data, and Hydra's own settings run
    code and choose where it writes.
    """

    @staticmethod
    def scheme() -> str:
        return "archdsl"

    def available(self) -> bool:
        return self.is_group("")

    def is_group(self, config_path: str) -> bool:
        path = self._find(config_path)
        return path is not None and path.is_dir()

    def is_config(self, config_path: str) -> bool:
        path = self._find(self._normalize_file_name(config_path))
        return path is not None and path.is_file()

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        names: list[str] = []
        folder = self._find(config_path)
        for path in [] if folder is None else folder.iterdir():
            self._list_add_result(names, f"{config_path}/{path.name}".lstrip("/"), path.name, results_filter)
        return sorted(set(names))

    def load_config(self, config_path: str) -> ConfigResult:
        """Raises ConfigCompositionException with archdsl's report, which Hydra prints without a traceback."""
        if not self.is_config(config_path):
            raise ConfigLoadError(f"there is no config '{config_path}' in {self.full_path()}")

        from archdsl.diagnostics.problems import ArchError

        try:
            values, package = _composed(self._folder, self._normalize_file_name(config_path))
        except ArchError as error:
            raise ConfigCompositionException(str(error)) from error
        return ConfigResult(self.provider, self.full_path(), OmegaConf.create(values), {"package": package or None})

    @property
    def _folder(self) -> Path:
        if self.path != SHIPPED:
            return Path(self.path)

        from archdsl.frontend.compose.search_path import config_root

        return config_root()

    def _find(self, name: str) -> Path | None:
        """The path of that name in the folder; None for anything outside of it, and for the group `hydra`."""
        from archdsl.frontend.compose.search_path import leads_somewhere
        from archdsl.frontend.yaml.files import real

        folder, path = self._folder, self._folder / name
        is_hydras = Path(os.path.normpath(name)).parts[:1] == ("hydra",)
        if is_hydras or not folder.is_absolute() or not leads_somewhere(path):
            return None
        return path if real(path).is_relative_to(real(folder)) else None


def _composed(folder: Path, name: str) -> tuple[dict[str, Any], str]:
    """The config as Hydra gets it: parents merged in, references relative; and its package."""
    from archdsl.diagnostics.problems import ArchError
    from archdsl.frontend.compose.config import Config, lineage_of, load
    from archdsl.frontend.compose.interpolation import relative
    from archdsl.frontend.compose.merge import merge
    from archdsl.frontend.sections import GROUPS

    path = folder / name
    found = lineage_of(path, folder if Path(name).parent.as_posix() in GROUPS else None)
    (own,) = [member for member in found.members if member.source.file == str(path)]
    if not own.package:  # an option of a group refers to keys of the config that chooses it
        load(path)  # refuses what leads nowhere; Hydra follows references after its overrides
    if problems := foreign_keys(Config(path.stem, own.source.file, *merge(found.sources), history=(*found.sources,))):
        raise ArchError(problems)
    sources, defaults = _handed_on(found)
    values: dict[str, Any] = relative(merge(sources)[0])
    return {**defaults, **(values[own.package] if own.package else values)}, own.source.package


def _handed_on(found: Lineage) -> tuple[Sequence[Source], dict[str, Any]]:
    """The values merged for Hydra, and the Defaults List with the choices of groups, which a program may change.

    Where a file sets something that an option after it sets too, the options are merged in like parents: Hydra merges
    the whole config before its options or after them.
    """
    kept = [member.landed for member in found.members if not member.choice]
    before: set[str] = set()
    for member in found.members:
        keys = member.landed.values.keys() - {"defaults"}
        if member.choice and before & keys:
            return found.sources, {}
        before |= set() if member.choice else keys
    options = [{f"/{choice.group}": choice.option} for choice in found.choices]
    return kept, {"defaults": [*options, "_self_"]} if options else {}


def foreign_keys(config: Config) -> list[Problem]:
    """Keys that no config of archdsl's has, at the top level and in every part.

    Other programs act on them: Hydra on a top-level `hydra`, hydra.utils.instantiate on a `_target_` at any depth.
    A value that is wrong or missing is not reported, as an override may still change it.
    """
    from archdsl.diagnostics.problems import by_place, problem
    from archdsl.frontend.sema.resolve import check
    from archdsl.frontend.source import dotted

    whole = replace(config, values={"stages": {}, **config.values})
    found = [each for each in check(whole)[1] if each.code in ("unknown-key", "key")]
    reported = {each.path for each in found}
    found += [
        problem("unknown-key", f"unknown key '{path[-1]}'", mark=config.place(path).key, path=dotted(path))
        for path in _hidden(config.values)
        if not any(dotted(path[:length]) in reported for length in range(1, len(path) + 1))
    ]
    return by_place(found)


def _hidden(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Where a key begins with an underscore, as no name of the language does, and all of instantiate's."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if str(key).startswith("_"):
            yield (*path, key)
        yield from _hidden(item, (*path, key))
