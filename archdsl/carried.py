"""What a .safetensors file says of itself: the config of its model, as text, and the passes it went through.

It is data: its header is read under a limit, and the config as strictly as any file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from archdsl.errors import ArchError, Mark, fail

SUFFIX = ".safetensors"
LANGUAGE = "1"
MAX_HEADER_BYTES = 1 << 24  # a tensor takes about 100
MAX_CONFIG_BYTES = 1 << 20  # as for a config file


class Carried(NamedTuple):
    """The resolved config as YAML, and names of the passes between its graph and the tensors'."""

    config: str
    passes: tuple[str, ...]


def metadata(config: Mapping[str, Any], passes: Iterable[str]) -> dict[str, str]:
    """What a file says of a model with this resolved config."""
    text = yaml.safe_dump(dict(config), sort_keys=False, default_flow_style=None, width=120)
    return {"archdsl": LANGUAGE, "config": text, "config_sha256": _sha256(text), "passes": ",".join(passes)}


def carried_by(path: Path) -> Carried:
    """What the file at `path` says. Raises ArchError when it has no config, or one that was changed afterwards."""
    mark = Mark(str(path))
    found = _metadata(path, mark)
    if not isinstance(found, dict) or not isinstance(found.get("config"), str):
        hint = "archdsl.weights.save writes the config too; else build a config and give this file as --weights"
        raise fail("no-config", "this file carries no config", mark=mark, hint=hint)
    text, version, passes = found["config"], found.get("archdsl"), found.get("passes", "")
    if version != LANGUAGE:
        raise fail("version", f"written in version {version!r} of the language; expected '{LANGUAGE}'", mark=mark)
    if len(text) > MAX_CONFIG_BYTES:
        raise fail("limit", f"its config has {len(text)} characters, at most {MAX_CONFIG_BYTES} may be", mark=mark)
    if found.get("config_sha256") != _sha256(text):
        message = f"its config does not have the sha256 {found.get('config_sha256')!r} that the file states"
        raise fail("checksum", message, mark=mark, hint="the config was changed after the file was written")
    return Carried(text, tuple(filter(None, str(passes).split(","))))


def _metadata(path: Path, mark: Mark) -> Any:
    try:
        return json.loads(_header(path, mark)).get("__metadata__")
    except OSError as error:
        raise fail("unreadable", f"cannot be read: {error.strerror}", mark=mark) from None
    except ArchError:
        raise
    except (ValueError, RecursionError, AttributeError):
        raise _not_safetensors(mark) from None


def _header(path: Path, mark: Mark) -> bytes:
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > MAX_HEADER_BYTES:
            raise _not_safetensors(mark, f"a header of {length} bytes; at most {MAX_HEADER_BYTES} may be")
        header = stream.read(length)
    if len(header) < max(length, 2):
        raise _not_safetensors(mark, "it ends within its header")
    return header


def _not_safetensors(mark: Mark, fact: str = "no header of JSON") -> ArchError:
    return fail("weights", f"not a safetensors file: {fact}", mark=mark)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
