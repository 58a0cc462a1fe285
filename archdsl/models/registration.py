"""Keras knows archdsl's models as soon as both are imported, in either order, so that their files load."""

from __future__ import annotations

import importlib
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# Modules below the classes that import Keras: while one of them does, the classes cannot be imported.
_IMPORTING_KERAS = {"archdsl.backends.keras.emit", "archdsl.models.backbone"}


def register_with_keras() -> None:
    """Register now when Keras is there, else when it is imported. Imports no Keras itself."""
    if "keras" in sys.modules:
        _register()
    else:
        sys.meta_path.insert(0, _AfterKeras())


def _register() -> None:
    if not _IMPORTING_KERAS & sys.modules.keys():
        importlib.import_module("archdsl.models.keras_cv")


def import_keras() -> None:
    """Before `archdsl.models.backbone` is imported, so that all models are registered, and not only its own."""
    importlib.import_module("keras")


class _AfterKeras(MetaPathFinder):
    """Lets Keras be found as ever, and registers once it is loaded."""

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname != "keras":
            return None
        others = [finder for finder in sys.meta_path if finder is not self]
        spec = next((found for finder in others if (found := finder.find_spec(fullname, path, target))), None)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def load_and_register(module: ModuleType) -> None:
            load(module)
            if self in sys.meta_path:  # until now: many programs look whether Keras is there and do not load it
                sys.meta_path.remove(self)
            _register()

        spec.loader.exec_module = load_and_register  # type: ignore[method-assign]
        return spec
