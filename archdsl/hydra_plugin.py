"""`hydra.searchpath: [archdsl://configs]`: the shipped configs in any Hydra program, through archdsl's own loader.

Every Hydra program of an environment with archdsl imports this file, so that the rest of archdsl is only imported when
an archdsl:// folder is used.
"""

from __future__ import annotations

from pathlib import Path

from hydra.core.object_type import ObjectType
from hydra.errors import ConfigCompositionException
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from omegaconf import OmegaConf

SHIPPED = "configs"


class ArchdslConfigSource(ConfigSource):
    """`archdsl://configs` holds the shipped configs, `archdsl:///a/folder` those of that folder.

    Hydra gets each with its parents merged in, so that all of it goes under `backbone` in a Defaults List that says
    `yolo_v8_s_backbone@backbone`. What lies outside of the folder is not there, whatever name or link leads to it.
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

        from archdsl.composition.folders import read_file
        from archdsl.composition.inheritance import merge
        from archdsl.composition.references import relative
        from archdsl.errors import ArchError
        from archdsl.loader import load, sources_of

        path = self._folder / self._normalize_file_name(config_path)
        try:
            load(path)  # refuses what leads nowhere; Hydra follows references after its overrides
            values, package = relative(merge(sources_of(path))[0]), read_file(path).package
        except ArchError as error:
            raise ConfigCompositionException(str(error)) from error
        return ConfigResult(self.provider, self.full_path(), OmegaConf.create(values), {"package": package or None})

    @property
    def _folder(self) -> Path:
        if self.path != SHIPPED:
            return Path(self.path)

        from archdsl.composition.folders import config_root

        return config_root()

    def _find(self, name: str) -> Path | None:
        """What is called so in the folder; None for nothing, and for what lies outside of it."""
        from archdsl.composition.folders import leads_somewhere

        folder, path = self._folder, self._folder / name
        if not folder.is_absolute() or not leads_somewhere(path):
            return None
        return path if path.resolve().is_relative_to(folder.resolve()) else None
