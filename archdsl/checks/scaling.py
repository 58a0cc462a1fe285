"""What scaling changed beyond its factors: depths it rounded, widths it cut, widths that suit no hardware."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from archdsl.checks.design import Design, Finding
from archdsl.registry import MAX_DEPTH, MAX_WIDTH
from archdsl.scale import scaled_depth
from archdsl.source import dotted
from archdsl.spec import Scale

MEANT = 0.05
"""Rounding by less than this share of a depth is what its factor means: 0.33 is a third."""

MULTIPLE = 8
"""Tensor cores take 16-bit channels in eights (NVIDIA, Deep Learning Performance guide, convolutional layers)."""

SHOWN = 6

ROUNDED = f"it rounds every scaled width to a multiple of {MULTIPLE}"


def rounded_depths(design: Design) -> Iterator[Finding]:
    """Is a depth far from what depth × scale.depth says, because it was rounded?"""
    factors = design.spec.scale
    depths = {path: depth for path, (depth, _) in design.sizes("depth").items()}
    found = {path: depth for path, depth in depths.items() if not is_meant(depth, factors)}
    for path, depth in found.items():
        mark, where = design.place(path, ("scale", "depth"))
        message = (
            f"{dotted(path)} is {depth}; × scale.depth {factors.depth:g} is {depth * factors.depth:.3g}, "
            f"rounded to {scaled_depth(depth, factors)}"
        )
        change = (design.assign(path, unrounded(depth, factors)),)
        yield Finding("note", message, mark, where, change, "a depth that needs no rounding, or another scale.depth")
    if not found:
        yield Finding("ok", f"rounding changes none of {len(depths)} depths")


def is_meant(depth: int, factors: Scale) -> bool:
    exact = depth * factors.depth
    return abs(scaled_depth(depth, factors) - exact) <= MEANT * exact


def unrounded(depth: int, factors: Scale) -> int:
    """The nearest depth that needs no rounding; if there is one, of those that give the same."""
    fitting = [other for other in range(1, MAX_DEPTH + 1) if is_meant(other, factors)]
    same = [other for other in fitting if scaled_depth(other, factors) == scaled_depth(depth, factors)]
    return min(same or fitting, key=lambda other: abs(other - depth), default=depth)


def cut_widths(design: Design) -> Iterator[Finding]:
    """Is a width larger than scale.max_width, and cut?"""
    cap = design.spec.scale.max_width or MAX_WIDTH
    widths = design.sizes("width")
    cut = {path: written for path, (written, _) in widths.items() if written > cap}
    for path, written in cut.items():
        mark, where = design.place(path, ("scale", "max_width"))
        gives = f"which gives {widths[path][1]} channels"
        message = f"{dotted(path)} is {written}, but is cut to scale.max_width {cap}, {gives}"
        yield Finding("note", message, mark, where, (design.assign(path, cap),), "or a larger scale.max_width")
    if not cut:
        yield Finding("ok", f"scale.max_width cuts none of {len(widths)} widths")


def odd_widths(design: Design) -> Iterator[Finding]:
    """Is a width no multiple of 8?"""
    widths = design.sizes("width")
    odd = {path: pair for path, pair in widths.items() if pair[1] % MULTIPLE}
    factor = design.spec.scale.width
    scaled = {path: built for path, (written, built) in odd.items() if factor != 1 or written != built}
    for path in [path for path in odd if path not in scaled]:
        written = widths[path][0]
        mark, where = design.place(path)
        change = (design.assign(path, next_multiple(written)),)
        yield Finding("change", f"width {written} is not a multiple of {MULTIPLE}", mark, where, change)
    if scaled:
        mark, where = design.place(("scale", "width"), *scaled)
        listed = [f"{dotted(path).removesuffix('.width')} {built}" for path, built in scaled.items()]
        more = ", …" if len(listed) > SHOWN else ""
        fact = f"{len(scaled)} of {len(widths)} widths do not come out as multiples of {MULTIPLE}"
        message = f"{fact}: {', '.join(listed[:SHOWN])}{more}"
        change = (design.assign(("scale", "divisor"), MULTIPLE),)
        yield Finding("change", message, mark, where, change, ROUNDED)
    if not odd:
        yield Finding("ok", f"all {len(widths)} widths are multiples of {MULTIPLE}")


def commas(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))


def next_multiple(number: int) -> int:
    return -(-number // MULTIPLE) * MULTIPLE
