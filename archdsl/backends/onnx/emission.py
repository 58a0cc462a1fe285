"""What writers add ONNX nodes to: one graph of ONNX, its constants, and the precision that it computes in.

Feature maps are (batch, C, H, W) there, tokens (batch, N, C), vectors (batch, C).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy
import onnx
from onnx import helper

from archdsl.backends.form import Floats
from archdsl.ir.types import FeatureMap, TensorType, Tokens

if TYPE_CHECKING:
    from archdsl.ir.node import Node

    Array: TypeAlias = numpy.ndarray[Any, Any]

ALL = 2**31 - 1  # where a slice ends that has no end
TO_HEAD = (0, 2, 3, 1)  # maps of ONNX to those of Keras
TO_BODY = (0, 3, 1, 2)


class Emission:
    """Adds nodes and constants to a graph of ONNX. A value is the name of a result."""

    def __init__(self, graph: onnx.GraphProto, precision: Floats = "float32"):
        self.graph = graph
        self.precision: Floats = precision
        self.dtype: Floats = precision
        """Of the values that are computed with at the moment."""
        self._scope = self._owner = ""
        self._names = {node.name for node in graph.node}
        self._constants = {each.name for each in graph.initializer}
        self._exact: set[str] = set()

    def enter(self, node: Node, dtype: Floats) -> None:
        """What is added from now on computes `node`, in this precision, with the weights of its owner."""
        self._scope, self._owner, self.dtype = node.name, (node.owner or node).name, dtype

    def within(self, name: str) -> None:
        """What is added from now on belongs to no node of the graph, and has names that begin so."""
        self._scope = self._owner = name

    def __call__(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        """Add a node; the name of its result."""
        return self.several(op_type, 1, *inputs, **attributes)[0]

    def several(self, op_type: str, count: int, *inputs: str, **attributes: Any) -> list[str]:
        """Add a node of several results; their names."""
        name = self._new_name(op_type)
        results = [name] if count == 1 else [f"{name}:{index}" for index in range(count)]
        self.graph.node.append(helper.make_node(op_type, inputs, results, name, **attributes))
        if self.dtype == "float32":
            self._exact.update(results)
        return results

    def finish(self, op_type: str, value: str, result: str, **attributes: Any) -> None:
        """Add a node that makes `result`, an output of the model, of a value."""
        self.graph.node.append(helper.make_node(op_type, [value], [result], f"output/{result}", **attributes))

    def weight(self, role: str, array: Array) -> str:
        """An array of the node's weights; once, however many nodes share it."""
        name = f"{self._owner}/{role}"
        return self._add(name, array)

    def floats(self, values: Any) -> str:
        """A constant in the precision of the moment."""
        return self._constant(numpy.asarray(values, self.dtype))

    def exact(self, values: Any) -> str:
        """A constant in float32, whatever the precision."""
        return self._constant(numpy.asarray(values, "float32"))

    def integers(self, values: int | Iterable[int]) -> str:
        return self._constant(numpy.asarray(values if isinstance(values, int) else list(values), "int64"))

    def is_exact(self, value: str | list[str]) -> bool:
        """Whether a value is float32."""
        return (value if isinstance(value, str) else value[0]) in self._exact

    def in_precision(self, value: Any, dtype: Floats) -> Any:
        """The value, or the values, in this precision."""
        if isinstance(value, list):
            return [self.in_precision(each, dtype) for each in value]
        if (value in self._exact) == (dtype == "float32"):
            return value
        self.dtype = dtype
        return self.cast(value, dtype)

    def slice(self, x: str, axis: int, start: int, stop: int, step: int = 1) -> str:
        return self("Slice", x, *[self.integers([each]) for each in (start, stop, axis, step)])

    def take(self, x: str, indices: Iterable[int], axis: int) -> str:
        return self("Gather", x, self.integers(indices), axis=axis)

    def reshape(self, x: str, *sides: int) -> str:
        """0 is the side that `x` has there, -1 what remains."""
        return self("Reshape", x, self.integers(sides))

    def transpose(self, x: str, *order: int) -> str:
        return self("Transpose", x, perm=order)

    def cast(self, x: str, dtype: str) -> str:
        return self("Cast", x, to=helper.np_dtype_to_tensor_dtype(numpy.dtype(dtype)))

    def side(self, x: str, axis: int) -> str:
        """How long `x` is along an axis: a vector of one integer."""
        return self("Shape", x, start=axis, end=axis + 1)

    def concat(self, values: Sequence[str], axis: int) -> str:
        return self("Concat", *values, axis=axis)

    def split(self, x: str, parts: int, axis: int) -> list[str]:
        return self.several("Split", parts, x, axis=axis) if parts > 1 else [x]

    def as_map(self, x: str, wanted: FeatureMap, like: str) -> str:
        """`x` in the shape of a map; `like` is one of its height and width, for where these are unknown."""
        if None not in wanted.shape:
            return self.reshape(x, 0, wanted.channels, *wanted.shape[:2])  # type: ignore[arg-type]
        sides = self("Shape", like, start=2)
        return self("Reshape", x, self.concat([self.integers([0, wanted.channels]), sides], 0))

    def _new_name(self, op_type: str) -> str:
        begin = name = f"{self._scope}/{op_type}"
        count = 1
        while name in self._names:
            count += 1
            name = f"{begin}_{count}"
        self._names.add(name)
        return name

    def _constant(self, array: Array) -> str:
        """A small constant, once for all that need an equal one."""
        name = f"constant/{array.dtype}{list(array.shape)}/{array.tobytes().hex()}"
        if array.size > 8:
            name = self._new_name("constant")
        return self._add(name, array, array.dtype)

    def _add(self, name: str, array: Array, dtype: Any = None) -> str:
        """A constant, if there is none of this name; its bytes are copied once, which is most of what a file takes."""
        if name not in self._constants:
            self._constants.add(name)
            kind = numpy.dtype(dtype or self.dtype)
            tensor = self.graph.initializer.add(name=name, dims=array.shape)
            tensor.data_type = helper.np_dtype_to_tensor_dtype(kind)
            tensor.raw_data = array.astype(kind, copy=False).tobytes()
        return name


def channel_axis(x: TensorType) -> int:
    """Where the channels are."""
    return 2 if isinstance(x, Tokens) else 1


def by_channel(array: Array, x: TensorType) -> Array:
    """One number for each channel, in the shape that broadcasts to `x`."""
    return array.reshape((-1, 1, 1)) if isinstance(x, FeatureMap) else array
