"""The structure of a network, and which part of one corresponds to which of another.

A structure holds what tells networks apart, whoever wrote them: layers that own arrays, and joins. Layers between
them, such as activations and padding, are left out.

Parts are told apart by colour refinement (Weisfeiler and Leman 1968). In a graph without circles one round forwards and
one backwards reach everything: the colour of a part is that of all that it is computed from, and of all that uses it.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Container, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

MAX_ROUNDS = 64  # of refinement; three are enough for any network without shared weights
MAX_TIES = 256  # of parts that nothing tells apart, which are settled one at a time
Pairs: TypeAlias = dict[int, int]
"""Parts of one structure → those of another, by their places."""


class Edge(NamedTuple):
    """An input of a part: the place of the part that it comes from, and what it went through on the way."""

    source: int
    detail: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """A layer that owns arrays, a place where paths meet, or an input.

    `kind` and the `shapes` of its arrays must be the same in another structure; `detail` only tells parts apart that
    are the same otherwise. `owner` is the same wherever the same arrays are used: those of `layer` from `first` on.
    `scale` is what a normalised image is multiplied by.
    """

    name: str
    kind: str
    inputs: tuple[Edge, ...] = ()
    is_ordered: bool = True
    shapes: tuple[Hashable, ...] = ()
    detail: Hashable = None
    owner: Hashable = None
    layer: Any = None
    first: int = 0
    scale: Any = 1.0


@dataclass(frozen=True)
class Structure:
    """Parts, each after those that it is computed from."""

    parts: tuple[Part, ...]

    @cached_property
    def owners(self) -> list[list[int]]:
        """The places that share arrays, where there are several."""
        found: dict[Hashable, list[int]] = defaultdict(list)
        for place, part in enumerate(self.parts):
            if part.owner is not None:
                found[part.owner].append(place)
        return [places for places in found.values() if len(places) > 1]


def isomorphism(ours: Structure, theirs: Structure) -> Pairs | None:
    """Which part is which, where the two structures are the same; None where they are not."""
    return _settled(ours, theirs, with_detail=True) or _settled(ours, theirs, with_detail=False)


def common(ours: Structure, theirs: Structure) -> Pairs:
    """Parts that are computed or used in the same way in both structures; of the rest, those between equal parts.

    The surest come first: those whose surroundings are the same too.
    """
    ways: tuple[Callable[[_Colours], object], ...] = (
        lambda both: both.forwards().around(3),
        lambda both: both.backwards().around(3),
        _Colours.forwards,
        _Colours.backwards,
        lambda both: both.around(2),
        lambda both: both.around(1),
    )
    pairs: Pairs = {}
    for told_apart in ways:
        both = _Colours(ours, theirs)
        told_apart(both)
        pairs = {**_in_turn(*both.colours, pairs, set(pairs.values())), **pairs}
    return pairs


def first_without_partner(ours: Structure, theirs: Structure) -> tuple[Part | None, Part | None]:
    """The first part on each side that is not computed in the same way on the other; None for none."""
    pairs = _in_turn(*_Colours(ours, theirs).forwards().colours)
    taken = set(pairs.values())
    own = (part for place, part in enumerate(ours.parts) if place not in pairs)
    other = (part for place, part in enumerate(theirs.parts) if place not in taken)
    return next(own, None), next(other, None)


def _settled(ours: Structure, theirs: Structure, with_detail: bool) -> Pairs | None:
    """Parts of equal colour, in the order they run; where that order contradicts itself, one by one."""
    both = _Colours(ours, theirs, with_detail)
    for _ in range(MAX_TIES):
        both.refine()
        if Counter(both.colours[0]) != Counter(both.colours[1]):
            return None
        pairs = _in_turn(*both.colours)
        if _agree(ours, theirs, pairs):
            return pairs
        both.tell_apart(pairs)
    return None


def _in_turn(
    ours: Sequence[int], theirs: Sequence[int], without: Container[int] = (), others_without: Container[int] = ()
) -> Pairs:
    """The first of a colour with the first of it, the second with the second."""
    places: dict[int, deque[int]] = defaultdict(deque)
    for place, colour in enumerate(theirs):
        if place not in others_without:
            places[colour].append(place)
    left = [(place, places[colour]) for place, colour in enumerate(ours) if place not in without and colour in places]
    return {place: found.popleft() for place, found in left if found}


def _agree(ours: Structure, theirs: Structure, pairs: Mapping[int, int]) -> bool:
    """Whether parts that are pairs read pairs, and share arrays where the others do."""
    owners: dict[Hashable, Hashable] = {}
    for place, part in enumerate(ours.parts):
        other = theirs.parts[pairs[place]]
        read = [pairs[edge.source] for edge in part.inputs]
        reads = [edge.source for edge in other.inputs]
        if read != reads and (part.is_ordered or sorted(read) != sorted(reads)):
            return False
        if owners.setdefault(part.owner, other.owner) != other.owner:
            return False
    return len(set(owners.values())) == len(owners)


class _Colours:
    """A number for each part of two structures, the same number for parts that nothing has told apart yet."""

    def __init__(self, ours: Structure, theirs: Structure, with_detail: bool = False):
        self.both = (ours, theirs)
        self.with_detail = with_detail
        self._numbers: dict[Hashable, int] = {}
        self.colours = (self._plain(ours), self._plain(theirs))

    def refine(self) -> None:
        """Tell apart all that their surroundings tell apart."""
        for _ in range(MAX_ROUNDS):
            before = self._count
            self.forwards().backwards()._each(self._with_sharers)
            if self._count == before:
                return

    @property
    def _count(self) -> int:
        return len(set().union(*self.colours))

    def _number(self, key: Hashable) -> int:
        return self._numbers.setdefault(key, len(self._numbers))

    def _plain(self, structure: Structure) -> list[int]:
        detailed = self.with_detail
        return [self._number((part.kind, part.shapes, detailed and part.detail)) for part in structure.parts]

    def _edge(self, edge: Edge) -> tuple[str, ...]:
        return edge.detail if self.with_detail else ()

    def forwards(self) -> _Colours:
        """Tell apart by what a part is computed from, all the way."""
        self._numbers = {}
        return self._each(self._forwards)

    def _forwards(self, structure: Structure, own: Sequence[int]) -> list[int]:
        colours: list[int] = []
        for part, colour in zip(structure.parts, own, strict=True):
            read = [(colours[edge.source], self._edge(edge)) for edge in part.inputs]
            colours.append(self._number((colour, tuple(read if part.is_ordered else sorted(read)))))
        return colours

    def backwards(self) -> _Colours:
        """Tell apart by what is computed from a part, all the way."""
        self._numbers = {}
        return self._each(self._backwards)

    def _backwards(self, structure: Structure, own: Sequence[int]) -> list[int]:
        users: list[list[tuple[int, int, tuple[str, ...]]]] = [[] for _ in own]
        colours = list(own)
        for place in reversed(range(len(own))):
            part = structure.parts[place]
            colours[place] = self._number((own[place], tuple(sorted(users[place]))))
            for position, edge in enumerate(part.inputs):
                users[edge.source].append((colours[place], position * part.is_ordered, self._edge(edge)))
        return colours

    def around(self, rounds: int) -> _Colours:
        """Tell apart by what a part reads and what reads it, up to that many parts away."""
        for _ in range(rounds):
            self._numbers = {}
            self._each(self._around)
        return self

    def _around(self, structure: Structure, own: Sequence[int]) -> list[int]:
        users: list[list[tuple[int, int]]] = [[] for _ in own]
        read: list[tuple[int, ...]] = []
        for part, colour in zip(structure.parts, own, strict=True):
            colours = [own[edge.source] for edge in part.inputs]
            read.append(tuple(colours if part.is_ordered else sorted(colours)))
            for position, edge in enumerate(part.inputs):
                users[edge.source].append((colour, position * part.is_ordered))
        return [
            self._number((colour, each, tuple(sorted(by)))) for colour, each, by in zip(own, read, users, strict=True)
        ]

    def _each(self, tell_apart: Callable[[Structure, Sequence[int]], list[int]]) -> _Colours:
        ours, theirs = self.colours
        self.colours = (tell_apart(self.both[0], ours), tell_apart(self.both[1], theirs))
        return self

    def _with_sharers(self, structure: Structure, own: Sequence[int]) -> list[int]:
        """Colours by where else the same arrays are used."""
        colours = list(own)
        for places in structure.owners:
            everywhere = tuple(sorted(own[place] for place in places))
            for place in places:
                colours[place] = self._number((own[place], everywhere))
        return colours

    def tell_apart(self, pairs: Mapping[int, int]) -> None:
        """Give the first pair whose colour others have a colour of its own."""
        counts = Counter(self.colours[0])
        place = next(place for place, colour in enumerate(self.colours[0]) if counts[colour] > 1)
        self.colours[0][place] = self.colours[1][pairs[place]] = -1
