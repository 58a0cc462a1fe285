"""Blocks from outside the package: a user's file, a module, an installed distribution. Never asked for by a config."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from archdsl.diagnostics.problems import ArchError, Mark, fail
from archdsl.diagnostics.texts import text_of

Plugin = str | os.PathLike[str]
"""The path of a Python file, or the name of a module; importing it registers its blocks."""

_INSTALLED = {"site-packages", "dist-packages"}


def load_plugins(plugins: Sequence[Plugin]) -> None:
    """Import every plugin once. Raises ArchError when there is none, or importing it fails."""
    for plugin in plugins:
        text = os.fspath(plugin)
        try:
            if is_file(text):
                _import_file(Path(text))
            else:
                importlib.import_module(text)
        except ArchError:
            raise
        except Exception as error:  # whatever the user's code raises
            message = f"importing the plugin fails: {type(error).__name__}: {error}"
            raise fail("plugin", message, mark=Mark(text)) from error


def is_file(plugin: str) -> bool:
    """Whether a plugin is the path of a file."""
    return plugin.endswith(".py") or os.sep in plugin


def code_of(text: str) -> list[str]:
    """The texts of the files with blocks from outside the package that `text` names, and with those named in these.

    What such a file imports from beside it, or from its own package, is part of it.
    """
    from archdsl.blocks.registry import foreign_blocks  # which a command without a config does not need

    blocks = [(name, made.file) for name, made in foreign_blocks().items()]
    texts: dict[str, str] = {}

    def follow(text: str, named: list[tuple[str, str]]) -> None:
        words = {*re.findall(r"\w+", text)}
        for name, file in named:
            if name in words and file not in texts:
                texts[file] = text_of(file)
                follow(texts[file], [*blocks, *_beside(Path(file))])

    follow(text, blocks)
    return sorted(texts.values())


def _beside(file: Path) -> list[tuple[str, str]]:
    """Names and files of the imported modules of its package, or of its folder where it is in none."""
    folder = file.parent
    while (folder.parent / "__init__.py").is_file():
        folder = folder.parent
    found = []
    for name, module in [*sys.modules.items()]:
        whole, _, last = name.rpartition(".")
        path = Path(getattr(module, "__file__", None) or "")
        is_foreign = (whole or last).partition(".")[0] not in {*sys.stdlib_module_names, "archdsl"}
        if is_foreign and path.is_relative_to(folder) and not _INSTALLED & {*path.relative_to(folder.parent).parts}:
            found.append((last, str(path)))
    return found


def _import_file(path: Path) -> None:
    if not path.is_file():
        raise fail("missing-file", "there is no such plugin file", mark=Mark(str(path)))
    name = f"archdsl_plugin_{path.resolve().as_posix().replace('/', '_').replace('.', '_')}"
    if name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise fail("plugin", "not a Python file", mark=Mark(str(path)))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # as an import does, so that its annotations can be looked up
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
