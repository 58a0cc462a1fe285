"""The layers of a network in the sections of a config: a stage for each stride."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from archdsl.ir.graph import Graph
from archdsl.ir.types import FeatureMap

Sections: TypeAlias = dict[str, list[str]]
"""The layers of each section or stage by name, in the order that they run; stages have names such as p3."""
STEM, HEAD = "stem", "head"


def by_stride(names: Sequence[str], strides: Mapping[str, float]) -> Sections:
    """A stage begins where the map gets smaller than any before it; what follows the last smallest map is the head.

    Empty for layers whose strides are not powers of two, or do not rise from stage to stage.
    """
    largest = max(strides.values(), default=0)
    end = max((place for place, name in enumerate(names) if strides.get(name) == largest), default=-1) + 1
    sections: Sections = {STEM: []}
    section, reached = STEM, 1.0
    for name in names[:end]:
        if strides.get(name, 0) > reached:
            reached = strides[name]
            section = f"p{int(reached).bit_length() - 1}"
        sections.setdefault(section, []).append(name)
    ends = [strides.get(layers[-1]) for stage, layers in sections.items() if stage != STEM]
    if not ends or ends != [1 << int(stage[1:]) for stage in sections if stage != STEM]:
        return {}
    sections[HEAD] = list(names[end:])
    return {section: layers for section, layers in sections.items() if layers}


def strides_of(graph: Graph) -> dict[str, float]:
    """The stride of the map that each layer gives, by the last part of its place in the config."""
    return {
        node.origin.path.rpartition(".")[2]: node.type.stride
        for node in graph.nodes
        if isinstance(node.type, FeatureMap) and node.type.stride_across is None and node.inputs
    }
