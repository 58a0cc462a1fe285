"""The result of loading a file: which layers moved and which did not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Literal, NamedTuple

from archdsl.analysis.text import Table, counted
from archdsl.weights.formats.contents import Shape


class Moved(NamedTuple):
    """A layer that has the file's values now: its node, the entry of the config it is of, its name in the file.

    `made` is how they were made, where they are not those of the file: for an image of other channels, or of the
    classes that both have.
    """

    node: str
    entry: str
    stored: str
    shapes: tuple[Shape, ...]
    made: str = ""


class Left(NamedTuple):
    """A layer that kept its fresh values, with its shapes, those in the file, and why."""

    node: str
    entry: str
    shapes: tuple[Shape, ...]
    stored_shapes: tuple[Shape, ...]
    reason: str


@dataclass(frozen=True)
class Transfer:
    """The result of `load`: layers `moved` and `left`, and layers of the file that nothing took (`unused`).

    `scheme` is whose names the file has; `matched_by` is "order" where it has none and places and shapes decided. Parts
    of the file that are `for_training` alone are among the unused.
    """

    scheme: str
    matched_by: str
    moved: tuple[Moved, ...]
    left: tuple[Left, ...] = ()
    unused: tuple[str, ...] = ()
    source: Literal["file", "other model"] = "file"
    for_training: tuple[str, ...] = ()

    def with_made(self, made: Mapping[str, str]) -> Transfer:
        """The same, with how the layers of these nodes were made."""
        moved = [each._replace(made=made.get(each.node, each.made)) for each in self.moved]
        return replace(self, moved=tuple(moved))

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {
            "scheme": self.scheme,
            "matched_by": self.matched_by,
            "moved": [{**each._asdict(), "shapes": [list(shape) for shape in each.shapes]} for each in self.moved],
            "left": [
                {
                    **each._asdict(),
                    "shapes": [list(shape) for shape in each.shapes],
                    "stored_shapes": [list(shape) for shape in each.stored_shapes],
                }
                for each in self.left
            ],
            "unused": list(self.unused),
        }

    def to_table(self) -> str:
        """The table that `archdsl build --partial` prints, as text."""
        return "\n".join([*self.table().lines(), self.summary(), ""])

    def table(self) -> Table:
        """A row for each entry of the config whose layers moved or not, and one for each reason."""
        rows = []
        for entry, lines in groupby(self._lines(), key=lambda line: line[0]):
            reasons = [reason for _, reason in lines]
            why = list(dict.fromkeys(filter(None, reasons)))
            count = f"{reasons.count('')} of {len(reasons)}"
            rows.append((entry.removeprefix("stages."), count, why[0] if why else ""))
            rows += [("", "", reason) for reason in why[1:]]
        return Table(("layer", "moved", "why not the rest"), rows, ("moved",))

    def summary(self) -> str:
        """One line: how many layers moved, stayed fresh, and were not used; and how a first convolution was made."""
        whole = counted(len(self.moved) + len(self.left), "layer")
        unused = len(self.unused)
        not_used = f"{counted(unused, 'layer')} of the {self.source} {'was' if unused == 1 else 'were'} not used"
        not_used += "".join([f"; {name} is for training alone" for name in self.for_training])
        made = [f"; {each.node} has {each.made}" for each in self.moved if each.made]
        return "".join([f"\n{len(self.moved):,} of {whole} moved; {not_used}", *made])

    def _lines(self) -> list[tuple[str, str]]:
        """Entry and reason of each layer, entry by entry; a layer that moved has no reason."""
        lines = [(each.entry, "") for each in self.moved] + [(each.entry, each.reason) for each in self.left]
        order = {entry: index for index, entry in enumerate(dict.fromkeys(entry for entry, _ in lines))}
        return sorted(lines, key=lambda line: order[line[0]])
