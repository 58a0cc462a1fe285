"""Whether the channels of the outputs suit a neck."""

from __future__ import annotations

from collections.abc import Iterator

from archdsl.analysis.lint.design import Design, Finding
from archdsl.analysis.lint.scaling import MULTIPLE, ROUNDED, commas

LATERAL_WIDTH = 256
"""Channels of every level in Feature Pyramid Networks (Lin et al. 2017, section 3)."""


def neck(design: Design) -> Iterator[Finding]:
    """Are the outputs' channels multiples of 8, or equal, as the neck wants them?"""
    channels = [node.channels for node in design.outputs.values()]
    equal = design.question.neck == "equal"
    fact = (
        f"{'equal' if equal else f'multiples of {MULTIPLE}'}: {design.levels(design.outputs)} have {commas(channels)}"
    )
    if len(set(channels)) <= 1 if equal else not any(count % MULTIPLE for count in channels):
        yield Finding("ok", f"the outputs' channels are {fact}")
        return
    mark, path = design.place(("outputs",), ("stages",))
    change = laterals(design) if equal else (design.assign(("scale", "divisor"), MULTIPLE),)
    advice = "1 × 1 convolutions beside the backbone, as in Feature Pyramid Networks" if equal else ROUNDED
    yield Finding("change", f"the outputs' channels are not {fact}", mark, path, change, advice)


def laterals(design: Design) -> tuple[str, ...]:
    """Overrides that add a 1 × 1 convolution to every output, and make outputs of these instead."""
    emptied = [key for key in ("down", "pre", "first", "post", "dilation") if design.value(("stage_defaults", key))]
    plain = {key: 1 for key in ("stride", "depth") if design.value(("stage_defaults", key))}
    stage = {"width": LATERAL_WIDTH, **dict.fromkeys(emptied), **plain}
    names = {name: f"{name}_lateral" for name in design.outputs}
    added = [
        design.assign(("stages", lateral), {**stage, "body": {"block": "conv_bn_act", "from": name}})
        for name, lateral in names.items()
    ]
    return (*added, design.assign(("outputs",), list(names.values())))
