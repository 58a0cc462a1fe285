"""Decides which YAML texts are archdsl configs: those that are marked, never all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from archdsl.frontend.compose.search_path import config_root

_SAYS_SO = re.compile(r"#\s*archdsl\s*$|#\s*yaml-language-server:\s*\$schema=\S*\b(?:archdsl|group)\.schema\.json\s*$")
_SUFFIXES = (".arch.yaml", ".arch.yml")
_HEAD = 20  # lines
_WILD = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


class Claims:
    """`globs` is the setting `archdsl.files`: paths of configs, relative to the open `folders`."""

    def __init__(self, folders: Sequence[Path] = (), globs: Iterable[str] = ()):
        self.folders = tuple(folders)
        self._patterns = [_pattern(glob) for glob in globs if isinstance(glob, str)]

    def takes(self, name: str, text: str) -> bool:
        """Whether the text under this name, a path or a URI, is a config."""
        return name.endswith(_SUFFIXES) or _says_so(text) or self._is_set(Path(name))

    def _is_set(self, path: Path) -> bool:
        if path.is_relative_to(config_root()):
            return True
        names = [path.relative_to(folder).as_posix() for folder in self.folders if path.is_relative_to(folder)]
        return any(pattern.fullmatch(name) for pattern in self._patterns for name in [*names, path.as_posix()])


def _says_so(text: str) -> bool:
    """Whether a comment before anything else marks the text as a config."""
    lines = islice(re.finditer(r".*", text[:10_000]), 2 * _HEAD)
    for line in (found[0].strip().lstrip("\ufeff") for found in lines):
        if _SAYS_SO.match(line):
            return True
        if line and not line.startswith("#"):
            return False
    return False


def _pattern(glob: str) -> re.Pattern[str]:
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", glob.removeprefix("./"))
    return re.compile("".join(_WILD.get(piece) or re.escape(piece) for piece in pieces))
