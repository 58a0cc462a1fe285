"""A bar for each contender of a benchmark: the median, its spread, and how many times as long as the first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from archdsl.diagnostics.unicode import printable
from archdsl.tools.bench.contenders import RUNTIMES
from archdsl.tools.bench.results import Benchmark, Result, runtime_text

INK, FAINT = "#1c2126", "#6a737d"
COLOURS = ("#33658a", "#e07a2f", "#5b8c5a", "#a23b72", "#8d6a9f", "#c9a227", "#4a4e69", "#7f4f24")  # one a runtime
_FULL, _REDUCED = 1.0, 0.6  # opacity, of float32 and of what is less
WIDTH, DOTS = 9.0, 150  # inches, dots an inch
_ROW, _GROUP, _TOP, _BOTTOM = 0.34, 0.62, 0.85, 0.75  # inches: a bar, the name of a network, the margins
_MAX_NAME = 80


def draw(found: Benchmark, path: Path) -> None:
    """Write the picture. Raises OSError."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height = height_of(found.results)
    figure = Figure(figsize=(WIDTH, height), facecolor="white")
    FigureCanvasAgg(figure)
    left, right = 0.17, 0.97
    axes = figure.add_axes((left, _BOTTOM / height, right - left, 1 - (_BOTTOM + _TOP) / height))
    _draw_bars(axes, found)
    _draw_texts(figure, found, height)
    figure.savefig(path, dpi=DOTS)


def height_of(results: Sequence[Result]) -> float:
    """Of the picture, in inches."""
    return _TOP + _BOTTOM + _ROW * len(results) + _GROUP * len(_groups(results))


def _groups(results: Sequence[Result]) -> list[int]:
    """The places of the networks, in order."""
    return sorted({each.contender.entry for each in results})


def _draw_bars(axes: Any, found: Benchmark) -> None:
    """From the top, in inches: the name of each network, then its bars."""
    colours = dict(zip(RUNTIMES, COLOURS, strict=True))
    longest = max(each.times.p90 for each in found.results) * 1000
    down, ticks = 0.0, []
    for entry in _groups(found.results):
        own = [each for each in found.results if each.contender.entry == entry]
        name = printable(own[0].label[:_MAX_NAME])
        place = 0.006 * longest, down + 0.72 * _GROUP
        axes.text(*place, name, fontsize=12, weight="bold", color=INK, parse_math=False)
        down += _GROUP
        for each in own:
            _draw_bar(axes, each, down + _ROW / 2, colours[each.contender.runtime], longest)
            ticks.append((down + _ROW / 2, runtime_text(each.contender)))
            down += _ROW
    _draw_axes(axes, ticks, down, longest)


def _draw_bar(axes: Any, result: Result, place: float, colour: str, longest: float) -> None:
    least, middle, most = [1000 * each for each in (result.times.minimum, result.times.median, result.times.p90)]
    opacity = _FULL if result.contender.precision == "float32" else _REDUCED
    axes.barh(place, middle, height=0.72 * _ROW, color=colour, alpha=opacity)
    axes.plot([least, most], [place, place], color=INK, linewidth=1.2, solid_capstyle="butt")
    text = f"{middle:.3g} ms   {result.ratio.median:.2f} ×"
    axes.text(max(middle, most) + 0.012 * longest, place, text, va="center", fontsize=10, color=INK)


def _draw_axes(axes: Any, ticks: Sequence[tuple[float, str]], down: float, longest: float) -> None:
    places, names = zip(*ticks, strict=True)
    axes.set_yticks(places, names, fontsize=10.5, color=INK)
    axes.set_ylim(down, 0)
    axes.set_xlim(0, 1.25 * longest)  # room for the texts
    axes.set_xlabel(
        "milliseconds a call: bar median, line minimum to p90; × is the median of the ratios within a round",
        fontsize=10,
        color=FAINT,
    )
    axes.tick_params(axis="both", length=0, colors=FAINT)
    axes.tick_params(axis="y", colors=INK)
    axes.grid(axis="x", color="#e3e6ea", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)
    axes.spines["left"].set_color("#c6ccd2")


def _draw_texts(figure: Any, found: Benchmark, height: float) -> None:
    first, *_, load = found.totals()
    figure.text(0.02, 1 - 0.36 / height, "Milliseconds in each runtime", fontsize=15, weight="bold", color=INK)
    figure.text(0.02, 1 - 0.66 / height, f"{first}; {load}", fontsize=10, color=FAINT)
