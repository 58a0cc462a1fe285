"""How a figure is distributed over the variants of a search, as populations of networks are compared.

Radosavovic et al. 2020, "Designing Network Design Spaces": the share of the networks in a band of cost whose figure is
at most so much (its empirical distribution function).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as arrow
from numpy.typing import NDArray

from archdsl.analysis.text import count_text
from archdsl.backends.atomic_write import written_whole
from archdsl.diagnostics.packages import require
from archdsl.diagnostics.problems import Mark, fail
from archdsl.diagnostics.unicode import printable
from archdsl.diagnostics.wording import did_you_mean, one_of
from archdsl.tools.search.parts import Results
from archdsl.tools.search.space import Bound

BINS = 2_000
"""Steps of a curve: narrower than a pixel."""
PICTURES = (".png", ".pdf", ".svg")
_COLOURS = ("#1f5fa8", "#b3541e", "#2c7a55", "#7d4aa0", "#8a6a00", "#a8325a")
MOST_BANDS = len(_COLOURS)
_INK, _FAINT, _LINE = "#1c2024", "#5b626a", "#e2dfd8"


class Curve(NamedTuple):
    """The share of `variants` networks whose figure is at most each of `values`."""

    label: str
    variants: int
    values: NDArray[np.float64]
    shares: NDArray[np.float64]

    @property
    def median(self) -> float:
        return float(self.values[np.searchsorted(self.shares, 0.5)]) if self.shares[-1] >= 0.5 else inf


def read_band(text: str) -> Bound:
    """`params=3e6:4e6`; an end may be left out. Raises ArchError."""
    figure, equals, limits = text.rpartition("=")
    least, colon, most = limits.partition(":")
    try:
        band = Bound(figure, float(least or -inf), float(most or inf))
    except ValueError:
        band = Bound(figure, inf, -inf)
    if not (equals and colon and band.least <= band.most):
        raise fail("value", f"'{text}' is not a band; expected one such as params=3e6:4e6")
    return band


def curves(results: Results, figure: str, bands: Sequence[Bound]) -> list[Curve]:
    """One for each band, or one of all variants. Reads the rows twice, some at a time."""
    for name in (figure, *[band.figure for band in bands]):
        _check_figure(results, name)
    bands = bands or [Bound(figure)]
    extents = _extents(results, figure, bands)
    edges = [np.linspace(least, most, BINS + 1) for _, least, most in extents]
    counts = [np.zeros(BINS + 1) for _ in bands]
    for table in results.tables():
        for band, own, counted in zip(bands, edges, counts, strict=True):
            places = np.searchsorted(own, _within(table, figure, band))  # the first edge that it is at most
            counted += np.bincount(places, minlength=BINS + 2)[: BINS + 1]
    return [
        Curve(_label(band, figure), count, own, np.cumsum(counted) / count)
        for band, (count, _, _), own, counted in zip(bands, extents, edges, counts, strict=True)
    ]


def _extents(results: Results, figure: str, bands: Sequence[Bound]) -> list[tuple[int, float, float]]:
    """How many variants are in each band, and the least and most of the figure that is finite."""
    counts, least, most = [0] * len(bands), [inf] * len(bands), [-inf] * len(bands)
    for table in results.tables():
        for place, band in enumerate(bands):
            values = _within(table, figure, band)
            finite = values[np.isfinite(values)]
            counts[place] += len(values)
            least[place] = min(least[place], finite.min(initial=inf))
            most[place] = max(most[place], finite.max(initial=-inf))
    for band, highest in zip(bands, most, strict=True):
        if highest == -inf:
            raise fail("empty", f"no variant with a finite {figure} is in the band {_label(band, figure)}")
    return list(zip(counts, least, most, strict=True))


def _within(table: arrow.Table, figure: str, band: Bound) -> NDArray[np.float64]:
    limited = table[band.figure].to_numpy()
    values: NDArray[np.float64] = table[figure].to_numpy()[(limited >= band.least) & (limited <= band.most)]
    return values.astype(np.float64)


def _check_figure(results: Results, name: str) -> None:
    names = [each for each, types in results.kinds.items() if arrow.string() not in types]
    if name not in names:
        raise fail("value", f"there is no column of numbers '{name}'; {one_of(names)}", hint=did_you_mean(name, names))


def _label(band: Bound, figure: str) -> str:
    least, most = (band.least > -inf and _number(band.least)), (band.most < inf and _number(band.most))
    if least and most:
        return f"{band.figure} {least} to {most}"
    return f"{band.figure} ≥ {least}" if least else f"{band.figure} ≤ {most}" if most else "all variants"


def _number(value: float) -> str:
    """Short: 3 M, 10 M, 2.45 G, 0.25."""
    return re.sub(r"\.0+ ", " ", count_text(round(value))) if abs(value) >= 1_000 else f"{value:.4g}"


def check_picture(output: Path) -> None:
    """Raise ArchError for a name that no picture has, or where nothing is installed that draws one."""
    if output.suffix.lower() not in PICTURES:
        raise fail("output", f"no picture ends in '{output.suffix}'; {one_of(PICTURES)}", mark=Mark(str(output)))
    require("matplotlib")


def write_picture(found: Sequence[Curve], figure: str, output: Path) -> None:
    """All curves in one picture."""
    drawn = _drawn(found, figure)
    with written_whole(output) as unfinished:
        drawn.savefig(unfinished, format=output.suffix[1:].lower(), dpi=150)


def _drawn(found: Sequence[Curve], figure: str) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, PercentFormatter

    sheet = Figure(figsize=(8, 5), facecolor="white", layout="constrained")
    FigureCanvasAgg(sheet)
    axes = sheet.add_subplot()
    for colour, curve in zip(_COLOURS, found, strict=False):
        label = f"{curve.label}: {curve.variants:,} variants, median {_number(curve.median)}"
        steps = np.concatenate([curve.values[:1], curve.values]), np.concatenate([[0.0], curve.shares])
        axes.plot(*steps, drawstyle="steps-post", color=colour, linewidth=2, label=printable(label))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _number(value)))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_ylim(0, 1.02)
    axes.set_xlabel(printable(figure), color=_INK, parse_math=False)
    axes.set_ylabel("share of variants at or below", color=_INK)
    axes.tick_params(colors=_FAINT, length=0, pad=7)
    axes.grid(color=_LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    legend = sheet.legend(loc="outside upper left", frameon=False, labelcolor=_INK)
    for text in legend.get_texts():
        text.set_parse_math(False)
    return sheet
