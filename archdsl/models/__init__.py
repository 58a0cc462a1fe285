"""Models: archdsl's Backbone, keras_cv's classes by their names, and where trained weights come from.

Importing this package imports no Keras; asking for a class does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archdsl.models.registration import import_keras

if TYPE_CHECKING:
    from archdsl.models.detectors import *  # noqa: F403
    from archdsl.models.keras_cv import *  # noqa: F403


def __getattr__(name: str) -> Any:
    """A class of models. Other names are modules of this package, for which Keras is not imported.

    Raises ArchError when Keras has no backend.
    """
    if name[0].isupper():
        import_keras()
        from archdsl.models import detectors, keras_cv
        from archdsl.models.backbone import Backbone

        found = getattr(keras_cv, name, None) or getattr(detectors, name, None)
        if isinstance(found, type) and issubclass(found, Backbone):
            return found
    raise AttributeError(f"module 'archdsl.models' has no attribute '{name}'")
