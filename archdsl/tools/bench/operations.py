"""Single operations in ONNX Runtime on this machine: how long each takes, and starting one; the bandwidth."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy
from onnx import TensorProto, helper

from archdsl.analysis.roofline import Operation
from archdsl.backends.form import Form
from archdsl.backends.onnx import IR_VERSION, OPSET, WRITERS, described
from archdsl.backends.onnx.emission import Emission
from archdsl.backends.onnx.padding import join_padding
from archdsl.diagnostics.packages import package
from archdsl.diagnostics.problems import fail
from archdsl.diagnostics.wording import first_line
from archdsl.tools.bench.measuring import timed

if TYPE_CHECKING:
    Array = numpy.ndarray[Any, Any]

_ROW = 200  # operations in a row, to measure what starting one takes
_SIDES = ((1, 64, 128, 128), (1, 64, 512, 512))  # maps of 4 and 64 MiB
_SECONDS, _LEAST_CALLS, _MOST_CALLS = 0.05, 4, 50  # that an operation is measured for; the fastest call counts

Clock = Callable[[], float]


def session(model: Any, threads: int) -> Callable[[Mapping[str, Array]], Any]:
    runtime = package("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    made = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda inputs: made.run(None, inputs)


def _empty(inputs: Iterable[Any]) -> Any:
    graph = helper.make_graph(
        [], "operation", list(inputs), [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    )
    return helper.make_model(graph, ir_version=IR_VERSION, opset_imports=[helper.make_opsetid("", OPSET)])


def model_of_operation(operation: Operation) -> Any:
    """A model of its inputs x0, x1 … with a small part of its result `y`: to copy the whole would take time."""
    first = operation.nodes[0]
    form = Form(batch=1, layout="nchw")
    model = _empty([described(f"x{place}", source.type, form) for place, source in enumerate(first.inputs)])
    to = Emission(model.graph)
    draw = numpy.random.default_rng(0)
    values: Any = [f"x{place}" for place in range(len(first.inputs))]
    for node in operation.nodes:
        to.enter(node, "float32")
        shapes = [shape for _, shape, _ in node.op.weights(*[source.type for source in node.inputs])]
        arrays = tuple([draw.random(shape, "float32") for shape in shapes])
        values = [WRITERS[type(node.op)](to, node, arrays, *values)]
    to.finish("Identity", to.slice(values[0], 1, 0, 1), "y")
    join_padding(model)
    return model


def row_of(count: int) -> Any:
    """A model of tiny operations that no optimizer joins."""
    model = _empty([helper.make_tensor_value_info("x0", TensorProto.FLOAT, [1, 8])])
    names = ["x0", *[f"x{place}" for place in range(1, count)], "y"]
    model.graph.node.extend([helper.make_node("Sin", [one], [other]) for one, other in pairwise(names)])
    return model


def fastest(call: Callable[[], object], clock: Clock) -> float:
    """Seconds of the fastest of several calls."""
    first = min(timed(call, 1, clock))
    more = max(_LEAST_CALLS, min(_MOST_CALLS, ceil(_SECONDS / max(first, 1e-7))))
    return min(first, *timed(call, more, clock))


class Stopwatch:
    """Measures operations in so many threads; what calling a model takes is not part of them.

    One thread is measured in seconds of the processor, which other programs take none of.
    """

    def __init__(self, threads: int):
        self.threads = threads
        self.clock: Clock = time.thread_time if threads == 1 else time.perf_counter
        self.call = 0.0
        self.call = self._time(row_of(1), [(1, 8)])

    @property
    def overhead(self) -> float:
        """Seconds that an operation takes which does next to nothing."""
        return self._time(row_of(_ROW), [(1, 8)]) / (_ROW - 1)

    def seconds(self, operation: Operation) -> float | None:
        """None for an operation that has no form in ONNX."""
        if any(type(node.op) not in WRITERS for node in operation.nodes):
            return None
        shapes = [_in_onnx(source.type.shape) for source in operation.nodes[0].inputs]
        try:
            return self._time(model_of_operation(operation), shapes)
        except Exception as error:  # whatever a runtime says of an operation
            raise fail("bench", f"{operation.key}: {first_line(error)}") from None

    def bandwidth(self) -> float:
        """Bytes a second that an addition of large maps reads and writes; the best of several, in two libraries."""
        return float(max([max(self._added(shape), self._added_in_numpy(shape)) for shape in _SIDES]))

    def _added(self, shape: tuple[int, ...]) -> float:
        model = _empty([helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x0", "x1")])
        to = Emission(model.graph)
        to.within("sum")
        to.finish("Identity", to.slice(to("Add", "x0", "x1"), 1, 0, 1), "y")
        return 12 * numpy.prod(shape) / max(self._time(model, [shape, shape]), 1e-9)

    def _time(self, model: Any, shapes: list[Any]) -> float:
        run = session(model, self.threads)
        draw = numpy.random.default_rng(0)
        inputs = {f"x{place}": draw.random(shape, "float32") for place, shape in enumerate(shapes)}
        return max(fastest(lambda: run(inputs), self.clock) - self.call, 0.0)

    def _added_in_numpy(self, shape: tuple[int, ...]) -> float:
        one, other, result = [numpy.ones(shape, "float32") for _ in range(3)]
        return 3 * one.nbytes / fastest(lambda: numpy.add(one, other, out=result), self.clock)


def _in_onnx(shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
    """With the batch, and the channels of a map before its sides."""
    return (1, shape[2], *shape[:2]) if len(shape) == 3 else (1, *shape)
