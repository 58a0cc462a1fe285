"""Width and depth multipliers, applied once, to every width and depth of a config and to nothing else.

In `blocks:` too, every number is scaled where it is written; a `$name` stands for what is scaled already.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from math import ceil
from typing import Any

from archdsl.blocks.registry import MAX_DEPTH, MAX_WIDTH, Block
from archdsl.diagnostics.problems import ArchError, Note, fail
from archdsl.frontend.compose.config import Location
from archdsl.frontend.sections import part_of
from archdsl.frontend.sema.composite import Composite
from archdsl.frontend.sema.spec import UNSCALED, LayerSpec, NetworkSpec, PartSpec, Scale

LIMITS = {"width": MAX_WIDTH, "depth": MAX_DEPTH}


def scale_spec(spec: NetworkSpec) -> NetworkSpec:
    """The same network in the size that its `scale` asks for; the result has nothing left to scale.

    Raises ArchError where that goes beyond the largest width or depth that a config may say itself.
    """
    return spec if spec.scale == UNSCALED else _scaled(spec, spec.scale)


def _composites(spec: NetworkSpec) -> list[Composite]:
    return [block for block in spec.blocks if isinstance(block, Composite)]


def _too_large(at: Location, name: str, size: str, value: int) -> ArchError:
    message = f"{at} gets {name} {value}; expected at most {LIMITS[size]}"
    before = _size_at(at, name).value
    notes = [Note(before, f"its {name} before scaling is set at")] if before.line else []
    scale = at.config.at("scale", size)
    return fail("range", message, mark=scale.value, path=str(scale), hint=f"lower scale.{size}", notes=notes)


def _size_at(layer: Location, key: str) -> Location:
    """Where the width or depth of a layer is set: by itself, or by its stage."""
    own, stage = layer / key, layer.config.at(*part_of(layer.path), key)
    return next((each for each in (own, stage) if each.is_written), layer)


def _scaled(spec: NetworkSpec, factors: Scale) -> NetworkSpec:
    blocks: dict[Block, Composite] = {}
    for block in _composites(spec):  # each after those that it is made of
        layers = [_layer(layer, factors, blocks) for layer in block.layers]
        blocks[block] = block.resized(
            _arguments(block.at / "arguments", block.defaults, block.sizes, factors), layers, factors
        )
    return replace(
        spec,
        scale=UNSCALED,
        blocks=tuple(blocks.values()),
        parts=tuple([_part(part, factors, blocks) for part in spec.parts]),
    )


@lru_cache(maxsize=1024)  # a network has few widths, which its layers share
def scaled_width(width: int, factors: Scale) -> int:
    """min(width, max_width) × factor, to the nearest multiple of the divisor, at least one divisor."""
    return factors.multiple(_capped(width, factors) * factors.width)


def _capped(width: int, factors: Scale) -> int:
    return width if factors.max_width is None else min(width, factors.max_width)


def scaled_depth(depth: int, factors: Scale) -> int:
    """depth × factor, rounded to the nearest whole number (a half to the even one) or up, at least 1."""
    exact = depth * factors.depth
    return max(1, ceil(exact) if factors.depth_rounding == "up" else round(exact))


SCALED: Mapping[str, Callable[[int, Scale], int]] = {"width": scaled_width, "depth": scaled_depth}


def scaling(size: str, value: int, factors: Scale) -> str:
    """How SCALED comes to its result, in words: `min(1024, scale.max_width 768) × scale.width 0.75 = 576`."""
    capped = _capped(value, factors) if size == "width" else value
    factor = factors.width if size == "width" else factors.depth
    start = f"{value}" if capped == value else f"min({value}, scale.max_width {factors.max_width})"
    exact = capped * factor
    text = f"{start} × scale.{size} {factor:g} = {exact:g}"
    if exact == SCALED[size](value, factors):
        return text
    if size == "width":
        return f"{text}, rounded" + (f" to a multiple of {factors.divisor}" if factors.divisor > 1 else "")
    if factors.depth_rounding == "up":
        return f"{text}, rounded up"
    return f"{text}, rounded" + (", at least 1" if round(exact) < 1 else "")


def _part(part: PartSpec, factors: Scale, blocks: Mapping[Block, Composite]) -> PartSpec:
    layers = tuple([_layer(layer, factors, blocks) for layer in part.layers])
    return PartSpec(part.name, part.at, layers, part.is_stage)


def _layer(layer: LayerSpec, factors: Scale, blocks: Mapping[Block, Composite]) -> LayerSpec:
    name, at, block, arguments, sources, repeats, first, last, each, share, when = layer
    sizes = block.sizes
    return LayerSpec(
        name,
        at,
        blocks.get(block, block) if blocks else block,
        _arguments(at, arguments, sizes, factors),
        sources,
        _size(at, "depth", "depth", repeats, factors) if isinstance(repeats, int) else repeats,
        _arguments(at, first, sizes, factors) if first else first,
        last,
        each,
        share,
        when,
    )


def _arguments(
    at: Location, arguments: Mapping[str, Any], sizes: Mapping[str, str], factors: Scale
) -> Mapping[str, Any]:
    """A number is scaled; a `$name` is not: what it stands for is, where that is written."""
    scaled = {
        name: _size(at, name, size, value, factors)
        for name, size in sizes.items()
        if isinstance(value := arguments.get(name), int)
    }
    return {**arguments, **scaled} if scaled else arguments


def _size(at: Location, name: str, size: str, value: int, factors: Scale) -> int:
    scaled = SCALED[size](value, factors)
    if scaled > LIMITS[size]:
        raise _too_large(at, name, size, scaled)
    return scaled
