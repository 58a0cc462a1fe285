"""Vision networks as YAML: costs without a framework, errors with a place, Keras 3 models.

Everything is imported when it is first asked for. Neither Keras nor TensorFlow is, before a model is built.
"""

# ruff: noqa: E402
import os
import sys

# While Python looks for what `-m` names, argv begins so, and the current folder comes before all that is installed.
# What a folder holds is data: its modules, its entry points and its hydra_plugins are not imported.
_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 (pathlib could be its)
if sys.argv[:1] == ["-m"] and not sys.flags.safe_path and sys.path[0] != _FOLDER:
    del sys.path[0]

from typing import TYPE_CHECKING

from archdsl.lazy import lazy
from archdsl.models.registration import register_with_keras

if TYPE_CHECKING:
    from archdsl import models as models
    from archdsl import weights as weights
    from archdsl.api import analyze as analyze
    from archdsl.api import build_from_config as build_from_config
    from archdsl.api import compile_config as compile_config
    from archdsl.api import export as export
    from archdsl.api import from_preset as from_preset
    from archdsl.backends.keras.layer_block import keras_layer as keras_layer
    from archdsl.blocks.registry import block as block
    from archdsl.diagnostics.problems import ArchError as ArchError
    from archdsl.diagnostics.problems import Problem as Problem
    from archdsl.frontend.budget import Budget as Budget
    from archdsl.frontend.presets import PresetInfo as PresetInfo
    from archdsl.frontend.presets import list_presets as list_presets
    from archdsl.frontend.yaml.files import ConfigText as ConfigText
    from archdsl.models.backbone import Backbone as Backbone
    from archdsl.models.detections import detections as detections
    from archdsl.models.fuse import fuse as fuse
    from archdsl.models.keras_config import config_of as config_of
    from archdsl.models.letterbox import letterbox as letterbox

__version__ = "0.1.0"

register_with_keras()

__all__ = [
    "ArchError",
    "Budget",
    "ConfigText",
    "PresetInfo",
    "Problem",
    "analyze",
    "block",
    "build_from_config",
    "compile_config",
    "config_of",
    "detections",
    "export",
    "from_preset",
    "keras_layer",
    "letterbox",
    "list_presets",
    "weights",
]

__getattr__, __dir__ = lazy(
    __name__,
    {
        ".api": "analyze build_from_config compile_config export from_preset",
        ".backends.keras.layer_block": "keras_layer",
        ".blocks.registry": "block",
        ".diagnostics.problems": "ArchError Problem",
        ".frontend.budget": "Budget",
        ".frontend.presets": "PresetInfo list_presets",
        ".frontend.yaml.files": "ConfigText",
        ".models": "Backbone models",
        ".models.detections": "detections",
        ".models.fuse": "fuse",
        ".models.keras_config": "config_of",
        ".models.letterbox": "letterbox",
        ".weights": "weights",
    },
)
