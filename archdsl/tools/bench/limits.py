"""What the device of a benchmark does at best: the fastest products of matrices, and its bandwidth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Limits(NamedTuple):
    """`products` are operations a second by precision, then by library and size, `bandwidth` bytes a second.

    Of the processor there is neither the bandwidth, since its caches hold whole maps, nor a name.
    """

    products: Mapping[str, Mapping[str, float]] = {}
    bandwidth: float | None = None
    gpu: str | None = None

    def with_run(self, found: Mapping[str, Any]) -> Limits:
        """With what one more run found, where that is more."""
        products = {
            precision: {name: max(flops, self.products.get(precision, {}).get(name, 0)) for name, flops in own.items()}
            for precision, own in found["flops"].items()
        }
        bandwidth = max(found["bandwidth"], self.bandwidth or 0) if "bandwidth" in found else None
        return Limits(products, bandwidth, found.get("gpu"))

    def flops(self, precision: str) -> float | None:
        """None for a precision that is not measured."""
        return max(self.products[precision].values()) if precision in self.products else None

    def lines(self) -> list[str]:
        found = [_peak_line(precision, own) for precision, own in self.products.items()]
        if self.bandwidth is not None:
            found.append(f"bandwidth {self.bandwidth / 1e9:.0f} GB/s: a map read, and written")
        return found


def _peak_line(precision: str, products: Mapping[str, float]) -> str:
    fastest = max(products, key=lambda name: products[name])
    return f"peak {products[fastest] / 1e9:.0f} GFLOP/s: the fastest product of {precision} matrices, {fastest}"
