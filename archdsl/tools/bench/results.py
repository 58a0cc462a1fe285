"""What a benchmark found: as a table, as plain data, and what to doubt about it."""

from __future__ import annotations

from statistics import median
from typing import Any, NamedTuple

from archdsl.analysis.roofline import Machine, least_seconds
from archdsl.analysis.text import Table, counted, shape_text
from archdsl.tools.bench.limits import Limits
from archdsl.tools.bench.measuring import Ratio, Times
from archdsl.tools.bench.plan import Contender, Entry, Settings

LARGEST_ROUNDING = 1e-3  # of the largest value of a result: float32 stays below 1e-4, bfloat16 gives over 4e-3
_MOST_OTHER_LOAD = 0.5  # processes beyond the cores that are left
_MIB = 1 << 20
_VALUE_BYTES = {"float32": 4, "bfloat16": 2}


class Result(NamedTuple):
    """How a contender did: its times, and their ratio to those of the one that it is compared with.

    `peak_bytes` are of the GPU where it runs on one. `file_bytes` is None for a model that is not a file,
    `difference`, of its results from the network's in float32, if there is no ONNX Runtime to tell.
    """

    contender: Contender
    entry: Entry
    batch: int
    times: Times
    ratio: Ratio
    peak_bytes: int
    file_bytes: int | None
    difference: float | None

    @property
    def label(self) -> str:
        return self.entry.label

    @property
    def images_per_second(self) -> float:
        return self.batch / self.times.median

    @property
    def flops(self) -> float:
        """Operations a second in the fastest call, two for each multiplication and addition of the config."""
        return 2 * self.entry.macs * self.batch / self.times.minimum


class Benchmark(NamedTuple):
    """A whole run; `load` is before and after."""

    results: tuple[Result, ...]
    settings: Settings
    limits: Limits
    load: tuple[float, float]
    cores: int

    def share(self, result: Result) -> float | None:
        """Of the peak of its precision."""
        peak = self.limits.flops(result.contender.precision)
        return result.flops / peak if peak else None

    def roof_share(self, result: Result) -> float | None:
        """The least time that the limits of the device leave, as a part of the fastest call."""
        precision, bandwidth = result.contender.precision, self.limits.bandwidth
        peak = self.limits.flops(precision)
        if peak is None or bandwidth is None:
            return None
        machine = Machine(peak / 2, bandwidth)
        least = least_seconds(result.entry.fused, machine, result.batch, _VALUE_BYTES[precision])
        return least / result.times.minimum

    @property
    def warnings(self) -> list[str]:
        imprecise = [each for each in self.results if _is_imprecise(each)]
        found = [
            f"{each.label} in {each.contender.runtime} does not compute in float32: it differs by {each.difference:.1e}"
            for each in imprecise
        ]
        if self.load[0] + self.settings.threads > self.cores + _MOST_OTHER_LOAD:
            fact = f"the machine is busy: load {self.load[0]:.1f} before the start, {self.cores} cores"
            threads = counted(self.settings.threads, "thread")
            found.append(
                f"{fact}, {threads} to measure; runtimes suffer from that differently, so measure again when it is idle"
            )
        return found

    def table(self) -> Table:
        headers = ("network", "runtime", "min ms", "median", "p90", "ratio", "images/s", "GFLOP/s")
        roof = () if self.limits.bandwidth is None else ("of roof",)
        more = ("of peak", *roof, "memory MiB", "file MiB", "differs")
        rows = [[*_measured(each), *self._computed(each)] for each in self.results]
        return Table((*headers, *more), rows, (*headers[2:], *more))

    def totals(self) -> list[str]:
        """Lines below the table."""
        sizes = dict.fromkeys(shape_text(each.entry.sides) for each in self.results)
        counts = counted(self.settings.threads, "thread"), f"{counted(self.settings.rounds, 'round')} in turns"
        return [
            f"images of {' and '.join(sizes)}, batch {self.settings.batch}, {', '.join(counts)}",
            *([f"on {self.limits.gpu}, which every call waits for"] if self.limits.gpu else []),
            *self.limits.lines(),
            f"load {self.load[0]:.1f} before, {self.load[1]:.1f} after, {self.cores} cores",
        ]

    def data(self) -> dict[str, Any]:
        """Plain data; times in seconds, with the median of each round."""
        settings = {**self.settings._asdict(), "plugins": list(self.settings.plugins)}
        return {
            "results": [_data(each, self.share(each), self.roof_share(each)) for each in self.results],
            "settings": settings,
            "gpu": self.limits.gpu,
            "peak_flops": self.limits.flops("float32"),
            "products": {precision: dict(own) for precision, own in self.limits.products.items()},
            "bandwidth": self.limits.bandwidth,
            "load": {"before": self.load[0], "after": self.load[1], "cores": self.cores},
            "warnings": self.warnings,
        }

    def _computed(self, result: Result) -> tuple[str, ...]:
        shares = [self.share(result), *([] if self.limits.bandwidth is None else [self.roof_share(result)])]
        return (
            f"{result.flops / 1e9:.1f}",
            *["–" if each is None else f"{each:.0%}".replace("%", " %") for each in shares],
            f"{result.peak_bytes / _MIB:.0f}",
            "–" if result.file_bytes is None else f"{result.file_bytes / _MIB:.1f}",
            "–" if result.difference is None else f"{result.difference:.0e}",
        )


def runtime_text(contender: Contender) -> str:
    """`onnx`, `openvino bfloat16`."""
    return contender.runtime if contender.precision == "float32" else f"{contender.runtime} {contender.precision}"


def ratio_text(ratio: Ratio) -> str:
    return f"{ratio.median:.2f} ({ratio.low:.2f}–{ratio.high:.2f})"


def _is_imprecise(result: Result) -> bool:
    is_full = result.contender.precision == "float32" and result.difference is not None
    return is_full and not result.difference <= LARGEST_ROUNDING  # type: ignore[operator]  # not a number counts too


def _measured(result: Result) -> tuple[str, ...]:
    times = [f"{1000 * seconds:.2f}" for seconds in (result.times.minimum, result.times.median, result.times.p90)]
    speed = f"{result.images_per_second:.1f}"
    return result.label, runtime_text(result.contender), *times, ratio_text(result.ratio), speed


def _data(result: Result, share: float | None, roof_share: float | None) -> dict[str, Any]:
    times = result.times
    return {
        "config": result.label,
        "runtime": result.contender.runtime,
        "precision": result.contender.precision,
        "size": list(result.entry.sides),
        "seconds": {"minimum": times.minimum, "median": times.median, "p90": times.p90},
        "rounds": [median(turn) for turn in times.rounds],
        "ratio": result.ratio._asdict(),
        "images_per_second": result.images_per_second,
        "macs": result.entry.macs,
        "flops": result.flops,
        "share_of_peak": share,
        "share_of_roof": roof_share,
        "peak_bytes": result.peak_bytes,
        "file_bytes": result.file_bytes,
        "difference": result.difference,
    }
