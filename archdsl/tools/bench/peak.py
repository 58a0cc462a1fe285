"""How fast this machine multiplies large matrices: what a network's speed is a share of.

One product alone can be off by a factor of two: libraries differ, and so do sizes. So the fastest of several counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from archdsl.backends.runtimes import run_onnx
from archdsl.diagnostics.packages import is_installed, package
from archdsl.tools.bench.measuring import timed

SIZES = ((512, 512, 512), (1024, 1024, 1024), (1536, 1536, 1536), (6400, 576, 128))  # the last: a convolution's
_CALLS = {512: 10}  # it takes a millisecond; 3 of the others


class Product(NamedTuple):
    """(m, k) · (k, n) of float32, in a library."""

    library: str
    size: tuple[int, int, int]
    call: Callable[[], object]

    def flops(self) -> float:
        """Operations a second, two to a multiplication and addition; the best of a few calls."""
        rows, inner, columns = self.size
        return 2 * rows * inner * columns / min(timed(self.call, _CALLS.get(rows, 3), time.perf_counter))


def products(threads: int) -> list[Product]:
    """In NumPy, whose threads the environment sets, and in ONNX Runtime where it is installed."""
    libraries: dict[str, Callable[..., Callable[[], object]]] = {"NumPy": _in_numpy}
    if is_installed("onnx") and is_installed("onnxruntime"):
        libraries["ONNX Runtime"] = _in_onnxruntime
    found = [(library, size, *_matrices(size)) for library in libraries for size in SIZES]
    return [Product(name, size, libraries[name](one, other, threads)) for name, size, one, other in found]


def _matrices(size: tuple[int, int, int]) -> Iterator[Any]:
    import numpy

    draw = numpy.random.default_rng(0)
    rows, inner, columns = size
    yield draw.random((rows, inner), "float32")
    yield draw.random((inner, columns), "float32")


def _in_numpy(one: Any, other: Any, threads: int) -> Callable[[], object]:
    import numpy

    result = numpy.empty((len(one), other.shape[1]), "float32")
    return lambda: numpy.matmul(one, other, out=result)


def _in_onnxruntime(one: Any, other: Any, threads: int) -> Callable[[], object]:
    onnx = package("onnx")
    float32, helper = onnx.TensorProto.FLOAT, onnx.helper
    values = [helper.make_tensor_value_info(name, float32, None) for name in ("one", "product")]
    node = helper.make_node("MatMul", ["one", "other"], ["product"])
    graph = helper.make_graph([node], "product", values[:1], values[1:], [onnx.numpy_helper.from_array(other, "other")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    run = run_onnx(model.SerializeToString(), threads)
    return lambda: run(one)
