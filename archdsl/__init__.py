"""Vision backbones as YAML: costs in milliseconds, errors with a place, Keras 3 models.

Importing archdsl imports neither Keras nor TensorFlow; building a model does.
"""

import importlib
from typing import TYPE_CHECKING, Any

from archdsl import weights
from archdsl.api import analyze, build_from_config, compile_config, from_preset
from archdsl.errors import ArchError, Problem
from archdsl.presets import PresetInfo, list_presets
from archdsl.registry import block

if TYPE_CHECKING:
    from archdsl import models as models
    from archdsl.emit import Backbone as Backbone
    from archdsl.fusion import fuse as fuse

__version__ = "0.1.0"

__all__ = [
    "ArchError",
    "PresetInfo",
    "Problem",
    "analyze",
    "block",
    "build_from_config",
    "compile_config",
    "from_preset",
    "list_presets",
    "weights",
]


def __getattr__(name: str) -> Any:
    """`Backbone`, `fuse` and `models` need Keras, so that it is imported when they are asked for."""
    if name == "Backbone":
        return importlib.import_module("archdsl.emit").Backbone
    if name == "fuse":
        return importlib.import_module("archdsl.fusion").fuse
    if name == "models":
        return importlib.import_module("archdsl.models")
    raise AttributeError(f"module 'archdsl' has no attribute '{name}'")
