"""Which stages come out, at which strides, and which only cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from archdsl.analysis.lint.design import Design, Finding
from archdsl.analysis.text import count_text
from archdsl.frontend.sections import STAGES


def levels(design: Design) -> Iterator[Finding]:
    """Do the levels that the detector takes come out at their strides, P3, P4 and P5 at 8, 16 and 32?"""
    if not design.is_backbone:  # it has its own
        return
    strides = {name: node.type.stride for name, node in design.ends.items()}
    given = [strides[name] for name in design.outputs]
    outputs = design.levels(design.outputs) or "none"
    asked = {level: stride_of(level) for level in design.question.levels}
    missing = {level: stride for level, stride in asked.items() if stride not in given}
    if not missing:
        yield Finding("ok", f"the outputs {outputs} have the strides {', '.join([f'{stride:g}' for stride in given])}")
        return
    by_stride = {stride: name for name, stride in strides.items()}
    absent = [level for level, stride in missing.items() if stride not in by_stride]
    found = [by_stride.get(stride, level) for level, stride in missing.items()]
    listed = " and ".join([f"{level.upper()} of stride {stride}" for level, stride in missing.items()])
    reason = f"; there is no stage for {' and '.join([level.upper() for level in absent])}" if absent else ""
    mark, path = design.place(("outputs",), (STAGES.name,))
    message = f"{listed} missing among the outputs: {outputs}{reason}"
    change = (*added_stages(design, absent), with_outputs(design, found))
    yield Finding("change", message, mark, path, change, "or say which levels your detector takes with --levels")


def stride_of(level: str) -> int:
    """What a level promises: p3 is 8 times smaller than the image."""
    return 1 << int(level[1:])


def added_stages(design: Design, names: Iterable[str]) -> list[str]:
    """Overrides for stages after the last one, as wide as that, and as deep where stages have bodies by default."""
    last = list(design.ends)[-1]
    keys = ("width", "depth") if design.value((STAGES.defaults, "body")) else ("width",)
    stage = {key: value for key in keys if (value := design.value((STAGES.name, last, key))) is not None}
    if not any(design.value((STAGES.defaults, key)) for key in ("down", "stride")):
        stage["down"] = {"block": "conv_bn_act", "kernel": 3, "stride": 2}
    return [design.assign((STAGES.name, name), stage) for name in names]


def with_outputs(design: Design, added: Iterable[str]) -> str:
    """The override that makes outputs of more stages, ordered by stride."""
    strides = {name: node.type.stride for name, node in design.ends.items()}
    names = {*design.outputs, *added}
    return design.assign(("outputs",), sorted(names, key=lambda name: strides.get(name) or stride_of(name)))


def unused_stages(design: Design) -> Iterator[Finding]:
    """Is there a stage that no output is computed from?"""
    graph = design.graph
    needed = graph.needed_by(graph.outputs.values())
    used = {design.stage_of(node) for node in graph.nodes if node in needed}
    unused = [name for name, end in design.ends.items() if name not in used and end not in needed]
    if not graph.outputs:
        return
    if not unused:
        yield Finding("ok", f"each of the {len(design.ends)} stages serves an output")
        return
    beside = [node for node in graph.nodes if node not in needed]
    with_tail = f" and the {beside[-1].origin.part}" if not design.stage_of(beside[-1]) else ""
    share, whole = (sum(node.params for node in nodes) for nodes in (beside, graph.nodes))
    mark, path = design.place((STAGES.name, unused[0]), ("outputs",))
    message = (
        f"no output is computed from {design.levels(unused)}{with_tail}, which "
        f"{'has' if len(unused) == 1 and not with_tail else 'have'} "
        f"{count_text(share)} of the {count_text(whole)} parameters"
    )
    change = tuple([f"~{STAGES.name}.{name}" for name in unused])
    yield Finding("change", message, mark, path, change, f"or use it: {with_outputs(design, unused)}")
