"""How fast a GPU multiplies large matrices, and reads and writes large maps: what a network's speed is a share of."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras

from archdsl.tools.bench.measuring import timed

if TYPE_CHECKING:
    from archdsl.tools.bench.frameworks import Framework

PRECISIONS = ("float32", "bfloat16")
_CALLS = 3


class GpuPeak:
    """Square matrices of random numbers: of zeros a GPU makes more, since it draws less power."""

    def __init__(self, framework: Framework, sides: tuple[int, ...] = (2048, 4096, 8192), values: int = 1 << 28):
        """`values` is the length of the map: too long for a cache, and for starting to take a part of the time."""
        self.framework, self.values = framework, values
        self.products = {
            (precision, side): self._product(precision, side) for precision in PRECISIONS for side in sides
        }
        self.copy = framework.call(lambda one: one + 1, keras.random.uniform((values,), dtype="float32"))

    def flops(self) -> dict[str, dict[str, float]]:
        """Operations a second by precision, two to a multiplication and addition; the best of a few calls."""
        found: dict[str, dict[str, float]] = {precision: {} for precision in PRECISIONS}
        for (precision, side), call in self.products.items():
            found[precision][f"{self.framework.name} {side, side, side}"] = 2 * side**3 / fastest(call)
        return found

    def bandwidth(self) -> float:
        """Bytes a second, read and written."""
        return 2 * 4 * self.values / fastest(self.copy)

    def _product(self, precision: str, side: int) -> Callable[[], Any]:
        one, other = [keras.random.uniform((side, side), dtype=precision) for _ in range(2)]
        return self.framework.call(keras.ops.matmul, one, other)


def fastest(call: Callable[[], object]) -> float:
    return min(timed(call, _CALLS, time.perf_counter))
