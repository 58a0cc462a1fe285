"""What an export is compared with: the network as the config has it, without passes or optimisation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from archdsl.analysis.trial_images import random_images, trial_sides
from archdsl.backends.form import Suppression
from archdsl.diagnostics.problems import ArchError, fail, problem
from archdsl.ir.graph import Graph
from archdsl.models.detections import detections

if TYPE_CHECKING:
    from archdsl.backends.runtimes import Array, Runner

TOLERANCES = {"float32": 1e-4, "float16": 1e-2, "int8": 1e-2}  # of the largest value; in int8 the cosine counts
_SMALLEST = 0.01  # a result below is compared with this: the rounding of a score does not shrink with it
LEAST_COSINE = 0.9  # of a result in int8
_TIMED_RUNS = 3


class Proof(NamedTuple):
    """How an exported file ran: what differs in each result, and seconds for one call at the first size.

    A difference is the largest one, a part of the largest value of the result; a cosine is that of all its values and
    the expected ones, 1 where they are equal. `sizes` are the images tried, (height, width), and `steady` the results
    that a black image changes by no more than the tolerance: whatever the file computes of an image, they agree.
    """

    differences: Mapping[str, float]
    cosines: Mapping[str, float]
    sizes: tuple[tuple[int, int], ...]
    seconds: float
    steady: tuple[str, ...]

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
    return tuple([(height or first[0] + more, image_width or first[1] + more) for more in (0, step)])


def images_for(graph: Graph, batch: int) -> list[Array]:
    """Random images of every size to be tried, (batch, H, W, channels) of float32."""
    return [random_images(graph, batch, sides).astype("float32") for sides in trial_sizes(graph)]


def prove(run: Runner, images: list[Array], expected: list[Mapping[str, Array]], precision: str) -> Proof:
    """Run the images, and compare with what is expected of each."""
    black = run(images[0] * 0)
    received = [run(each) for each in images]
    pairs = {
        name: [(wanted[name], found[name]) for wanted, found in zip(expected, received, strict=True)]
        for name in expected[0]
    }
    differences = {name: max(difference(*pair) for pair in each) for name, each in pairs.items()}
    cosines = {name: min(cosine(*pair) for pair in each) for name, each in pairs.items()}
    sizes = tuple(dict.fromkeys((each.shape[1], each.shape[2]) for each in images))
    steady = tuple([name for name in pairs if difference(received[0][name], black[name]) <= TOLERANCES[precision]])
    return Proof(differences, cosines, sizes, min(_seconds(lambda: run(images[0]))), steady)


def check(proof: Proof, precision: str, what: str) -> None:
    """Raise ArchError for results that are too far from float32's: in int8 by the cosine, else by the difference."""
    if precision == "int8":
        low = {name: each for name, each in proof.cosines.items() if not each >= LEAST_COSINE}
        facts = [
            f"{name} of {what} has cosine {each:.3f}; expected at least {LEAST_COSINE}" for name, each in low.items()
        ]
        hint = "calibrate with other photos, or --keep more layers in float32"
    else:
        most = TOLERANCES[precision]
        far = {name: each for name, each in proof.differences.items() if not each <= most}  # what is no number too
        facts = [f"{name} of {what} differs by {each:.1e}; expected at most {most:g}" for name, each in far.items()]
        hint = ""
    if facts:
        raise ArchError([problem("export", fact, hint=hint) for fact in facts])


def check_suppression(all_boxes: list[Mapping[str, Array]], best: list[Mapping[str, Array]], by: Suppression) -> int:
    """How many boxes are left. Raises ArchError unless they are those that archdsl.detections leaves of all.

    With what else there is for each; results that have no row for each box are as they were.
    """
    import numpy

    for given, found in zip(all_boxes, best, strict=True):
        wanted = detections(given, **by._asdict())
        is_there = numpy.arange(by.limit) < wanted["count"][:, None]
        if found["images"].tolist() != numpy.nonzero(is_there)[0].tolist():
            message = f"{len(found['images'])} boxes are left; archdsl.detections leaves {is_there.sum()}"
            raise fail("export", message)
        for name in found.keys() - {"images"}:
            expected = wanted[name][is_there] if name in wanted else given[name]
            rounding = 1e-4 * float(numpy.abs(expected).max(initial=0))  # scores without training are near 0
            if not numpy.allclose(found[name], expected, rtol=0, atol=rounding):
                raise fail("export", f"{name} that are left are not those that archdsl.detections leaves")
    return sum(len(each["images"]) for each in best)


def difference(expected: Array, received: Array) -> float:
    """Largest difference, as a part of the largest value. Raises ArchError for another shape."""
    import numpy

    if expected.shape != received.shape:
        raise fail("export", f"a result has shape {received.shape}; expected {expected.shape}")
    largest = float(numpy.abs(expected).max(initial=0))
    return float(numpy.abs(expected - received).max(initial=0)) / max(largest, _SMALLEST)


def cosine(expected: Array, received: Array) -> float:
    """Of the angle between all values of one and of the other; 1 where both are nothing but 0."""
    import numpy

    one, other = expected.ravel().astype("float64"), received.ravel().astype("float64")
    lengths = numpy.linalg.norm(one) * numpy.linalg.norm(other)
    return float(one @ other / lengths) if lengths else float(not one.any() and not other.any())


def _seconds(call: Callable[[], object]) -> Iterator[float]:
    for _ in range(_TIMED_RUNS):
        begin = time.perf_counter()
        call()
        yield time.perf_counter() - begin
