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


def load_plugins(plugins: Sequence[Plugin]) -> None:
    """Import every plugin once. Raises ArchError when there is none, or importing it fails."""
    for plugin in plugins:
        text = os.fspath(plugin)
        is_file = text.endswith(".py") or os.sep in text
        try:
            if is_file:
                _import_file(Path(text))
            else:
                importlib.import_module(text)
        except ArchError:
            raise
        except Exception as error:  # whatever the user's code raises
            message = f"importing the plugin fails: {type(error).__name__}: {error}"
            raise fail("plugin", message, mark=Mark(text)) from error


def code_of(text: str) -> list[str]:
    """The texts of the files with blocks from outside the package that `text` names, and with those named in these."""
    from archdsl.blocks.registry import foreign_blocks  # which a command without a config does not need

    blocks, texts = foreign_blocks(), [text]
    for each in texts:  # which grows
        for name in sorted(blocks.keys() & {*re.findall(r"\w+", each)}):
            found = text_of(blocks.pop(name).file)
            if found not in texts:
                texts.append(found)
    return sorted(texts[1:])


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
