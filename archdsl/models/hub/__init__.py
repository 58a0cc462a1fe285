"""A preset's name, folder or handle → where it is, and the file with its trained weights."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from archdsl.diagnostics.problems import ArchError, Mark, fail
from archdsl.diagnostics.wording import describe, did_you_mean, one_of
from archdsl.frontend.compose.search_path import leads_somewhere, preset_names
from archdsl.frontend.presets import PresetInfo, list_presets, preset_info
from archdsl.models.hub.cache import KAGGLE, cache_folder, kaggle_file, trained_weights
from archdsl.models.hub.preset_folder import KERAS_CV_CONFIG, PresetFolder, read_folder
from archdsl.weights import Published

Preset = PresetInfo | PresetFolder


def find_preset(reference: str | os.PathLike[str], names: Iterable[str], owner: str) -> Preset:
    """The preset that a name, a folder or a kaggle:// handle means. Does not import Keras.

    `names` are the shipped presets that `owner` takes. Raises ArchError with the nearest for any other.
    """
    if not isinstance(reference, (str, os.PathLike)):
        raise fail("type", f"expected the name of a preset, a folder or a handle, got {describe(reference)}")
    text, known = os.fspath(reference), list(names)
    handles = {_without_version(info.kaggle_handle): info for info in list_presets() if info.kaggle_handle}
    published = handles.get(_without_version(text))
    if published is not None and text in (published.kaggle_handle, _without_version(text)):
        text = published.name
    if text in known:
        return preset_info(text)
    if text.startswith(KAGGLE):
        return replace(read_folder(kaggle_file(text, KERAS_CV_CONFIG).parent), handle=text)
    if leads_somewhere(Path(text)):
        return read_folder(Path(text))
    message = f"{owner} has no preset '{text}'; {one_of(known)}; or a folder, or a {KAGGLE} handle"
    raise fail("unknown-preset", message, hint=did_you_mean(text, known))


def _without_version(handle: str | None) -> str:
    """A handle without the number after its four names."""
    return "/".join((handle or "").split("/")[:6]) if (handle or "").startswith(KAGGLE) else ""


def weights_file(preset: Preset, load_weights: bool | None) -> Path | Published | None:
    """The file to load into a model of the preset: None where nothing is asked for, or nothing was trained.

    `load_weights` True asks for weights, False for none, None for those that there are. Raises ArchError when
    they are asked for and there are none, or they cannot be had.
    """
    if load_weights not in (None, True, False):
        raise fail("type", f"load_weights: expected True, False or None, got {describe(load_weights)}")
    if load_weights is False:
        return None
    if isinstance(preset, PresetFolder):
        return _weights_in(preset, bool(load_weights))
    if preset.has_weights:
        return _as_published(trained_weights(preset), preset)
    if load_weights:
        raise _untrained(preset, "load_weights=None starts from fresh weights")
    return None


def published_weights(config: object) -> Path | Published:
    """The trained weights of a config that is the name of a shipped preset, downloaded if they are not here.

    Raises ArchError when it is not, when the preset has none, and when they cannot be had.
    """
    if not isinstance(config, str) or config not in preset_names():
        message = f"only a preset has published weights; {describe(config)} is not the name of one"
        raise fail("no-weights", message, hint="a file of weights is given by its path")
    info = preset_info(config)
    if not info.has_weights:
        raise _untrained(info)
    return _as_published(trained_weights(info), info)


def _untrained(info: PresetInfo, hint: str = "") -> ArchError:
    """The hint is that of a preset of the same architecture, if there is one that was trained."""
    trained = [each.name for each in list_presets() if each.has_weights]
    same = next((name for name in trained if name.startswith(info.name)), "")
    message = f"preset '{info.name}' has no trained weights; those that have: {', '.join(trained)}"
    return fail("no-weights", message, hint=f"{same} has" if same else hint)


def _as_published(path: Path, info: PresetInfo) -> Path | Published:
    """The file with its sha256: it may be changed between now, when it was looked at, and when it is read."""
    is_ours = path.is_relative_to(cache_folder())  # kagglehub keeps another form of it
    return Published(path, info.weights_sha256) if is_ours and info.weights_sha256 else path


def _weights_in(folder: PresetFolder, asked: bool) -> Path | None:
    if folder.weights is None:
        if asked:
            raise fail("no-weights", "the preset has no weights", mark=Mark(str(folder.path)))
        return None
    path = folder.path / folder.weights
    if folder.handle and not path.is_file():
        return kaggle_file(folder.handle, folder.weights)
    if not path.is_file():
        hint = "load_weights=False starts from fresh weights"
        raise fail(
            "missing-file", f"there is no '{path.name}', which the preset names", mark=Mark(str(folder.path)), hint=hint
        )
    return path
