"""Lines beside each other in the gutters between columns: those of one box share a track, others never touch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from archdsl.tools.pictures.diagram.routes import Route

TRACK = 8.0
_APART = 6.0  # where one line of a track ends and the next begins


class Tracks(NamedTuple):
    """How many there are in each gutter, and for a gutter and the box that a line comes from its place."""

    counts: list[int]
    place: dict[tuple[int, int], int]


class _Trunk(NamedTuple):
    """The lines of a box in a gutter together."""

    source: int
    begin: float
    top: float
    bottom: float
    is_bracket: bool


def tracks_of(routes: Sequence[Route], columns: int) -> Tracks:
    """A track for every line that runs down or up a gutter."""
    tracks = Tracks([0] * columns, {})
    for gutter in range(columns):
        rows: list[list[_Trunk]] = []
        for trunk in sorted(_trunks(routes, gutter), key=_order):
            free = [number for number, row in enumerate(rows) if all(_are_apart(trunk, other) for other in row)]
            tracks.place[gutter, trunk.source] = number = free[0] if free else len(rows)
            rows += [] if free else [[]]
            rows[number].append(trunk)
        tracks.counts[gutter] = len(rows)
    return tracks


def _trunks(routes: Sequence[Route], gutter: int) -> list[_Trunk]:
    found: dict[int, _Trunk] = {}
    for route in routes:
        for number, before, after in route.turns:
            if number == gutter and before != after:
                old = found.get(route.source, _Trunk(route.source, before, before, before, True))
                top, bottom = min(old.top, before, after), max(old.bottom, before, after)
                found[route.source] = _Trunk(route.source, before, top, bottom, old.is_bracket and route.is_bracket)
    return list(found.values())


def _order(trunk: _Trunk) -> tuple[float, ...]:
    """From the left: brackets; what goes up, the highest first; what goes down, the lowest first: few lines cross."""
    goes_down = trunk.bottom - trunk.begin > trunk.begin - trunk.top
    return not trunk.is_bracket, goes_down, -trunk.begin if goes_down else trunk.begin


def _are_apart(one: _Trunk, other: _Trunk) -> bool:
    return one.bottom + _APART < other.top or other.bottom + _APART < one.top
