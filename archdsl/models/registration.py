"""Registers archdsl's models with Keras once both are imported, in either order, so that their files load.

Keras has no hook for plugins: `keras.saving.load_model` knows a class only after the module that defines it was
imported, and that module imports Keras, which takes seconds that `import archdsl` must not. So a finder waits on
sys.meta_path until a program imports Keras: it finds nothing of its own, and takes itself away afterwards. In an
environment with ARCHDSL_KERAS_HOOK=0 it is not installed; then a program that loads files of archdsl's models without
making one imports `archdsl.models.keras_cv` first.
"""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

HOOK = "ARCHDSL_KERAS_HOOK"
_CLASSES = "archdsl.models.keras_cv"
# Modules that import Keras and that the registered classes import: they cannot be imported while one of these is.
_BELOW_THE_CLASSES = {"archdsl.backends.keras.emit", "archdsl.models.backbone"}


_BACKENDS = "set KERAS_BACKEND to tensorflow, jax or torch"


def register_with_keras() -> None:
    """Register now if Keras is imported, else when it is. Does not import it."""
    if "keras" in sys.modules:
        _register()
    elif os.environ.get(HOOK) != "0":
        sys.meta_path.insert(0, _AfterKeras())


def import_keras() -> None:
    """Import Keras with its backend, and register the models. Raises ArchError when there is no backend."""
    try:
        keras = importlib.import_module("keras")
        keras.ops.zeros(1)  # a backend may fail, and write what it has to say, only now
    except (ImportError, ValueError) as error:  # ValueError: KERAS_BACKEND names none that there is
        from archdsl.diagnostics.problems import fail

        hint = "pip install 'archdsl[tensorflow]'" if isinstance(error, ImportError) else _BACKENDS
        raise fail("no-backend", f"Keras cannot be used: {error}", hint=hint) from None
    importlib.import_module(_CLASSES)


def _register() -> None:
    if not _BELOW_THE_CLASSES & sys.modules.keys():
        importlib.import_module(_CLASSES)


class _AfterKeras:
    """A finder that leaves finding Keras to the others, and registers the models once it is imported."""

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
