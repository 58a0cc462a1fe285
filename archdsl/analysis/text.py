"""Shapes, fields and counts as texts."""

from __future__ import annotations


def shape_text(shape: tuple[int | None, ...]) -> str:
    """`80 × 80 × 128`; an unknown side is a question mark."""
    return " × ".join("?" if side is None else str(side) for side in shape)


def field_text(pixels: int | None) -> str:
    """A receptive field, as in OutputInfo."""
    return "the whole image" if pixels is None else f"{pixels} px"


def count_text(count: int | None) -> str:
    """A count with three figures: 5.09 M, 6.22 G."""
    if count is None:
        return "?"
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if count >= size:
            return f"{count / size:#.3g}".rstrip(".") + f" {unit}"
    return str(count)
