"""Whether the blocks that a detector's backbone has in one place only stand there."""

from __future__ import annotations

from collections.abc import Iterator

from archdsl.analysis.lint.design import Design, Finding, fused
from archdsl.analysis.report import receptive_fields, report, whole_pixels
from archdsl.analysis.text import count_text, field_text
from archdsl.frontend.sections import STAGES
from archdsl.frontend.source import dotted
from archdsl.ir.ops import Concat, Conv2D, MaxPool
from archdsl.ir.types import FeatureMap


def pyramid_pooling(design: Design) -> Iterator[Finding]:
    """Is spatial pyramid pooling (SPP, SPPF), which widens what a pixel sees, at the top?"""
    top, level = design.top, design.levels([design.top])
    if not isinstance(design.ends[top].type, FeatureMap):
        yield Finding("ok", f"{level} is not a map, which spatial pyramid pooling would take")
        return
    field = field_text(whole_pixels(receptive_fields(design.graph)[design.ends[top]]))
    sees = f"one pixel of {level} sees {field}, along a side"
    found = {path: design.ends[stage].type.stride for stage, path in pyramids(design)}
    at_top = [path for path, stride in found.items() if stride == design.ends[top].type.stride]
    if at_top:
        yield Finding("ok", f"spatial pyramid pooling is at the top, {at_top[0]}; {sees}")
    elif found:
        old = tuple(next(iter(found)).split("."))
        mark, path = design.place(old)
        moved = design.assign((STAGES.name, top, *old[2:]), design.value(old))
        message = f"spatial pyramid pooling is not at the top, {level}; {sees}"
        yield Finding("change", message, mark, path, (f"~{dotted(old)}", moved), f"it belongs in stage {top}")
    else:
        mark, path = design.place((STAGES.name, top))
        change = (design.assign((STAGES.name, top, "post", "sppf"), {"block": "sppf"}),)
        yield Finding("note", f"there is no spatial pyramid pooling; {sees}", mark, path, change)


def pyramids(design: Design) -> list[tuple[str, str]]:
    """Stage and key path of every layer of a stage that concatenates poolings of stride 1."""
    joined = {source for node in design.graph.nodes if isinstance(node.op, Concat) for source in node.inputs}
    pools = [node for node in joined if isinstance(node.op, MaxPool) and node.op.stride == 1]
    return sorted({(stage, node.origin.path) for node in pools if (stage := design.stage_of(node))})


def unfused_branches(design: Design) -> Iterator[Finding]:
    """Are there re-parameterised branches, which only training needs?"""
    deployed = fused(design.graph)
    kept = {node.name for node in deployed.nodes}
    lost = [node for node in design.graph.nodes if isinstance(node.op, Conv2D) and node.name not in kept]
    if not lost:
        yield Finding("ok", "there are no re-parameterised branches to fuse")
        return
    before, after = report(design.graph), report(deployed)
    saved = [f"{count_text(before.params - after.params)} of {count_text(before.params)} parameters"]
    if before.macs is not None and after.macs is not None:
        saved.append(f"{count_text(before.macs - after.macs)} of {count_text(before.macs)} MACs")
    saved.append(f"{len(before.nodes) - len(after.nodes)} of {len(before.nodes)} operations")
    mark, path = design.place(tuple(lost[0].origin.path.split(".")))
    message = f"{len(lost)} re-parameterised branches serve training only; fusing saves {', '.join(saved)}"
    advice = "train it as it is, and deploy what `archdsl build --fuse` makes of it"
    yield Finding("note", message, mark, path, ("--fuse",), advice)
