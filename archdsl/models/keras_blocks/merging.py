"""Layers of Keras where several inputs meet, as blocks."""

from __future__ import annotations

from typing import Any

from archdsl.models.keras_blocks.entries import Entry, Said, Shapes, Unsayable, over_channels


def merge(block: str) -> Said:
    def said(layer: Any, shapes: Shapes) -> list[Entry]:
        if len(set(shapes[:-1])) > 1:
            raise Unsayable(f"joins the shapes {', '.join(str(shape[1:]) for shape in shapes[:-1])}")
        return [{"block": block}]

    return said


def average(layer: Any, shapes: Shapes) -> list[Entry]:
    return [*merge("add")(layer, shapes), {"block": "rescale", "scale": 1 / (len(shapes) - 1)}]


def multiply(layer: Any, shapes: Shapes) -> list[Entry]:
    if any(shape != shapes[0] and shape[1:-1] != (1,) * (len(shape) - 2) for shape in shapes[:-1]):
        raise Unsayable(f"joins the shapes {', '.join(str(shape[1:]) for shape in shapes[:-1])}")
    return [{"block": "multiply"}]


def concat(layer: Any, shapes: Shapes) -> list[Entry]:
    over_channels(layer, shapes[0])
    return [{"block": "concat"}]


def same(layer: Any, shapes: Shapes) -> list[Entry]:
    return []
