"""How much boxes share: those along the axes, and those that are turned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy

    Array = numpy.ndarray[Any, Any]

_LEAST = 1e-7  # of a variance in square pixels, so that a box without an area has a Gaussian


def overlap(box: Array, others: Array) -> Array:
    """Of one box with others, 0 … 1. (4), (n, 4) -> (n), intersection over union; or (5), (n, 5) -> (n), ProbIoU."""
    return _shared_area(box, others) if box.shape[-1] == 4 else _shared_probability(box, others)


def _shared_area(box: Array, others: Array) -> Array:
    import numpy

    both = numpy.concatenate([box[None], others])
    low, high = numpy.minimum(both[:, :2], both[:, 2:]), numpy.maximum(both[:, :2], both[:, 2:])
    areas = (high - low).prod(-1)
    sides = numpy.minimum(high[0], high[1:]) - numpy.maximum(low[0], low[1:])
    shared = numpy.maximum(sides, 0).prod(-1)
    united = areas[0] + areas[1:] - shared
    found: Array = numpy.divide(shared, united, out=numpy.zeros_like(shared), where=shared > 0)
    return found


def _shared_probability(box: Array, others: Array) -> Array:
    """1 - Hellinger distance of the Gaussians that boxes stand for (Llerena et al. 2021, equations 2 to 8)."""
    import numpy

    both = numpy.concatenate([box[None], others]).astype("float64")
    (x, y), (a, b, c) = both[:, :2].T, _variances(both)
    right, down = x[1:] - x[0], y[1:] - y[0]
    sums = [each[1:] + each[0] for each in (a, b, c)]
    whole = sums[0] * sums[1] - sums[2] ** 2
    far = (sums[0] * down**2 + sums[1] * right**2 - 2 * sums[2] * right * down) / (4 * whole)
    areas = a * b - c**2
    unlike = numpy.log(whole / (4 * numpy.sqrt(areas[1:] * areas[0]))) / 2
    found: Array = 1 - numpy.sqrt(1 - numpy.exp(-numpy.maximum(far + unlike, 0)))
    return found


def _variances(boxes: Array) -> tuple[Array, Array, Array]:
    """Of x, of y, and of both together, of points drawn evenly from boxes x, y, width, height, radians."""
    import numpy

    width, height, angle = boxes[:, 2:].T
    along, across = width**2 / 12 + _LEAST, height**2 / 12 + _LEAST
    cosine, sine = numpy.cos(angle), numpy.sin(angle)
    first, second = along * cosine**2 + across * sine**2, along * sine**2 + across * cosine**2
    return first, second, (along - across) * cosine * sine
