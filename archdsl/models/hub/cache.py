"""The cache of trained weights and of others' presets: where it is, and how files get into it."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from archdsl.backends.atomic_write import make_folder
from archdsl.diagnostics.problems import ArchError, fail
from archdsl.diagnostics.wording import first_line
from archdsl.frontend.presets import PresetInfo
from archdsl.models.hub.download import MAX_BYTES, Refused, download, refusals

KAGGLE = "kaggle://"
_KAGGLE_SITE = "https://www.kaggle.com/models/"
_KAGGLE_WEIGHTS = "model.weights.h5"
_HANDLE = re.compile(r"kaggle://(?P<model>(?:[A-Za-z0-9_][\w.-]*/){3}[A-Za-z0-9_][\w.-]*)(?:/(?P<version>[0-9]+))?")
_ANY_FILE_BYTES = 8 << 20
_OTHER_CACHE = "ARCHDSL_CACHE=FOLDER names another folder"

Sources = Mapping[str, Callable[[], Path]]
"""Addresses, in the order to try them, and what gets the file from there."""


def cache_folder() -> Path:
    """What ARCHDSL_CACHE names, else the platform's folder for such files. It need not be there yet."""
    named = os.environ.get("ARCHDSL_CACHE")
    if named:
        path = Path(named)
        with suppress(RuntimeError):  # ~somebody, who does not exist
            path = path.expanduser()
        return path.absolute()
    from platformdirs import user_cache_path

    return user_cache_path("archdsl", appauthor=False)


def trained_weights(info: PresetInfo) -> Path:
    """The file with the trained weights of a preset that has some: on this machine, or else downloaded now.

    Looked for in the cache, in kagglehub's, at Kaggle if kagglehub is installed, at the published address. Raises
    ArchError, within a second where there is no network, that says how to get the file by hand.
    """
    url, handle = str(info.weights_url), info.kaggle_handle or ""
    path = cache_folder() / info.name / PurePosixPath(urlsplit(url).path).name
    damage = _damage(path, info) if path.is_file() else ""
    if path.is_file() and not damage:
        return path
    if damage:
        warnings.warn(f"{path}: {damage}; it is not used", stacklevel=4)
    kept = _in_kagglehub(handle, _KAGGLE_WEIGHTS)
    if kept:
        return kept

    def fetch() -> Path:
        make_folder(path.parent, _OTHER_CACHE)
        sha256, size, most = info.weights_sha256, info.weights_size, most_bytes(info)
        download(url, path, sha256=sha256, size=size, most=most, hint=_OTHER_CACHE)
        return path

    try:
        return _first_of({**_kagglehub(handle, _KAGGLE_WEIGHTS), url: fetch})
    except Refused as refused:
        hint = f"by hand: curl --create-dirs -fLo '{path}' {url}; load_weights=False starts from fresh weights"
        what = f"the trained weights of '{info.name}'"
        raise _unavailable(what, path, f"{url}{_checks(info)}", str(refused), hint) from None


def most_bytes(info: PresetInfo) -> int:
    """The most that its weights file can have: twice its parameters in 32 bits, and room for the structure of HDF5."""
    return MAX_BYTES if info.params is None else 2 * 4 * info.params + _ANY_FILE_BYTES


def kaggle_file(handle: str, name: str) -> Path:
    """A file of somebody's preset at Kaggle: on this machine, or else downloaded now by kagglehub.

    `handle` is kaggle://OWNER/MODEL/FRAMEWORK/VARIATION[/VERSION]. Raises ArchError for any other, and, within a
    second where there is no network, one that says how to get the file by hand.
    """
    found = _HANDLE.fullmatch(handle)
    if not found:
        hint = "such as kaggle://keras/yolov8/keras/yolo_v8_s_backbone_coco/2"
        message = f"'{handle}' is not a handle; expected kaggle://OWNER/MODEL/FRAMEWORK/VARIATION[/VERSION]"
        raise fail("unknown-preset", message, hint=hint)
    body = handle.removeprefix(KAGGLE)
    path = cache_folder() / "kaggle" / body / name
    if path.is_file():
        return path
    kept = _in_kagglehub(handle, name)
    if kept:
        return kept
    try:
        return _first_of(_kagglehub(handle, name))
    except Refused as refused:
        hint = (
            "by hand: download the preset from there and put its files in that folder, or give from_preset any folder"
        )
        raise _unavailable(f"the files of {handle}", path, _KAGGLE_SITE + body, str(refused), hint) from None


def _first_of(sources: Sources) -> Path:
    """The file from the first source that gives it. Raises Refused with every source's reason."""
    reasons = refusals(sources)
    for address, get in sources.items():
        if not reasons[address]:
            try:
                return get()
            except Refused as refused:
                reasons[address] = str(refused)
    each = [f"{urlsplit(address).netloc}: {reason}" for address, reason in reasons.items()]
    raise Refused("; ".join(each) or "that takes the package kagglehub, which is not installed")


def _kagglehub(handle: str, name: str) -> Sources:
    """Kaggle as a source, when kagglehub is installed. Importing it takes a while, so that comes last."""

    def get() -> Path:
        try:
            return Path(importlib.import_module("kagglehub").model_download(handle.removeprefix(KAGGLE), name))
        except Exception as error:  # of whatever it is made of: requests, the file system, its own
            raise Refused(f"{type(error).__name__}: {first_line(error)}") from None

    is_installed = handle.startswith(KAGGLE) and importlib.util.find_spec("kagglehub") is not None
    return {_KAGGLE_SITE: get} if is_installed else {}


def _in_kagglehub(handle: str, name: str) -> Path | None:
    """A file that kagglehub has marked as downloaded whole. Without a version, the newest."""
    found = _HANDLE.fullmatch(handle)
    if not found:
        return None
    home = os.environ.get("KAGGLEHUB_CACHE") or Path.home() / ".cache" / "kagglehub"
    folder = Path(home, "models", found["model"])
    for version in [found["version"]] if found["version"] else _versions(folder):
        marks = folder / f"{version}.complete", folder / ".complete" / version / f"{name}.complete"
        path = folder / version / name
        if path.is_file() and any(mark.is_file() for mark in marks):
            return path
    return None


def _versions(folder: Path) -> Iterator[str]:
    numbers = [int(path.name) for path in folder.glob("*") if path.name.isdecimal()]
    return map(str, sorted(numbers, reverse=True))


def _damage(path: Path, info: PresetInfo) -> str:
    """The fault of a file in the cache; empty for the published file, as far as that is known."""
    try:
        size = path.stat().st_size
        if info.weights_size not in (None, size):
            return f"the file has {size} bytes, expected {info.weights_size}"
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        return f"the file cannot be read: {error.strerror}"
    return "" if info.weights_sha256 in (None, sha256) else f"the file has sha256 {sha256}, not the published one"


def _checks(info: PresetInfo) -> str:
    known = [f"{info.weights_size} bytes"] if info.weights_size is not None else []
    known += [f"sha256 {info.weights_sha256}"] if info.weights_sha256 else []
    return f" ({', '.join(known)})" if known else ""


def _unavailable(what: str, path: Path, address: str, reason: str, hint: str) -> ArchError:
    message = (
        f"{what} are not on this machine and cannot be downloaded ({reason}); "
        f"{path.name} from {address} would be put in {path.parent}"
    )
    return fail("unavailable", message, hint=hint)
