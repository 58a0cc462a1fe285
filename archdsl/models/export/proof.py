"""What an export is compared with: the network as the config has it, without passes or optimisation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from archdsl.analysis.trial_images import random_images, trial_sides
from archdsl.diagnostics.problems import ArchError, fail, problem
from archdsl.ir.graph import Graph

if TYPE_CHECKING:
    from archdsl.backends.runtimes import Array, Runner

_SMALLEST = 0.01  # a result below is compared with this: the rounding of a score does not shrink with it
_TIMED_RUNS = 3


class Proof(NamedTuple):
    """How an exported file ran: the largest difference of each result, and seconds for one call at the first size.

    A difference is a part of the largest value of the result. `sizes` are the images tried, (height, width).
    """

    differences: Mapping[str, float]
    sizes: tuple[tuple[int, int], ...]
    seconds: float

    @property
    def largest(self) -> float:
        return max(self.differences.values())


def trial_sizes(graph: Graph) -> tuple[tuple[int, int], ...]:
    """The sizes to try: the graph's own; two if it takes any."""
    height, image_width = graph.image.shape[:2]
    if height is not None and image_width is not None:
        return ((height, image_width),)
    first = trial_sides(graph)
    step = int(max(stride for node in graph.nodes for stride in node.type.strides))
    return first, (height or first[0] + step, image_width or first[1] + step)


def images_for(graph: Graph, batch: int) -> list[Array]:
    """Random images of every size to be tried, (batch, H, W, channels) of float32."""
    return [random_images(graph, batch, sides).astype("float32") for sides in trial_sizes(graph)]


def prove(run: Runner, images: list[Array], expected: list[Mapping[str, Array]]) -> Proof:
    """Run the images, and compare with what is expected of each."""
    received = [run(each) for each in images]
    differences = {
        name: max(difference(wanted[name], found[name]) for wanted, found in zip(expected, received, strict=True))
        for name in expected[0]
    }
    sizes = tuple([tuple(each.shape[1:3]) for each in images])
    return Proof(differences, sizes, min(_seconds(lambda: run(images[0]))))


def check(proof: Proof, most: float, what: str) -> None:
    """Raise ArchError, with every result that differs by more than `most`."""
    wrong = {name: each for name, each in proof.differences.items() if not each <= most}  # not a number is wrong too
    if wrong:
        facts = [f"{name} of {what} differs by {each:.1e}; expected at most {most:g}" for name, each in wrong.items()]
        raise ArchError([problem("export", fact) for fact in facts])


def difference(expected: Array, received: Array) -> float:
    """Largest difference, as a part of the largest value. Raises ArchError for another shape."""
    import numpy

    if expected.shape != received.shape:
        raise fail("export", f"a result has shape {received.shape}; expected {expected.shape}")
    largest = float(numpy.abs(expected).max(initial=0))
    return float(numpy.abs(expected - received).max(initial=0)) / max(largest, _SMALLEST)


def _seconds(call: Callable[[], object]) -> Iterator[float]:
    for _ in range(_TIMED_RUNS):
        begin = time.perf_counter()
        call()
        yield time.perf_counter() - begin
