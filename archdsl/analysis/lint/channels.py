"""Whether the channels of the outputs suit a neck."""

from __future__ import annotations

from collections.abc import Iterator

from archdsl.analysis.lint.design import Design, Finding
from archdsl.analysis.lint.scaling import MULTIPLE, ROUNDED, commas
from archdsl.frontend.sections import STAGES
from archdsl.frontend.sema.schema import StageSchema

LATERAL_WIDTH = 256
"""Channels of every level in Feature Pyramid Networks (Lin et al. 2017, section 3)."""


def neck(design: Design) -> Iterator[Finding]:
    """Are the outputs' channels multiples of 8, or equal, as the neck wants them?"""
    channels = [node.channels for node in design.outputs.values()]
    if not channels:
        yield Finding("ok", "no stage is an output, which a neck could take")
        return
    equal = design.question.neck == "equal"
    fact = (
        f"{'equal' if equal else f'multiples of {MULTIPLE}'}: {design.levels(design.outputs)} have {commas(channels)}"
    )
    if len(set(channels)) <= 1 if equal else not any(count % MULTIPLE for count in channels):
        yield Finding("ok", f"the outputs' channels are {fact}")
        return
    mark, path = design.place(("outputs",), (STAGES.name,))
    change = laterals(design) if equal else (design.assign(("scale", "divisor"), MULTIPLE),)
    advice = "1 × 1 convolutions beside the backbone, as in Feature Pyramid Networks" if equal else ROUNDED
    yield Finding("change", f"the outputs' channels are not {fact}", mark, path, change, advice)


def laterals(design: Design) -> tuple[str, ...]:
    """Overrides that add a 1 × 1 convolution to every output, and make outputs of these instead."""
    own = {"width", "body"}
    filled = [key for key in StageSchema.model_fields if key not in own and design.value((STAGES.defaults, key))]
    stage = {"width": LATERAL_WIDTH, **{key: 1 if key in ("stride", "depth") else None for key in filled}}
    names = {name: f"{name}_lateral" for name in design.outputs}
    added = [
        design.assign((STAGES.name, lateral), {**stage, "body": {"block": "conv_bn_act", "from": name}})
        for name, lateral in names.items()
    ]
    return (*added, design.assign(("outputs",), list(names.values())))
