"""Keras's HDF5 files → their layers. Nothing outside the file is followed, and no array is read that is not asked for.

Two layouts: arrays under the path that leads to their layer (`layers/conv2d_3/vars/0`), and the older list of layer
names (`layer_names`, `weight_names`), which Keras 2 and `model.save("model.h5")` write.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial, reduce
from itertools import groupby
from typing import TYPE_CHECKING, BinaryIO

import numpy

from archdsl.weights.formats.contents import Contents, DamagedFile, Stored, StoredArray
from archdsl.weights.formats.hdf5_file import File, Object
from archdsl.weights.formats.hdf5_index import Broken

if TYPE_CHECKING:
    from archdsl.weights.formats.contents import Array

MAX_OBJECTS = 100_000
MAX_DEPTH = 16
TRAINING_STATE = ("optimizer", "metrics")  # what Keras saves of a compiled model beside its layers
_ALIASES = {"depthwise_kernel": "kernel"}  # Keras 2's name
_DTYPES = {  # as NumPy writes them; bfloat16, which it does not have, is kept as bytes
    "float16": "f2",
    "bfloat16": "V2",
    "float32": "f4",
    "float64": "f8",
    **{f"{name}{8 * size}": f"{name[0]}{size}" for name in ("int", "uint") for size in (1, 2, 4, 8)},
}


def contents_of(stream: BinaryIO) -> Contents:
    """The layers of an HDF5 file, whose arrays can be read while `stream` is open. Raises DamagedFile."""
    with _damage_told():
        root = File(stream).root
        listed = _child(root, "model_weights") if "model_weights" in root.links else root
        if any(name.startswith("layer_names") for name in listed.attributes):
            layers = tuple(_listed_layers(listed))
            return Contents("listed", layers, partial(_models_listed, layers))
        return Contents("paths", tuple(_layers_by_path(root)), partial(_models_inside, root))


def text_of(stream: BinaryIO, name: str, most: int) -> str | None:
    """The text beside a whole file, of at most so many bytes; None if it has none. Raises DamagedFile."""
    with _damage_told():
        root = File(stream).root
        found = root.attributes.get(name)
        return "".join(found.texts(root.file, most)) if found else None


@contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except DamagedFile:
        raise
    except (LookupError, ValueError, OverflowError, struct.error):
        raise Broken("a description makes no sense") from None


# Arrays under paths


def _layers_by_path(root: Object) -> Iterator[Stored]:
    found = [each for each in _groups(root) if each[0].partition("/")[0] not in TRAINING_STATE]
    names = {_place(path): _name(group) for path, group, _ in found if path.endswith("vars")}
    for path, _, arrays in found:
        if arrays:
            place = _place(path)
            parts = place.split("/")  # of the layer of the model, and within it: layers/sequential_1, layers/conv2d
            owner, inner = "/".join(parts[:2]), "/".join(parts[2:])
            name = "/".join(filter(None, (names.get(owner), inner))) if names.get(owner) else ""
            yield Stored(place, name, arrays, names.get(place, "") if inner else "")


def _models_inside(root: Object) -> dict[str, Contents]:
    """The layers of each model that is a layer of the model, as the backbone of a detector is."""
    with _damage_told():
        layers = _child(root, "layers") if "layers" in root.links else root
        groups = {f"layers/{key}": _child(layers, key) for key in layers.links}
        inside = {place: group for place, group in groups.items() if group.is_group and "layers" in group.links}
        return {place: Contents("paths", tuple(_layers_by_path(group))) for place, group in inside.items()}


def _place(path: str) -> str:
    """The layer whose arrays are under `path`."""
    return path.removesuffix("vars").strip("/")


def _groups(root: Object) -> Iterator[tuple[str, Object, dict[str, StoredArray]]]:
    """Every group by its path, with its own arrays. A loop: a file may link a group into itself."""
    pending = [("", root)]
    count = 0
    while pending:
        path, group = pending.pop()
        count += len(group.links)
        if count > MAX_OBJECTS or path.count("/") > MAX_DEPTH:
            raise DamagedFile(f"more than {MAX_OBJECTS} entries, or nested deeper than {MAX_DEPTH}")
        children = {key: _child(group, key) for key in sorted(group.links, key=natural)}
        below = [(f"{path}/{key}".strip("/"), child) for key, child in children.items() if child.is_group]
        pending += reversed(below)
        yield path, group, {key: _array(child, key) for key, child in children.items() if not child.is_group}


def _name(group: Object) -> str:
    """The group's `name` attribute; empty if that is not one text."""
    stated = group.attributes.get("name")
    return "".join(stated.texts(group.file)) if stated and not stated.shape and "text" in stated.type.kind else ""


# Arrays in a list


def _listed_layers(root: Object) -> Iterator[Stored]:
    """Layers with arrays, in the listed order; a layer made of several is told apart by the arrays' own prefixes."""
    number = count = 0
    for owner in _texts(root, "layer_names"):
        group = _descend(root, owner)
        sublayers: dict[str, dict[str, StoredArray]] = {}
        for name in _texts(group, "weight_names"):
            count += 1
            if count > MAX_OBJECTS:
                raise DamagedFile(f"it lists more than {MAX_OBJECTS} arrays")
            prefix, _, role = name.rpartition("/")
            role = role.partition(":")[0]
            sublayers.setdefault(prefix, {})[_ALIASES.get(role, role)] = _array(_descend(group, name), name)
        for index, (prefix, arrays) in enumerate(sublayers.items()):
            own = "" if len(sublayers) == 1 else f"/{index}"
            yield Stored(f"{number}{own}", f"{owner}{own}", arrays, prefix.rpartition("/")[2] if own else "")
        number += bool(sublayers)


def _models_listed(layers: Iterable[Stored]) -> dict[str, Contents]:
    """The layers of each layer that is made of several, which are those of a model if it is one."""
    inside = groupby((each for each in layers if each.sublayer), key=lambda each: each.place.partition("/")[0])
    return {
        place: Contents(
            "listed", tuple(Stored(f"{index}", each.sublayer, each.arrays) for index, each in enumerate(found))
        )
        for place, found in inside
    }


def _descend(group: Object, path: str) -> Object:
    """The object at `path`, each step of which is checked."""
    return reduce(_child, path.split("/"), group)


def _texts(group: Object, name: str) -> list[str]:
    """A list of texts in an attribute, which Keras cuts into numbered ones where it is too long for HDF5."""
    keys = sorted([key for key in group.attributes if re.fullmatch(rf"{name}\d*", key)], key=natural)
    return [text for key in keys for text in group.attributes[key].texts(group.file)]


# Objects that may be trusted


def _child(group: Object, key: str) -> Object:
    """An object in the file itself. Raises DamagedFile for links to elsewhere, and for what does not exist."""
    if key not in group.links:
        raise DamagedFile(f"there is no '{key}' in a group that should have it")
    address = group.links[key]
    if address is None:
        raise DamagedFile(f"'{key}' is a link; expected a part of the file itself")
    return group.file.object(address)


def _array(found: Object, name: str) -> StoredArray:
    if not found.is_array:
        raise DamagedFile(f"'{name}' is not an array")
    if found.is_elsewhere:
        raise DamagedFile(f"'{name}' has its values in other files; expected them in this one")
    dtype = _dtype(found)
    return StoredArray(found.shape, dtype, partial(_read, found, dtype))


def _dtype(found: Object) -> str:
    """Name of the type; bfloat16, for which HDF5 had no type, is two bytes with a note beside."""
    if found.type.kind == "opaque" and found.type.size == 2 and "dtype" in found.attributes:
        return "bfloat16" if found.attributes["dtype"].texts(found.file) == ["bfloat16"] else "opaque"
    return found.type.kind


def _read(found: Object, kind: str) -> Array:
    """The values of an array of numbers; those of bfloat16 as two bytes each."""
    with _damage_told():
        order = "" if found.type.size == 1 or kind == "bfloat16" else found.type.order
        return numpy.frombuffer(found.values(), f"{order}{_DTYPES[kind]}").reshape(found.shape)


def natural(name: str) -> tuple[str, int]:
    """Sorts conv2d_2 before conv2d_10, and 2 before 10."""
    stem = name.rstrip("0123456789")
    digits = name[len(stem) :]
    return (stem, int(digits or -1)) if len(digits) < 10 else (name, -1)


def ascending(names: Iterable[str]) -> bool:
    """Whether names that Keras numbered come in the order it numbered them, each kind for itself."""
    last: dict[str, list[tuple[int, str]]] = {}
    for name in names:
        kind, numbers = re.sub(r"\d+", "#", name), [(len(digits), digits) for digits in re.findall(r"\d+", name)]
        if last.setdefault(kind, numbers) > numbers:
            return False
        last[kind] = numbers
    return True
