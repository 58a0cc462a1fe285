"""What is measured: networks, runtimes and precisions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from archdsl.analysis.report import report
from archdsl.diagnostics.problems import fail
from archdsl.tools.bench.contenders import RUNTIMES

if TYPE_CHECKING:
    from archdsl.ir.graph import Graph
    from archdsl.weights.network import Network

Tell: TypeAlias = Callable[[str], None]
"""Takes a line about what is being done."""


class Entry(NamedTuple):
    """A network for images of a known size, under its name in tables."""

    label: str
    network: Network

    @property
    def macs(self) -> int:
        """Of one image."""
        return report(self.network.graph).macs or 0

    @property
    def fused(self) -> Graph:
        return report(self.network.graph).fused

    @property
    def sides(self) -> tuple[int | None, int | None]:
        """Height and width of its images."""
        height, image_width, _ = self.network.graph.image.shape
        return height, image_width


class Settings(NamedTuple):
    runtimes: tuple[str, ...] = ("onnx",)
    precisions: tuple[str, ...] = ("float32",)
    batch: int = 1
    threads: int = 1
    rounds: int = 15
    plugins: tuple[str, ...] = ()
    device: str = "cpu"


class Contender(NamedTuple):
    """A network in a runtime. `entry` is its place among the networks."""

    entry: int
    runtime: str
    precision: str


def planned(count: int, settings: Settings) -> list[Contender]:
    """Each of `count` networks in every runtime, in every precision that it has of those that are asked for.

    Raises ArchError for a runtime that has none of them, or not the device, or is not installed.
    """
    for name in settings.runtimes:
        _check(name, settings)
    return [
        Contender(entry, runtime, precision)
        for entry in range(count)
        for runtime in settings.runtimes
        for precision in settings.precisions
        if precision in RUNTIMES[runtime].precisions
    ]


def _check(name: str, settings: Settings) -> None:
    runtime = RUNTIMES[name]
    if settings.device not in runtime.devices:
        others = [other for other, each in RUNTIMES.items() if settings.device in each.devices]
        raise fail("bench", f"{name} runs on the processor only", hint=f"on a GPU there are {', '.join(others)}")
    runtime.require()
    if not set(settings.precisions) & set(runtime.precisions):
        message = f"{name} does not compute in {' or '.join(settings.precisions)}"
        raise fail("bench", message, hint=f"it has {', '.join(runtime.precisions)}")
