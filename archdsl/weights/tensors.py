"""Our own weights files: safetensors by node name, with the config that they belong to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy
import safetensors
from safetensors.numpy import save_file

from archdsl.carried import metadata
from archdsl.weights.hdf5 import DamagedFile
from archdsl.weights.stored import Contents, Stored, StoredArray

if TYPE_CHECKING:
    from archdsl.emit import Backbone

_DTYPES = {"F32": "float32"}  # what `write` writes


def write(model: Backbone, path: Path) -> None:
    """Write every array as float32 under "node/array", and the model's config beside them."""
    layers = model.layers_by_node
    arrays = {
        f"{node.name}/{weight.name}": numpy.ascontiguousarray(value, "float32")
        for node in model.graph.nodes
        if node.weights
        for weight, value in zip(node.weights, layers[node.name].get_weights(), strict=True)
    }
    try:
        save_file(arrays, path, metadata(model.config, model.passes))
    except safetensors.SafetensorError as error:  # a full disk comes as this too
        raise OSError(str(error)) from None


@contextmanager
def opened(path: Path) -> Iterator[Contents]:
    """The layers of a safetensors file, whose arrays can be read inside the block. Raises DamagedFile."""
    try:
        with safetensors.safe_open(path, "np") as file:
            layers: dict[str, dict[str, StoredArray]] = {}
            for name in file.keys():  # noqa: SIM118  (it is no dict)
                node, _, role = name.rpartition("/")
                layers.setdefault(node, {})[role] = _array(file, name)
            yield Contents("nodes", tuple([Stored(node, node, arrays) for node, arrays in layers.items()]))
    except safetensors.SafetensorError as error:
        raise DamagedFile(f"no whole safetensors file: {error}") from None


def _array(file: safetensors.safe_open, name: str) -> StoredArray:
    part = file.get_slice(name)  # type: ignore[no-untyped-call]
    dtype = part.get_dtype()
    return StoredArray(tuple(part.get_shape()), _DTYPES.get(dtype, dtype), partial(file.get_tensor, name))
