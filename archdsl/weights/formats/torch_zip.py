"""PyTorch's checkpoints → their layers, without PyTorch: a zip archive of a pickle and of plain numbers.

The pickle is read as data. A state dict is its tensors by name; a whole module is walked into as PyTorch names them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy

from archdsl.weights.formats.archive import BadArchive, Stored, names_in, stored_in
from archdsl.weights.formats.contents import MAX_NAME, MAX_RANK, Contents, DamagedFile, Shape, StoredArray, short
from archdsl.weights.formats.contents import Stored as StoredLayer
from archdsl.weights.formats.pickle_data import BadPickle, Name, Record, read_pickle

if TYPE_CHECKING:
    from archdsl.weights.formats.contents import Array

PICKLE, PROGRAM = "data.pkl", "/constants.pkl"
MAX_PICKLE_BYTES = 1 << 24  # that of a network of a thousand layers has half of a mebibyte
MAX_MODULES = 100_000
MAX_DEPTH = 64
_DTYPES = {  # by the class of the storage; bfloat16, which NumPy does not have, is kept as two bytes
    "FloatStorage": ("float32", "<f4"),
    "DoubleStorage": ("float64", "<f8"),
    "HalfStorage": ("float16", "<f2"),
    "BFloat16Storage": ("bfloat16", "<u2"),
    "LongStorage": ("int64", "<i8"),
    "IntStorage": ("int32", "<i4"),
    "ShortStorage": ("int16", "<i2"),
    "CharStorage": ("int8", "i1"),
    "ByteStorage": ("uint8", "u1"),
    "BoolStorage": ("bool", "?"),
}
_MOST_READ = 1000  # modules in a row, and that one of them reads
_MOST_CLASSES = 65_536
_WHERE = ("ema", "model", "state_dict", "model_state_dict")  # of what trainers save; the averaged weights come first
_WRAPPERS = ("module.", "_orig_mod.")  # put around a model for training, one around the other


class Storage(NamedTuple):
    """Numbers of one type, in a member of the archive."""

    type: str
    key: str
    numbers: int


class Tensor(NamedTuple):
    """A view of a storage."""

    storage: Storage
    offset: int
    shape: Shape
    strides: tuple[int, ...]

    @property
    def extent(self) -> int:
        """How many elements of the storage it lies among, from the first to the last that it has."""
        steps = [(side - 1) * stride for side, stride in zip(self.shape, self.strides, strict=True)]
        return sum(steps) + 1 if prod(self.shape) else 0


def contents_of(stream: BinaryIO) -> Contents:
    """The layers of a checkpoint, whose arrays can be read while `stream` is open. Raises DamagedFile."""
    try:
        if any(name.endswith(PROGRAM) for name in names_in(stream)):  # its code is packed
            raise DamagedFile("a TorchScript file, which is a program; save the model's state_dict instead")
        members = stored_in(stream)
        root = _root(stream, members)
        found = read_pickle(_bytes(stream, members[root + PICKLE]), _KNOWN, _storage)
        model = _model_in(found)
        contents, reads = _contents(stream, members, root, _tensors(model)), _reads(model)
        modules = tuple(_in_row(model).values()) if reads else ()
        return contents._replace(reads=reads, modules=modules, classes=_classes(model, found))
    except (BadArchive, BadPickle) as error:
        raise DamagedFile(f"a damaged PyTorch file: {error}") from None


def _root(stream: BinaryIO, members: Mapping[str, Stored]) -> str:
    """The folder of everything, with a slash."""
    roots = [name.removesuffix(PICKLE) for name in members if name.endswith(f"/{PICKLE}")]
    if len(roots) != 1:
        raise BadArchive(f"it has {len(roots)} descriptions {PICKLE}; expected one")
    (root,) = roots
    order = members.get(f"{root}byteorder")
    if order and _bytes(stream, order) != b"little":
        raise DamagedFile("a PyTorch file of a big-endian machine; expected one of a little-endian machine")
    if members[root + PICKLE].size > MAX_PICKLE_BYTES:
        raise BadArchive(f"its description has {members[root + PICKLE].size} bytes; expected {MAX_PICKLE_BYTES}")
    return root


def _bytes(stream: BinaryIO, member: Stored, begin: int = 0, size: int | None = None) -> bytes:
    """Bytes of a member; those of the whole member are compared with its checksum."""
    stream.seek(member.begin + begin)
    size = member.size if size is None else size
    data = stream.read(size)
    if len(data) < size or (size == member.size and zlib.crc32(data) != member.crc):
        raise DamagedFile(f"a damaged PyTorch file: {member.name} does not have its checksum")
    return data


# What a pickle may name


def _storage(reference: Any) -> Storage:
    kind, made_of, key, _, count = reference
    is_storage = kind == "storage" and isinstance(made_of, Name) and isinstance(key, str) and len(key) <= MAX_NAME
    if not is_storage or not _is_count(count):
        raise BadPickle("its description refers to what is not a storage")
    return Storage(made_of.text.removeprefix("torch."), key, count)


def _tensor(arguments: Any) -> Tensor:
    storage, offset, shape, strides, *_ = arguments
    if not isinstance(storage, Storage) or type(shape) is not tuple or type(strides) is not tuple:
        raise TypeError
    if not len(shape) == len(strides) <= MAX_RANK or not all(map(_is_count, (offset, *shape, *strides))):
        raise BadPickle("a tensor with a shape or a place that is not one")
    made = Tensor(storage, offset, shape, strides)
    if offset + made.extent > storage.numbers or prod(shape) > storage.numbers:
        raise BadPickle(f"a tensor reaches beyond its storage of {storage.numbers} numbers")
    return made


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 48


_KNOWN = {
    "collections.OrderedDict": lambda arguments: {} if arguments == () else Record("collections.OrderedDict"),
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": lambda arguments: arguments[0],
    "torch.Size": lambda arguments: arguments[0],
}


# The model in what was saved


def _model_in(found: Any) -> Any:
    """The module or state dict among what a trainer saved."""
    for _ in range(2):
        if isinstance(found, dict) and not any(isinstance(value, Tensor) for value in found.values()):
            found = next((found[key] for key in _WHERE if isinstance(found.get(key), (dict, Record))), found)
    return found


def _tensors(model: Any) -> dict[str, Tensor]:
    """Every tensor by its full name, in the order of the state dict."""
    named = _of_state_dict(model) if isinstance(model, dict) else _of_modules(model)
    found = {_without_wrappers(name): tensor for name, tensor in named}
    if not found:
        raise DamagedFile("a PyTorch file without a state dict or a module")
    return found


def _of_state_dict(model: Mapping[Any, Any]) -> Iterator[tuple[str, Tensor]]:
    for name, value in model.items():
        if isinstance(name, str) and isinstance(value, Tensor):
            yield name, value


def _of_modules(model: Any) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a module and of those inside of it. A loop: a file may put a module into itself."""
    pending = [("", model)]
    count = 0
    while pending:
        path, module = pending.pop()
        state = module.state if isinstance(module, Record) else None
        own, buffers, inside = (_part(state, key) for key in ("_parameters", "_buffers", "_modules"))
        count += 1 + len(own) + len(buffers) + len(inside)
        if count > MAX_MODULES or path.count(".") > MAX_DEPTH:
            raise BadPickle(f"more than {MAX_MODULES} modules and arrays, or nested deeper than {MAX_DEPTH}")
        for name, value in (*own.items(), *buffers.items()):
            if isinstance(value, Tensor):
                yield _joined(path, name), value
        pending += reversed([(f"{_joined(path, name)}.", child) for name, child in inside.items()])


def _joined(path: str, name: Any) -> str:
    if not isinstance(name, str) or len(path) + len(name) > MAX_NAME:
        raise BadPickle("a module or an array with a name that is not one, or too long")
    return path + name


def _reads(model: Any) -> dict[int, tuple[int, ...]] | None:
    """Which modules each of a row of modules reads, as YOLO's say of themselves; None where they do not."""
    found: dict[int, tuple[int, ...]] = {}
    for number, module in enumerate(_in_row(model).values()):
        state = module.state if isinstance(module, Record) and isinstance(module.state, dict) else {}
        given: Any = state.get("f")
        places = given if isinstance(given, list) else [given]
        if max(number, len(places)) > _MOST_READ or not all(_is_before(number, place) for place in places):
            return None
        found[number] = tuple([place if place >= 0 else max(number + place, -1) for place in places])
    return found or None


def _classes(model: Any, found: Any) -> tuple[str, ...]:
    """The names of the classes in order, as the module or the trainer says them; none where they are not names."""
    given = _part(getattr(model, "state", None), "names", (dict, list)) or _part(found, "names", (dict, list))
    names = [given.get(place) for place in range(len(given))] if isinstance(given, dict) else [*given]
    sound = [name for name in names[:_MOST_CLASSES] if isinstance(name, str) and len(name) <= MAX_NAME]
    return tuple(sound) if len(sound) == len(names) else ()


def _in_row(model: Any) -> dict[str, Any]:
    row = _part(model.state, "_modules").get("model") if isinstance(model, Record) else None
    return _part(row.state, "_modules") if isinstance(row, Record) else {}


def _is_before(number: int, place: Any) -> bool:
    return type(place) is int and -number - 1 <= place < number


def _part(state: Any, key: str, kinds: type | tuple[type, ...] = dict) -> Any:
    found = state.get(key) if isinstance(state, dict) else None
    return found if isinstance(found, kinds) else {}


def _without_wrappers(name: str) -> str:
    while name.startswith(_WRAPPERS):
        name = name.partition(".")[2]
    return name


def _contents(stream: BinaryIO, members: Mapping[str, Stored], root: str, tensors: Mapping[str, Tensor]) -> Contents:
    layers: dict[str, dict[str, StoredArray]] = {}
    for name, tensor in tensors.items():
        if len(name) > MAX_NAME:
            raise BadPickle(f"a name of {len(name)} characters")
        place, _, leaf = name.rpartition(".")
        member = members.get(f"{root}data/{tensor.storage.key}")
        layers.setdefault(place, {})[leaf] = _array(stream, member, tensor, name)
    return Contents("torch", tuple([StoredLayer(place, place, arrays) for place, arrays in layers.items()]))


def _array(stream: BinaryIO, member: Stored | None, tensor: Tensor, name: str) -> StoredArray:
    storage = tensor.storage
    dtype, form = _DTYPES.get(storage.type, (storage.type, ""))
    if not form:
        return StoredArray(tensor.shape, short(dtype), lambda: _refuse(name, dtype))
    size = numpy.dtype(form).itemsize
    if member is None or member.size != storage.numbers * size:
        has = f"{member.size} bytes" if member else "nothing"
        raise BadPickle(f"{short(name)} has {has} of values; expected {storage.numbers * size} bytes")
    return StoredArray(tensor.shape, dtype, partial(_read, stream, member, tensor, form))


def _refuse(name: str, dtype: str) -> Array:
    raise DamagedFile(f"{short(name)} is of {short(dtype)}, which is not known")


def _read(stream: BinaryIO, member: Stored, tensor: Tensor, form: str) -> Array:
    """The values of a tensor: of its storage, only those that it lies among."""
    size = numpy.dtype(form).itemsize
    data = _bytes(stream, member, tensor.offset * size, tensor.extent * size)
    steps = [stride * size for stride in tensor.strides]
    return numpy.ndarray(tensor.shape, form, data, strides=steps)  # raises for a place outside of the data
