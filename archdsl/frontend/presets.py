"""The shipped configs: what there is, and what each says of itself."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from archdsl.diagnostics.problems import fail
from archdsl.diagnostics.wording import one_of
from archdsl.frontend.compose.config import Config, load
from archdsl.frontend.compose.search_path import config_root, options_of, preset_names
from archdsl.frontend.compose.usual_names import meant_preset
from archdsl.frontend.sections import GROUPS
from archdsl.frontend.sema.schema import PublishedSchema


class PresetInfo(NamedTuple):
    """A shipped preset. `params` counts every array of the model, `macs` are for one image of its own size, or of 640.

    `weights_url` is where its trained weights are published, `weights_size` in bytes, `kaggle_handle` keras_cv's name
    for it; None for none, or not known.
    """

    name: str
    description: str
    params: int | None
    has_weights: bool
    weights_url: str | None
    weights_sha256: str | None
    weights_size: int | None
    kaggle_handle: str | None
    source: str
    macs: int | None


def list_presets() -> list[PresetInfo]:
    """Every shipped preset, by name."""
    return [preset_info(name) for name in preset_names()]


@cache  # names of shipped presets only: any other is an error
def preset_info(name: str) -> PresetInfo:
    """What the preset says of itself. Raises ArchError with the nearest name when there is no such preset."""
    if name not in preset_names():
        hint = meant_preset(name, preset_names())
        raise fail("unknown-preset", f"no preset '{name}'; {one_of(preset_names())}", hint=hint)
    return info_of(load(name))


class OptionInfo(NamedTuple):
    """A shipped option of a config group; its description is the first comment of its file."""

    group: str
    name: str
    description: str


def list_options() -> list[OptionInfo]:
    """Every shipped option of every group."""
    root = config_root()
    found = [(group, name) for group in GROUPS for name in options_of(group, [root])]
    return [OptionInfo(group, name, _comment(root / group / f"{name}.yaml")) for group, name in found]


def _comment(path: Path) -> str:
    """The first comment of a shipped file that people read."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((line[2:] for line in lines if line.startswith("# ") and "$schema" not in line and "@" not in line), "")


def info_of(preset: Config) -> PresetInfo:
    """What a shipped config says of itself."""
    values = preset.values
    published, promised = _published_in(preset), values.get("expect") or {}
    return PresetInfo(
        name=Path(preset.file).stem,
        description=values.get("description", ""),
        params=_exact(promised.get("params")),
        has_weights=published.url is not None,
        weights_url=published.url,
        weights_sha256=published.sha256,
        weights_size=published.size,
        kaggle_handle=published.kaggle,
        source=values.get("source", ""),
        macs=_exact(promised.get("macs")),
    )


def _exact(promised: Any) -> int | None:
    """A figure that is promised, if it is not a limit."""
    return promised if isinstance(promised, int) else None


def _published_in(preset: Config) -> PublishedSchema:
    """What the preset's own file says: what a parent's weights fit, they do not fit in a variant."""
    own = next(source for source in preset.history if source.file == preset.file)
    return PublishedSchema.model_validate(own.values.get("published", {}))
