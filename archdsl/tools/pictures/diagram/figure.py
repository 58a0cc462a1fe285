"""A scene as PNG or PDF, drawn by Matplotlib from the same shapes as the SVG. The PDF's texts are texts."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archdsl.tools.pictures.diagram.lines import steps_of
from archdsl.tools.pictures.diagram.scene import Group, Line, Point, Rectangle, Scene, Shape, Text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PIXELS_AN_INCH, POINTS_AN_INCH = 96, 72
DOTS = 192  # an inch, of a PNG: two a pixel
LONGEST = 16_000  # dots along a side
_FONTS = ("Arial", "Liberation Sans")  # Matplotlib brings DejaVu Sans, which is wider than what texts are measured by
_DEJAVU_SIZE, _DEJAVU_BOLD = 0.88, 0.93  # of what the scene says; of that, where it is bold


def write_figure(scene: Scene, colours: Mapping[str, str], path: Path, suffix: str) -> None:
    """Write it in the format of `suffix`, .png or .pdf, whatever `path` is called. Raises OSError."""
    import matplotlib

    about: dict[str, str | None] = {"Title": scene.title}
    about.update({"CreationDate": None} if suffix == ".pdf" else {"Description": scene.description})
    with matplotlib.rc_context({"pdf.fonttype": 42}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # drawn as a box
        figure = _figure(scene, colours)
        dots = min(DOTS, LONGEST * PIXELS_AN_INCH / max(scene.width, scene.height))
        figure.savefig(path, format=suffix.removeprefix("."), dpi=dots, metadata=about)


def _figure(scene: Scene, colours: Mapping[str, str]) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(scene.width / PIXELS_AN_INCH, scene.height / PIXELS_AN_INCH))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, scene.width)
    axes.set_ylim(scene.height, 0)
    fonts = _fonts()
    for order, shape in enumerate(_shapes(scene.root)):
        if isinstance(shape, Text):
            _write(axes, shape, colours, order, fonts)
        else:
            _draw(axes, shape, colours, order)
    return figure


def _fonts() -> list[str]:
    """The fonts to use, of those that are installed."""
    from matplotlib.font_manager import fontManager

    known = set(fontManager.get_font_names())
    return [*[name for name in _FONTS if name in known], "DejaVu Sans"]


def _shapes(group: Group) -> Iterator[Shape]:
    for part in group.parts:
        if isinstance(part, Group):
            yield from _shapes(part)
        else:
            yield part


def _write(axes: Any, text: Text, colours: Mapping[str, str], order: int, fonts: list[str]) -> None:
    size = text.size * POINTS_AN_INCH / PIXELS_AN_INCH
    if len(fonts) == 1:
        size *= _DEJAVU_SIZE * (_DEJAVU_BOLD if text.bold else 1)
    axes.text(
        text.across,
        text.down,
        text.text,
        color=colours[text.colour],
        weight="bold" if text.bold else "normal",
        ha={"start": "left", "middle": "center", "end": "right"}[text.anchor],
        va="baseline",
        zorder=order,
        parse_math=False,
        family=fonts,
        fontsize=size,
    )


def _draw(axes: Any, shape: Rectangle | Line, colours: Mapping[str, str], order: int) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Outline

    codes = {"M": Outline.MOVETO, "L": Outline.LINETO, "Q": Outline.CURVE3, "Z": Outline.CLOSEPOLY}
    steps = list(steps_of(shape) if isinstance(shape, Line) else _corners(shape))
    outline = Outline(
        [point for _, points in steps for point in points], [codes[name] for name, points in steps for _ in points]
    )
    fill, line = ("", shape.colour) if isinstance(shape, Line) else (shape.fill, shape.line)
    patch = PathPatch(
        outline,
        facecolor=colours[fill] if fill else "none",
        edgecolor=colours[line] if line else "none",
        linewidth=shape.thickness * POINTS_AN_INCH / PIXELS_AN_INCH if line else 0,
        zorder=order,
        capstyle="butt",
    )
    axes.add_artist(patch)


def _corners(box: Rectangle) -> Iterator[tuple[str, list[Point]]]:
    """The sides of a rectangle, and its round corners."""
    left, top, right, bottom = box.left, box.top, box.left + box.width, box.top + box.height
    round_ = min(box.radius, box.width / 2, box.height / 2)
    yield "M", [(left + round_, top)]
    yield "L", [(right - round_, top)]
    yield "Q", [(right, top), (right, top + round_)]
    yield "L", [(right, bottom - round_)]
    yield "Q", [(right, bottom), (right - round_, bottom)]
    yield "L", [(left + round_, bottom)]
    yield "Q", [(left, bottom), (left, bottom - round_)]
    yield "L", [(left, top + round_)]
    yield "Q", [(left, top), (left + round_, top)]
    yield "Z", [(left + round_, top)]
