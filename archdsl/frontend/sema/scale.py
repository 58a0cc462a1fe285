"""Width and depth multipliers, applied once, to every width and depth of a config and to nothing else.

In `blocks:` too, every number is scaled where it is written; a `$name` stands for what is scaled already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from archdsl.blocks.registry import MAX_DEPTH, MAX_WIDTH, Block
from archdsl.diagnostics.problems import Note, fail
from archdsl.frontend.compose.config import Config
from archdsl.frontend.sema.composite import Composite
from archdsl.frontend.sema.spec import BackboneSpec, LayerSpec, Scale, StageSpec
from archdsl.frontend.source import KeyPath, dotted


def scale_spec(spec: BackboneSpec) -> BackboneSpec:
    """The same backbone in the size that its `scale` asks for; the result has nothing left to scale.

    Raises ArchError where that goes beyond the largest width or depth that a config may say itself.
    """
    factors = spec.scale
    if factors == Scale():
        return spec
    scaled = _scaled(spec, factors)
    for stage in (scaled.stem, *scaled.stages, scaled.tail):
        for layer in stage.layers:
            _check_range(layer, spec.config)
    for block in _composites(scaled):
        _check_sizes(("blocks", block.name, "arguments"), block.sizes, block.defaults, spec.config)
        for layer in block.layers:
            _check_range(layer, spec.config)
    return scaled


def _composites(spec: BackboneSpec) -> list[Composite]:
    return [block for block in spec.blocks if isinstance(block, Composite)]


def _check_range(layer: LayerSpec, config: Config) -> None:
    _check_sizes(layer.path, {"depth": "depth"}, {"depth": layer.repeats}, config)
    _check_sizes(layer.path, layer.block.sizes, layer.arguments, config)


def _check_sizes(path: KeyPath, sizes: Mapping[str, str], arguments: Mapping[str, Any], config: Config) -> None:
    limits = {"width": MAX_WIDTH, "depth": MAX_DEPTH}
    for name, size in sizes.items():
        value = arguments.get(name)
        if isinstance(value, int) and value > limits[size]:
            mark = config.place(("scale", size)).value
            message = f"{dotted(path)} gets {name} {value}; expected at most {limits[size]}"
            said = next((each for each in _paths_of(path, name) if each in config.places), path)
            before = config.place(said).value
            notes = [Note(before, f"its {name} before scaling stands at")] if before.line else []
            raise fail("range", message, mark=mark, path=f"scale.{size}", hint=f"lower scale.{size}", notes=notes)


def _paths_of(layer: KeyPath, key: str) -> list[KeyPath]:
    """Where a width or depth may be said: by the layer or its stage, or for them by stage_defaults."""
    own = [(*layer, key), (*layer[:2], key)]
    return own + [("stage_defaults", *path[2:]) for path in own if path[0] == "stages"]


def _scaled(spec: BackboneSpec, factors: Scale) -> BackboneSpec:
    blocks: dict[Block, Composite] = {}
    for block in _composites(spec):  # each after those that it is made of
        layers = [_layer(layer, factors, blocks) for layer in block.layers]
        blocks[block] = block.resized(_arguments(block.defaults, block.sizes, factors), layers)
    return replace(
        spec,
        scale=Scale(),
        blocks=tuple(blocks.values()),
        stem=_stage(spec.stem, factors, blocks),
        stages=tuple([_stage(stage, factors, blocks) for stage in spec.stages]),
        tail=_stage(spec.tail, factors, blocks),
    )


def scaled_width(width: int, factors: Scale) -> int:
    """min(width, max_width) × factor, to the nearest multiple of the divisor, at least one divisor."""
    capped = width if factors.max_width is None else min(width, factors.max_width)
    return max(1, round(capped * factors.width / factors.divisor)) * factors.divisor


def scaled_depth(depth: int, factors: Scale) -> int:
    """depth × factor, rounded to the nearest whole number (a half to the even one), at least 1."""
    return max(1, round(depth * factors.depth))


_SCALED = {"width": scaled_width, "depth": scaled_depth}


def _stage(stage: StageSpec, factors: Scale, blocks: Mapping[Block, Composite]) -> StageSpec:
    return replace(stage, layers=tuple([_layer(layer, factors, blocks) for layer in stage.layers]))


def _layer(layer: LayerSpec, factors: Scale, blocks: Mapping[Block, Composite]) -> LayerSpec:
    sizes = layer.block.sizes
    return replace(
        layer,
        block=blocks.get(layer.block, layer.block),
        arguments=_arguments(layer.arguments, sizes, factors),
        first=_arguments(layer.first, sizes, factors),
        repeats=scaled_depth(layer.repeats, factors) if isinstance(layer.repeats, int) else layer.repeats,
    )


def _arguments(arguments: Mapping[str, Any], sizes: Mapping[str, str], factors: Scale) -> dict[str, Any]:
    """A number is scaled; a `$name` is not: what it stands for is, where that is written."""
    return {
        name: _SCALED[sizes[name]](value, factors) if name in sizes and isinstance(value, int) else value
        for name, value in arguments.items()
    }
