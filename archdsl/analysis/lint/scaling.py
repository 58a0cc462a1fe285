"""What scaling changed beyond its factors: depths it rounded, widths it cut, widths that suit no hardware."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from archdsl.analysis.lint.design import Design, Finding
from archdsl.blocks.registry import MAX_DEPTH, MAX_WIDTH
from archdsl.frontend.sema.scale import scaled_depth
from archdsl.frontend.sema.spec import Scale
from archdsl.frontend.source import KeyPath, dotted

MEANT = 0.05
"""Rounding by less than this share of a depth is what its factor means: 0.33 is a third."""

MULTIPLE = 8
"""Tensor cores take 16-bit channels in eights (NVIDIA, Deep Learning Performance guide, convolutional layers)."""

SHOWN = 6  # stages and layers that a message lists

ROUNDED = f"it rounds every scaled width to a multiple of {MULTIPLE}"


def rounded_depths(design: Design) -> Iterator[Finding]:
    """Is a depth far from what depth × scale.depth says, because it was rounded?"""
    factors = design.spec.scale
    depths = design.sizes("depth")
    found = {path: pair for path, pair in depths.items() if pair != (1, 1) and not is_meant(pair[0], factors)}
    for (depth, rounded), paths in by_size(found).items():
        mark, where = design.place(*paths, ("scale", "depth"))
        exact = f"depth {depth} × scale.depth {factors.depth:g} is {depth * factors.depth:.3g}"
        message = f"{exact}, rounded to {rounded}, in {owners(paths)}"
        change = tuple([design.assign(path, unrounded(depth, factors)) for path in paths])
        yield Finding("note", message, mark, where, change, "a depth that needs no rounding, or another scale.depth")
    if not found:
        yield Finding("ok", f"rounding changes none of {len(depths)} depths")


def by_size(sizes: Mapping[KeyPath, tuple[int, int]]) -> dict[tuple[int, int], list[KeyPath]]:
    """Where each size stands, written and built."""
    found: dict[tuple[int, int], list[KeyPath]] = {}
    for path, pair in sizes.items():
        found.setdefault(pair, []).append(path)
    return found


def owners(paths: Iterable[KeyPath]) -> str:
    """The stages and layers that widths or depths belong to; the first few of many."""
    names = [dotted(path).removesuffix(".width").removesuffix(".depth") for path in paths]
    return ", ".join(names[:SHOWN]) + ", …" * (len(names) > SHOWN)


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
    cut = {path: pair for path, pair in widths.items() if pair[0] > cap}
    for (written, built), paths in by_size(cut).items():
        mark, where = design.place(*paths, ("scale", "max_width"))
        message = f"width {written} is cut to scale.max_width {cap}, which gives {built} channels, in {owners(paths)}"
        change = tuple([design.assign(path, cap) for path in paths])
        yield Finding("note", message, mark, where, change, "or a larger scale.max_width")
    if not cut:
        yield Finding("ok", f"scale.max_width cuts none of {len(widths)} widths")


def odd_widths(design: Design) -> Iterator[Finding]:
    """Is a width no multiple of 8?"""
    widths = design.sizes("width")
    exact = exact_widths(design)
    odd = {path: pair for path, pair in widths.items() if pair[1] % MULTIPLE and path not in exact}
    factor = design.spec.scale.width
    scaled = {path: built for path, (written, built) in odd.items() if factor != 1 or written != built}
    for path in [path for path in odd if path not in scaled]:
        written = widths[path][0]
        mark, where = design.place(path)
        change = (design.assign(path, next_multiple(written)),)
        yield Finding("change", f"width {written} is not a multiple of {MULTIPLE}", mark, where, change)
    if scaled:
        mark, where = design.place(("scale", "width"), *scaled)
        listed = ", ".join([f"{owners([path])} {built}" for path, built in list(scaled.items())[:SHOWN]])
        more = ", …" if len(scaled) > SHOWN else ""
        message = f"{len(scaled)} of {len(widths)} widths do not come out as multiples of {MULTIPLE}: {listed}{more}"
        change = (design.assign(("scale", "divisor"), MULTIPLE),)
        yield Finding("change", message, mark, where, change, ROUNDED)
    if not odd:
        yield Finding("ok", f"all {len(widths)} widths are multiples of {MULTIPLE}")


def exact_widths(design: Design) -> set[KeyPath]:
    """Widths that nobody chose for speed: of maps of one pixel (gates, squeezes), and of results that nothing reads."""
    nodes = design.graph.nodes
    read = {source.origin for node in nodes for source in node.inputs if source.origin != node.origin}
    chosen = {node.origin for node in nodes if node.origin in read and node.type.shape[:2] != (1, 1)}
    levels = {end.origin for end in design.ends.values()}
    exact = {node.origin.path for node in nodes} - {origin.path for origin in chosen | levels}
    return {(*path.split("."), "width") for path in exact}


def commas(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))


def next_multiple(number: int) -> int:
    return -(-number // MULTIPLE) * MULTIPLE
