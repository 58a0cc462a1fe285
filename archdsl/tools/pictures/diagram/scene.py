"""What a picture is made of: rectangles, lines and texts, in groups. Every writer knows these and nothing else.

Pixels, from the left and from the top. Colours are names that a theme knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Point = tuple[float, float]


class Rectangle(NamedTuple):
    """`radius` is that of its corners. No fill or line where the colour is empty."""

    left: float
    top: float
    width: float
    height: float
    fill: str = ""
    line: str = ""
    radius: float = 0
    thickness: float = 1

    def moved(self, across: float, down: float) -> Rectangle:
        return self._replace(left=self.left + across, top=self.top + down)


class Text(NamedTuple):
    """One line; `down` is its baseline, `across` its beginning, middle or end."""

    across: float
    down: float
    text: str
    size: float
    colour: str = "ink"
    bold: bool = False
    anchor: Literal["start", "middle", "end"] = "start"

    def moved(self, across: float, down: float) -> Text:
        return self._replace(across=self.across + across, down=self.down + down)


class Line(NamedTuple):
    """Straight pieces along the sides of the picture, with round corners; an arrow where they end."""

    points: Sequence[Point]
    colour: str
    thickness: float = 1.2


Shape = Rectangle | Text | Line


@dataclass
class Group:
    """Shapes and groups, and what they stand for: `attributes` are for those who look into the file."""

    parts: list[Shape | Group] = field(default_factory=list)
    attributes: Mapping[str, str] = field(default_factory=dict)
    title: str = ""


class Scene(NamedTuple):
    """A picture; `title` and `description` are for those who do not see it."""

    width: float
    height: float
    root: Group
    title: str
    description: str
