"""Weight files → a model, checked before anything is changed."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from archdsl.errors import Mark, fail
from archdsl.files import written_whole

if TYPE_CHECKING:
    from archdsl.emit import Backbone

_HDF5 = b"\x89HDF\r\n\x1a\n"


def load(model: Backbone, file: str | os.PathLike[str]) -> None:
    """Read a `.weights.h5` file that Keras wrote for the same architecture into `model`.

    Raises ArchError when the file is missing, of another kind, or for another architecture.
    """
    path = Path(file)
    mark = Mark(str(path))
    if not path.is_file():
        raise fail("missing-file", "there is no such weights file", mark=mark)
    with path.open("rb") as stream:
        magic = stream.read(len(_HDF5))
    if magic != _HDF5 or not path.name.endswith(".weights.h5"):
        raise fail("weights", "not a Keras weights file; expected HDF5 named *.weights.h5", mark=mark)
    before = model.get_weights()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras warns of every layer before it raises
            model.load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        model.set_weights(before)
        first = str(error).strip().partition("\n")[0]
        raise fail("weights", f"does not fit {model.name}: {first}", mark=mark) from None


def save(model: Backbone, file: str | os.PathLike[str]) -> None:
    """Write the weights of `model` to a `.weights.h5` file, whole or not at all."""
    path = Path(file)
    if not path.name.endswith(".weights.h5"):
        raise fail("weights", "a weights file is named *.weights.h5", mark=Mark(str(path)))
    with written_whole(path) as partial:
        model.save_weights(partial)
