"""Models: archdsl's Backbone, keras_cv's classes by their names, and where trained weights come from.

Importing this package imports no Keras; asking for a class does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archdsl.models.keras_cv import *  # noqa: F403


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module 'archdsl.models' has no attribute '{name}'")
    import archdsl.models.keras_cv as classes

    return getattr(classes, name)
