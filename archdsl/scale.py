"""Width and depth multipliers, applied once, to every `width` and `depth` of a config and to nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from archdsl.errors import Note, fail
from archdsl.loader import Config
from archdsl.source import KeyPath, dotted
from archdsl.spec import BackboneSpec, LayerSpec, Scale, StageSpec

MAX_WIDTH = 65_536
MAX_DEPTH = 1_000


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
    return scaled


def _check_range(layer: LayerSpec, config: Config) -> None:
    limits = {"width": MAX_WIDTH, "depth": MAX_DEPTH}
    for key, value in {"depth": layer.repeats or 1, **layer.arguments}.items():
        if key in limits and value > limits[key]:
            mark = config.place(("scale", key)).value
            message = f"{dotted(layer.path)} gets {key} {value}; expected at most {limits[key]}"
            said = next((path for path in _paths_of(layer, key) if path in config.places), layer.path)
            before = config.place(said).value
            notes = [Note(before, f"its {key} before scaling stands at")] if before.line else []
            raise fail("range", message, mark=mark, path=f"scale.{key}", hint=f"lower scale.{key}", notes=notes)


def _paths_of(layer: LayerSpec, key: str) -> list[KeyPath]:
    """Where a width or depth may be said: by the layer or its stage, or for them by stage_defaults."""
    own = [(*layer.path, key), (*layer.path[:2], key)]
    return own + [("stage_defaults", *path[2:]) for path in own if path[0] == "stages"]


def _scaled(spec: BackboneSpec, factors: Scale) -> BackboneSpec:
    return replace(
        spec,
        scale=Scale(),
        stem=_stage(spec.stem, factors),
        stages=tuple([_stage(stage, factors) for stage in spec.stages]),
        tail=_stage(spec.tail, factors),
    )


def scaled_width(width: int, factors: Scale) -> int:
    """min(width, max_width) × factor, to the nearest multiple of the divisor, at least one divisor."""
    capped = width if factors.max_width is None else min(width, factors.max_width)
    return max(1, round(capped * factors.width / factors.divisor)) * factors.divisor


def scaled_depth(depth: int, factors: Scale) -> int:
    """depth × factor, rounded to the nearest whole number (a half to the even one), at least 1."""
    return max(1, round(depth * factors.depth))


def _stage(stage: StageSpec, factors: Scale) -> StageSpec:
    return replace(stage, layers=tuple([_layer(layer, factors) for layer in stage.layers]))


def _layer(layer: LayerSpec, factors: Scale) -> LayerSpec:
    return replace(
        layer,
        arguments=_arguments(layer.arguments, factors),
        first=_arguments(layer.first, factors),
        repeats=None if layer.repeats is None else scaled_depth(layer.repeats, factors),
    )


def _arguments(arguments: Mapping[str, Any], factors: Scale) -> dict[str, Any]:
    scaled = dict(arguments)
    if "width" in scaled:
        scaled["width"] = scaled_width(scaled["width"], factors)
    if "depth" in scaled:
        scaled["depth"] = scaled_depth(scaled["depth"], factors)
    return scaled
