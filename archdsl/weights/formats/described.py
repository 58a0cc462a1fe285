"""What a checkpoint of a whole module says of its modules: their classes and plain values, read as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archdsl.weights.formats.contents import short
from archdsl.weights.formats.pickle_data import Record


class Undescribed(LookupError):
    """A module that is not made as modules of its class are: the fact."""


@dataclass(frozen=True)
class Described:
    """A module: the last part of its class's name, and its state."""

    kind: str
    state: Mapping[Any, Any]

    @classmethod
    def of(cls, module: Any) -> Described:
        if not isinstance(module, Record) or not isinstance(module.state, dict):
            raise Undescribed("it has a part that is not a module")
        return cls(short(module.name.rpartition(".")[2]), module.state)

    @property
    def inside(self) -> Mapping[str, Any]:
        found = self.state.get("_modules")
        return found if isinstance(found, dict) else {}

    def part(self, path: str) -> Described:
        """A module inside of it, by its path."""
        found = self
        for name in path.split("."):
            if name not in found.inside:
                raise Undescribed(f"it has no part '{short(path)}'")
            found = Described.of(found.inside[name])
        return found

    def number(self, name: str) -> int:
        """A whole number, or one that several sides share, of at most 53 bits."""
        value = self.state.get(name)
        sides = value if isinstance(value, tuple) else (value,)
        if not sides or any(type(side) is not int or side != sides[0] or abs(side) >> 53 for side in sides):
            raise Undescribed(f"{self.kind} without a number as its {name}")
        found: int = sides[0]
        return found
