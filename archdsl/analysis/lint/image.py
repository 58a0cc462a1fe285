"""What the image asks of the strides: its size, and that of the objects in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import ceil

from archdsl.analysis.lint.design import Design, Finding
from archdsl.analysis.lint.stages import with_outputs
from archdsl.frontend.compose.config import ASKED_FOR
from archdsl.frontend.sections import STAGES

CELLS = 2
"""Pixels of the finest map that an object must cover along one side.

Two for each thing to be told apart is what sampling needs (Shannon 1949). Detectors of small faces keep more: S3FD
(Zhang et al. 2017, section 3.1) gives faces of 4 s pixels to the map of stride s.
"""


def input_size(design: Design) -> Iterator[Finding]:
    """Does the largest stride divide the sides of the image?"""
    stride = ceil(design.ends[design.top].type.stride)
    shape = design.graph.image.shape
    sides = [side for side in shape[:2] if side is not None]
    if not sides:
        yield Finding("ok", f"the image may have any size; multiples of {stride} leave no rest")
    elif all(side % stride == 0 for side in sides):
        yield Finding("ok", f"the largest stride, {stride}, divides {size_text(sides)}")
    else:
        relation = "is smaller than" if min(sides) < stride else "is no multiple of"
        message = f"{size_text(sides)} {relation} the stride of {design.levels([design.top])}, {stride}"
        mark, path = design.place(("input", "shape"))
        fitting = [None if side is None else ceil(side / stride) * stride for side in shape[:2]]
        in_config = design.assign(("input", "shape"), [*fitting, shape[2]])
        change = ("--size", size_text(fitting)) if mark == ASKED_FOR else (in_config,)
        advice = "else two levels do not differ by exactly their strides, and a neck cannot join them"
        yield Finding("change", message, mark, path, change, advice)


def size_text(sides: Iterable[int | None]) -> str:
    """`480x640`, as --size takes it."""
    return "x".join(map(str, sides))


def tiny_objects(design: Design) -> Iterator[Finding]:
    """Is the finest output fine enough for the smallest object?"""
    pixels = design.question.min_object
    if pixels is None or not design.outputs:
        return
    strides = {name: node.type.stride for name, node in design.ends.items()}
    finest = min(design.outputs, key=strides.__getitem__)
    cells = f"{pixels / strides[finest]:.3g} px of {design.levels([finest])}, the finest output"
    fact = f"an object of {pixels} px covers {cells}, along a side"
    if pixels >= CELLS * strides[finest]:
        yield Finding("ok", f"{fact}; {CELLS} are enough")
        return
    mark, path = design.place(("outputs",), (STAGES.name,))
    advice = "finer stages can be outputs too, objects grow with the image, and a large image can be cut into tiles"
    yield Finding("change", f"{fact}; expected at least {CELLS}", mark, path, finer(design, pixels, strides), advice)


def finer(design: Design, pixels: int, strides: dict[str, float]) -> tuple[str, ...]:
    """The coarsest stage that is fine enough as an output; or the finest there is, and a larger image."""
    fitting = [name for name, stride in strides.items() if CELLS * stride <= pixels]
    chosen = max(fitting, key=strides.__getitem__) if fitting else min(strides, key=strides.__getitem__)
    outputs = () if chosen in design.outputs else (with_outputs(design, [chosen]),)
    sides = [side for side in design.graph.input.type.shape[:2] if side is not None]
    if fitting or not sides:
        return outputs
    factor = ceil(CELLS * strides[chosen] / pixels)
    return (*outputs, "--size", size_text([factor * side for side in sides]), "--min-object", str(factor * pixels))
