"""The config that a .safetensors file carries: that of its model, as text, and the passes the model went through.

It is data: its header is read under a limit, and the config as strictly as any file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from archdsl.diagnostics.problems import Mark, fail
from archdsl.frontend.yaml.writing import yaml_document

SUFFIX = ".safetensors"
LANGUAGE = "1"
MAX_HEADER_BYTES = 1 << 24  # a tensor takes about 100
MAX_CONFIG_BYTES = 1 << 20  # as for a config file
MAX_PASSES_BYTES = 1000


class BadHeader(ValueError):
    """A .safetensors file that does not begin as one: the fact."""


class Carried(NamedTuple):
    """The resolved config as YAML, and names of the passes between its graph and the tensors'."""

    config: str
    passes: tuple[str, ...]


def metadata(config: Mapping[str, Any], passes: Iterable[str]) -> dict[str, str]:
    """The metadata to write into a .safetensors file."""
    text = yaml_document(dict(config))
    return {"archdsl": LANGUAGE, "config": text, "config_sha256": _sha256(text), "passes": ",".join(passes)}


def carried_by(path: Path) -> Carried:
    """The config in the file at `path`. Raises ArchError when it has none, or one that was changed afterwards."""
    mark = Mark(str(path))
    found = _metadata(path, mark)
    if not isinstance(found, dict) or not isinstance(found.get("config"), str):
        hint = "archdsl.weights.save writes the config too; else build a config and give this file as --weights"
        raise fail("no-config", "this file carries no config", mark=mark, hint=hint)
    text, version, passes = found["config"], str(found.get("archdsl"))[:20], str(found.get("passes", ""))
    if version != LANGUAGE:
        raise fail("version", f"written in version '{version}' of the language; expected '{LANGUAGE}'", mark=mark)
    for what, text_of, most in (("config", text, MAX_CONFIG_BYTES), ("passes", passes, MAX_PASSES_BYTES)):
        if len(text_of) > most:
            raise fail("limit", f"its {what} has {len(text_of)} characters; expected at most {most}", mark=mark)
    if found.get("config_sha256") != _sha256(text):
        message = "its config does not have the sha256 that the file gives"
        raise fail("checksum", message, mark=mark, hint="the config was changed after the file was written")
    return Carried(text, tuple(filter(None, passes.split(","))))


def _metadata(path: Path, mark: Mark) -> Any:
    try:
        with path.open("rb") as stream:
            return header_of(stream).get("__metadata__")
    except OSError as error:
        raise fail("unreadable", f"cannot be read: {error.strerror}", mark=mark) from None
    except BadHeader as error:
        raise fail("weights", f"not a safetensors file: {error}", mark=mark) from None


def header_of(stream: BinaryIO) -> dict[str, Any]:
    """The header of the file; `stream` is at the tensors afterwards. Raises BadHeader."""
    length = int.from_bytes(stream.read(8), "little")
    if length > MAX_HEADER_BYTES:
        raise BadHeader(f"a header of {length} bytes; expected at most {MAX_HEADER_BYTES}")
    text = stream.read(length)
    if len(text) < max(length, 2):
        raise BadHeader("it ends within its header")
    import json  # only such a file needs it, and `archdsl show` is to start fast

    try:
        header = json.loads(text, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict):
        raise BadHeader("no header of JSON")
    return header


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name appears twice")
    return found


def _sha256(text: str) -> str:
    import hashlib  # as json above

    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
