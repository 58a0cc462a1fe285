"""Layers of Keras that change the sides of a map, as blocks."""

from __future__ import annotations

from typing import Any

from archdsl.models.keras_blocks.entries import Entry, Said, Shapes, Unsayable, entry, only, scalar_or_pair


def pool(block: str) -> Said:
    def said(layer: Any, shapes: Shapes) -> list[Entry]:
        only(layer, data_format="channels_last")
        sides = {"kernel": scalar_or_pair(layer.pool_size), "stride": scalar_or_pair(layer.strides)}
        return [entry(block, {"padding": "same"}, **sides, padding=layer.padding)]

    return said


def global_pool(block: str) -> Said:
    def said(layer: Any, shapes: Shapes) -> list[Entry]:
        only(layer, data_format="channels_last")
        return [entry(block, {"keep_sides": False}, keep_sides=bool(layer.keepdims))]

    return said


def border(block: str, argument: str) -> Said:
    def said(layer: Any, shapes: Shapes) -> list[Entry]:
        only(layer, data_format="channels_last")
        return [{"block": block, "padding": [[int(pixels) for pixels in side] for side in getattr(layer, argument)]}]

    return said


def upsample(layer: Any, shapes: Shapes) -> list[Entry]:
    only(layer, data_format="channels_last")
    return [{"block": "upsample", "factor": scalar_or_pair(layer.size), "interpolation": _interpolation(layer)}]


def resize(layer: Any, shapes: Shapes) -> list[Entry]:
    only(layer, data_format="channels_last", crop_to_aspect_ratio=False, pad_to_aspect_ratio=False, antialias=False)
    sides = {"height": layer.height, "image_width": layer.width}
    return [{"block": "resize", **sides, "interpolation": _interpolation(layer)}]


def _interpolation(layer: Any) -> str:
    if layer.interpolation not in ("nearest", "bilinear"):
        raise Unsayable(f"has interpolation={layer.interpolation!r}; the language has 'nearest' and 'bilinear'")
    return str(layer.interpolation)


def reshape(layer: Any, shapes: Shapes) -> list[Entry]:
    """A vector from a map, tokens from a map, or the same again."""
    before, after = shapes[0], shapes[-1]
    if before == after:
        return []
    if len(after) == 2 and None not in after[1:]:
        return [{"block": "flatten"}]
    if len(before) == 4 and len(after) == 3 and before[-1] == after[-1]:
        return [{"block": "to_tokens"}]
    raise Unsayable(f"reshapes {before[1:]} to {after[1:]}")
