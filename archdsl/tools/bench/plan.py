"""What is measured: networks, runtimes and precisions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from archdsl.analysis.report import report
from archdsl.diagnostics.problems import fail
from archdsl.tools.bench.contenders import RUNTIMES

if TYPE_CHECKING:
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


class Contender(NamedTuple):
    """A network in a runtime. `entry` is its place among the networks."""

    entry: int
    runtime: str
    precision: str


def planned(count: int, settings: Settings) -> list[Contender]:
    """Each of `count` networks in every runtime, in every precision that it has of those that are asked for.

    Raises ArchError for a runtime that has none of them, or is not installed.
    """
    for name in settings.runtimes:
        _check(name, settings.precisions)
    return [
        Contender(entry, runtime, precision)
        for entry in range(count)
        for runtime in settings.runtimes
        for precision in settings.precisions
        if precision in RUNTIMES[runtime].precisions
    ]


def _check(name: str, precisions: tuple[str, ...]) -> None:
    runtime = RUNTIMES[name]
    runtime.require()
    if not set(precisions) & set(runtime.precisions):
        message = f"{name} does not compute in {' or '.join(precisions)}"
        raise fail("bench", message, hint=f"it has {', '.join(runtime.precisions)}")
