"""Keras's HDF5 files → their layers. Nothing outside the file is followed, and no array is read that is not asked for.

Two layouts: arrays under the path that leads to their layer (`layers/conv2d_3/vars/0`), and the older list of layer
names (`layer_names`, `weight_names`), which Keras 2 and `model.save("model.h5")` write.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import h5py

from archdsl.weights.stored import Contents, Stored, StoredArray

MAX_OBJECTS = 100_000
MAX_DEPTH = 16
TRAINING_STATE = ("optimizer", "metrics")  # what Keras saves of a compiled model beside its layers
_ALIASES = {"depthwise_kernel": "kernel"}  # Keras 2's name


class DamagedFile(ValueError):
    """An HDF5 file that is not what Keras writes: the fact."""


@contextmanager
def opened(file: Path | BinaryIO) -> Iterator[Contents]:
    """The layers of an HDF5 file, whose arrays can be read inside the block. Raises DamagedFile."""
    with _damage_told():
        root = h5py.File(file, "r")
    with root:
        with _damage_told():
            contents = _contents(root)
        yield contents


@contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except DamagedFile:
        raise
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:  # h5py raises any of these
        first = str(error).strip("'\" \n").partition("\n")[0]
        raise DamagedFile(f"damaged or cut short: {first}") from None


def _contents(root: h5py.File) -> Contents:
    listed = _child(root, "model_weights") if "model_weights" in root else root
    if any(name.startswith("layer_names") for name in listed.attrs):
        return Contents("listed", tuple(_listed_layers(listed)))
    return Contents("paths", tuple(_layers_by_path(root)))


# Arrays under paths


def _layers_by_path(root: h5py.File) -> Iterator[Stored]:
    found = {path: group for path, *group in _groups(root) if path.partition("/")[0] not in TRAINING_STATE}
    names = {_place(path): _name(group) for path, (group, _) in found.items() if path.endswith("vars")}
    for path, (_, arrays) in found.items():
        if arrays:
            place = _place(path)
            owner, inner = _split(place)
            name = "/".join(filter(None, (names.get(owner), inner))) if names.get(owner) else ""
            yield Stored(place, name, arrays, names.get(place, "") if inner else "")


def _place(path: str) -> str:
    """The layer whose arrays are under `path`."""
    return path.removesuffix("vars").strip("/")


def _split(place: str) -> tuple[str, str]:
    """Path of the layer of the model, and the path within it: layers/sequential_1, layers/conv2d."""
    parts = place.split("/")
    return "/".join(parts[:2]), "/".join(parts[2:])


def _groups(root: h5py.File) -> Iterator[tuple[str, h5py.Group, dict[str, StoredArray]]]:
    """Every group by its path, with its own arrays. A loop: a file may link a group into itself."""
    pending = [("", root)]
    count = 0
    while pending:
        path, group = pending.pop()
        count += len(group)
        if count > MAX_OBJECTS or path.count("/") > MAX_DEPTH:
            raise DamagedFile(f"more than {MAX_OBJECTS} entries, or nested deeper than {MAX_DEPTH}")
        children = {key: _child(group, key) for key in sorted(group, key=natural)}
        below = [(f"{path}/{key}".strip("/"), child) for key, child in children.items() if _is_group(child)]
        pending += reversed(below)
        yield path, group, {key: _array(child) for key, child in children.items() if not _is_group(child)}


def _is_group(child: Any) -> bool:
    return isinstance(child, h5py.Group)


def _name(group: h5py.Group) -> str:
    value = group.attrs["name"] if "name" in group.attrs and _is_small(group, "name") else ""
    return value if isinstance(value, str) else ""


# Arrays in a list


def _listed_layers(root: Any) -> Iterator[Stored]:
    """Layers with arrays, in the listed order; a layer made of several is told apart by the arrays' own prefixes."""
    number = count = 0
    for owner in _texts(root, "layer_names"):
        group = _descend(root, owner)
        sublayers: dict[str, dict[str, StoredArray]] = {}
        names = _texts(group, "weight_names")
        count += len(names)
        if count > MAX_OBJECTS:  # a list may name one layer a thousand times
            raise DamagedFile(f"its lists name more than {MAX_OBJECTS} arrays")
        for name in names:
            prefix, _, role = name.rpartition("/")
            role = role.partition(":")[0]
            sublayers.setdefault(prefix, {})[_ALIASES.get(role, role)] = _array(_descend(group, name))
        for index, (prefix, arrays) in enumerate(sublayers.items()):
            own = "" if len(sublayers) == 1 else f"/{index}"
            yield Stored(f"{number}{own}", f"{owner}{own}", arrays, prefix.rpartition("/")[2] if own else "")
        number += bool(sublayers)


def _descend(group: h5py.Group, path: str) -> Any:
    """What stands at `path`, each step of which is checked."""
    for step in path.split("/"):
        if not _is_group(group):
            raise DamagedFile(f"{group.name} is no group")
        group = _child(group, step)
    return group


def _texts(group: h5py.Group, name: str) -> list[str]:
    """A list of texts in an attribute, which Keras cuts into numbered ones where it is too long for HDF5."""
    keys = [name] if name in group.attrs else _numbered_attributes(group, name)
    found: list[str] = []
    for key in keys:
        if not _is_small(group, key):
            raise DamagedFile(f"its list '{key}' has more than {MAX_OBJECTS} entries")
        found += [text.decode() if isinstance(text, bytes) else str(text) for text in group.attrs[key]]
    return found


def _numbered_attributes(group: h5py.Group, name: str) -> list[str]:
    return sorted((key for key in group.attrs if re.fullmatch(rf"{name}\d+", key)), key=natural)


# Objects that may be trusted


def _child(group: h5py.Group, key: str) -> Any:
    """An object in the file itself. Raises DamagedFile for links to elsewhere, and for what does not exist."""
    if key not in group:
        raise DamagedFile(f"there is no '{key}' in {group.name}, or it is a link that leads nowhere")
    if group.id.links.get_info(key.encode()).type != h5py.h5l.TYPE_HARD:
        raise DamagedFile(f"'{key}' in {group.name} is a link; expected a part of the file itself")
    return group[key]


def _array(dataset: Any) -> StoredArray:
    if not isinstance(dataset, h5py.Dataset) or dataset.shape is None:
        raise DamagedFile(f"{dataset.name} is no array")
    storage = dataset.id.get_create_plist()
    if storage.get_layout() == h5py.h5d.VIRTUAL or storage.get_external_count():
        raise DamagedFile(f"{dataset.name} has its values in other files; expected them in this one")
    is_bfloat16 = dataset.dtype.kind == "V" and dataset.attrs.get("dtype") == "bfloat16"
    return StoredArray(dataset.shape, "bfloat16" if is_bfloat16 else dataset.dtype.name, partial(_read, dataset))


def _read(dataset: h5py.Dataset) -> Any:
    with _damage_told():
        return dataset[()]


def _is_small(group: h5py.Group, key: str) -> bool:
    """Whether an attribute can be read whole: it says its size before."""
    count = 1
    for side in group.attrs.get_id(key).shape or ():
        count *= side
    return count <= MAX_OBJECTS


def natural(name: str) -> tuple[str, int]:
    """Sorts conv2d_2 before conv2d_10, and 2 before 10."""
    kind = name.rstrip("0123456789")
    number = name[len(kind) :]
    return (kind, int(number or -1)) if len(number) < 10 else (name, -1)


def ascending(names: Iterable[str]) -> bool:
    """Whether names that Keras numbered come in the order it numbered them, each kind for itself."""
    last: dict[str, list[tuple[int, str]]] = {}
    for name in names:
        kind, numbers = re.sub(r"\d+", "#", name), [(len(digits), digits) for digits in re.findall(r"\d+", name)]
        if last.setdefault(kind, numbers) > numbers:
            return False
        last[kind] = numbers
    return True
