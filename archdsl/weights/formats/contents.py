"""The content of a weights file of any format: layers with arrays, each with its name and place in the file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import numpy

    Array: TypeAlias = numpy.ndarray[Any, Any]

Shape: TypeAlias = tuple[int, ...]
MAX_NAME = 1024  # bytes, of anything in a file
MAX_RANK = 32
Layout = Literal["paths", "listed", "nodes", "torch"]
"""How a file assigns arrays to layers.

paths: places such as layers/conv2d_3 (.weights.h5, .keras), in newer files with the layer's name too.
listed: a list of layers with their names, in the model's order (the old .h5).
nodes: the name of the node (.safetensors).
torch: the path of the module, with dots, and PyTorch's names of arrays (.pt, .safetensors).
"""


class DamagedFile(ValueError):
    """A weights file is damaged; the text is the fact."""

    def __init__(self, fact: str):
        super().__init__(short(fact, 300))


def short(text: str, most: int = 100) -> str:
    """A text that a file put into a message."""
    return text if len(text) <= most else f"{text[:most]}…"


@dataclass(frozen=True)
class StoredArray:
    """An array that has not been read yet."""

    shape: Shape
    dtype: str
    read: Callable[[], Array]


@dataclass(frozen=True)
class Stored:
    """A layer of a file: its arrays by their name or number, its place, and its name where the file has one.

    `sublayer` is the name that Keras numbered itself for a layer within another.
    """

    place: str
    name: str
    arrays: dict[str, StoredArray]
    sublayer: str = ""

    @property
    def label(self) -> str:
        return self.name or self.place

    @property
    def shapes(self) -> tuple[Shape, ...]:
        return tuple(array.shape for array in self.arrays.values())


class Contents(NamedTuple):
    """The layers of a file, in its order. `nested` reads those of the models that are layers of it, by their place.

    `reads` has the numbers of the modules that each numbered module reads, -1 for the image, `classes` the names of the
    classes in the order of its outputs, where the file tells, and `modules` what it says of each (described.py).
    """

    layout: Layout
    layers: tuple[Stored, ...]
    nested: Callable[[], Mapping[str, Contents]] = dict
    reads: Mapping[int, tuple[int, ...]] | None = None
    classes: tuple[str, ...] = ()
    modules: tuple[Any, ...] = ()
