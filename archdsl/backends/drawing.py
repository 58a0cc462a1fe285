"""The random numbers that kernels begin with, drawn by NumPy as Keras's initializers would. Needs no Keras."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy

if TYPE_CHECKING:
    from archdsl.ir.passes.rewrite import Array


def glorot_uniform(random: numpy.random.Generator, shape: tuple[int, ...]) -> Array:
    """Uniform in ± √(6 / (inputs + outputs)), in float32 (Glorot and Bengio 2010, equation 16)."""
    limit = (6 / sum(_fans(shape))) ** 0.5
    found = random.random(shape, dtype="float32")
    found *= 2 * limit
    found -= limit
    return found


def truncated_normal(random: numpy.random.Generator, shape: tuple[int, ...], deviation: float) -> Array:
    """Normal numbers in float32, those beyond two deviations drawn again."""
    found = random.standard_normal(shape, dtype="float32")
    while (far := abs(found) > 2).any():
        found[far] = random.standard_normal(int(far.sum()), dtype="float32")
    return found * numpy.float32(deviation)


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Numbers that a result is made of, and results that a number goes into."""
    *window, given, made = shape
    return prod(window) * given, prod(window) * made
