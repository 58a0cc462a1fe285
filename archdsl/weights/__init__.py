"""Weights files, ours and others': everything in them is checked before a model is changed.

Importing this module imports neither Keras nor NumPy.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archdsl.backends.atomic_write import written_whole
from archdsl.diagnostics.problems import Mark, fail
from archdsl.frontend.yaml.embedded import SUFFIX

if TYPE_CHECKING:
    from archdsl.weights.model import Model
    from archdsl.weights.transfer import Transfer

__all__ = ["load", "save"]

KERAS_SUFFIX = ".weights.h5"


@dataclass(frozen=True)
class Published:
    """A weights file that must have a sha256 when it is loaded, wherever its path was passed on."""

    path: Path
    sha256: str

    def __fspath__(self) -> str:
        return str(self.path)


def load(
    model: Model,
    source: str | os.PathLike[str] | Any,
    *,
    partial: bool = False,
    classes: Sequence[str] = (),
    sha256: str | None = None,
) -> Transfer:
    """Read a weights file into `model`, or copy the weights of a Keras model; returns which layer came from where.

    A functional Keras model in memory, such as those of keras.applications, must have the same structure: what owns
    weights, with the shapes of its arrays, and where paths meet. Names do not count. `partial` takes the layers that
    are computed in the same way in both, and those that are used in the same way.

    Files of the same architecture that this library, Keras, or keras_cv wrote, under Keras 3 or Keras 2:
    `.safetensors`, `.weights.h5`, `.keras` (nothing of it is executed) and the older `.h5`; also those that
    keras.applications downloads, with and without classifier, for its architectures that are presets; and PyTorch's
    `.pt` and `.safetensors` of networks made of numbered modules, as YOLO's are (nothing of it is executed); of these
    `partial` takes the modules that fit a layer however the two networks are laid side by side. Of other networks of
    PyTorch, such as timm's and torchvision's, shapes and names tell which module is which layer. Darknet's `.weights`
    are read for what was imported from its .cfg, and for the presets of YOLOv3 and YOLOv4. `partial` takes
    the layers that fit by name and shape, and leaves the others as they are; of a detector or classifier those of its
    backbone (an `.h5` of one around a CSPDarkNet does not name them). A first convolution for another number of
    channels is kept: one channel gets the sum of its kernels, several get them in turn, times the quotient of the
    numbers. `classes` are the names of the model's classes in the order of its outputs: with `partial` each class that
    the file names too, as whole modules of YOLO do, gets its numbers, and the others stay fresh. `sha256` is required
    of the file: then the bytes that are checked are those that are read, whatever is written to the file meanwhile.

    Raises ArchError, and leaves the model as it was, when the file is missing, damaged, of another kind or another
    architecture, when its names and places contradict each other, or when it holds numbers that are not finite.
    """
    from archdsl.weights.loading import checked_model, load_into

    is_file = isinstance(source, (str, os.PathLike))
    if isinstance(classes, str) or (classes and not (partial and is_file)):
        raise fail("value", "`classes` is a list of names, and needs partial=True and a file")
    if not is_file:
        from archdsl.weights.counterpart import load_counterpart

        return load_counterpart(checked_model(model), source, partial, Mark(str(getattr(source, "name", source))))
    published = source.sha256 if isinstance(source, Published) else None
    return load_into(checked_model(model), source, partial, sha256 or published, classes)


def save(model: Model, file: str | os.PathLike[str], *, names: str | os.PathLike[str] = "archdsl") -> None:
    """Write the weights of `model`, whole or not at all: `.safetensors` with its config, or Keras's `.weights.h5`.

    `archdsl build` and `build_from_config` make the model again from a `.safetensors` file alone. With `names` "torch"
    it has PyTorch's names and axes instead, those of YOLO's checkpoints, and no config. `names` may also be a PyTorch
    checkpoint that `load` reads into the model, such as timm's or torchvision's: its names, axes and types are taken,
    and of its numbers those that are not weights, such as counts of batches.

    Raises ArchError for a checkpoint of another network, and for one in which norms are folded or branches merged.
    """
    path = Path(file)
    check_names(names)
    if names != "archdsl":
        from archdsl.weights.pytorch.export import write_torch

        if path.suffix != SUFFIX:
            raise fail("weights", f"a weights file with PyTorch's names is named *{SUFFIX}", mark=Mark(str(path)))
        with written_whole(path) as partial:
            write_torch(model, partial, None if names == "torch" else Path(names))
    elif path.suffix == SUFFIX:
        from archdsl.weights.formats.safetensors import write

        with written_whole(path) as partial:
            write(model, partial)
    elif path.name.endswith(KERAS_SUFFIX):
        with written_whole(path) as partial:
            model.save_weights(partial)
    else:
        message = f"a weights file is named *{SUFFIX} or *{KERAS_SUFFIX}"
        raise fail("weights", message, mark=Mark(str(path)))


def check_names(names: str | os.PathLike[str]) -> None:
    """Raise ArchError unless these are names that `save` knows, or a file that may have them."""
    is_path = isinstance(names, (str, os.PathLike))
    if names not in ("archdsl", "torch") and not (is_path and os.path.isfile(names)):  # noqa: PTH113  (it never raises)
        message = f"names='{str(names)[:200]}'; expected 'archdsl', 'torch', or a PyTorch checkpoint that has the names"
        raise fail("value", message)
