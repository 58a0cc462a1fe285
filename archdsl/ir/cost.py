"""The arrays that an operation owns, and what it costs to apply it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from math import prod
from typing import NamedTuple


class Weight(NamedTuple):
    """One array that a node owns; its size is the product of `shape`."""

    name: str
    shape: tuple[int, ...]
    trainable: bool = True

    @property
    def size(self) -> int:
        return prod(self.shape)


class Cost(NamedTuple):
    """What an operation costs, applied to inputs of certain types; or what several cost together.

    `params` are elements of all arrays, `trained` of those that training changes. `macs` are multiply-accumulates for
    one image, None where those of any operation are unknown, and `known_macs` those of the others. `activations` are
    elements of the results, 0 while the size of the image is unknown.
    """

    params: int
    trained: int
    macs: int | None
    activations: int
    known_macs: int


@lru_cache(maxsize=1024)  # half of all operations, on maps of a few sizes
def free(activations: int) -> Cost:
    return Cost(0, 0, 0, activations, 0)


NOTHING = free(0)


def total(costs: Iterable[Cost]) -> Cost:
    """The costs together."""
    params = trained = activations = known_macs = 0
    is_known = True
    for own_params, own_trained, macs, own_activations, own_macs in costs:
        params += own_params
        trained += own_trained
        activations += own_activations
        known_macs += own_macs
        is_known = is_known and macs is not None
    return Cost(params, trained, known_macs if is_known else None, activations, known_macs)
