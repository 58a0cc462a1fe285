"""A scene as SVG: texts as texts, no fonts, scripts or references inside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from archdsl.diagnostics.unicode import printable
from archdsl.tools.pictures.diagram.lines import steps_of
from archdsl.tools.pictures.diagram.scene import Group, Line, Rectangle, Scene, Shape, Text
from archdsl.tools.pictures.diagram.texts import FONTS

_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})


def svg(scene: Scene, colours: Mapping[str, str]) -> str:
    """The whole file, which may also stand inside of an HTML page."""
    width, height = _number(scene.width), _number(scene.height)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="archdsl" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="group" aria-label="{_text(scene.description)}" font-family="{_text(FONTS)}">'
    )
    lines = [head, f"<title>{_text(scene.title)}</title>", *_group(scene.root, colours), "</svg>"]
    return "\n".join(lines) + "\n"


def _group(group: Group, colours: Mapping[str, str]) -> Iterator[str]:
    attributes = _attributes(group.attributes)
    title = [f"<title>{_text(group.title)}</title>"] if group.title else []
    own = [part for part in group.parts if not isinstance(part, Group)]
    if len(own) == len(group.parts) == 1 and isinstance(own[0], Line):  # its attributes are those of the line
        yield _line(own[0], colours, attributes)
        return
    yield f"<g{attributes}>{''.join(title)}"
    for part in group.parts:
        if isinstance(part, Group):
            yield from _group(part, colours)
        else:
            yield _shape(part, colours)
    yield "</g>"


def _shape(shape: Shape, colours: Mapping[str, str]) -> str:
    if isinstance(shape, Line):
        return _line(shape, colours)
    return _rectangle(shape, colours) if isinstance(shape, Rectangle) else _written(shape, colours)


def _rectangle(shape: Rectangle, colours: Mapping[str, str]) -> str:
    place = {"x": shape.left, "y": shape.top, "width": shape.width, "height": shape.height}
    sides = "".join([f' {name}="{_number(value)}"' for name, value in place.items()])
    corners = f' rx="{_number(shape.radius)}"' if shape.radius else ""
    fill = f' fill="{colours[shape.fill] if shape.fill else "none"}"'
    line = f' stroke="{colours[shape.line]}"' if shape.line else ""
    thickness = f' stroke-width="{_number(shape.thickness)}"' if shape.line and shape.thickness != 1 else ""
    return f"<rect{sides}{corners}{fill}{line}{thickness}/>"


def _written(shape: Text, colours: Mapping[str, str]) -> str:
    bold = ' font-weight="600"' if shape.bold else ""
    anchor = f' text-anchor="{shape.anchor}"' if shape.anchor != "start" else ""
    place = f'x="{_number(shape.across)}" y="{_number(shape.down)}" font-size="{_number(shape.size)}"'
    return f'<text {place}{bold}{anchor} fill="{colours[shape.colour]}">{_text(shape.text)}</text>'


def _line(line: Line, colours: Mapping[str, str], attributes: str = "") -> str:
    look = f'fill="none" stroke="{colours[line.colour]}" stroke-width="{_number(line.thickness)}"'
    return f'<path{attributes} d="{"".join(_steps(line))}" {look}/>'


def _steps(line: Line) -> Iterator[str]:
    for command, points in steps_of(line):
        yield command + " ".join([f"{_number(across)} {_number(down)}" for across, down in points])


def _attributes(values: Mapping[str, str]) -> str:
    return "".join([f' {name}="{_text(value)}"' for name, value in values.items()])


@lru_cache(10_000)
def _text(text: str) -> str:
    return printable(text).translate(_ENTITIES)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
