"""What a graph costs: parameters, multiply-accumulates, output maps; as data and as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from math import ceil, isfinite
from typing import Any, NamedTuple

from archdsl.analysis.memory import Memory, Occupied, in_inference, memory
from archdsl.analysis.text import Table, bytes_text, count_text, field_text, shape_text
from archdsl.ir.graph import Graph
from archdsl.ir.layout import laid_out
from archdsl.ir.node import Node
from archdsl.ir.types import both
from archdsl.lazy import method_of

ImageShape = tuple[int | None, int | None, int]
Shape = tuple[int | None, ...]
_MOST_HOLDERS = 2  # of the peak of memory that are named


class OutputInfo(NamedTuple):
    """One output: its shape, and how many pixels of the image lie between two of it; 1 for a vector.

    `receptive_field` is how many pixels of the image, along one side, can change one of the map; None for all.
    """

    shape: Shape
    stride: int
    channels: int
    receptive_field: int | None


class NodeInfo(NamedTuple):
    """One operation. `macs` is None while height or width is unknown; `layer` is its place in the config."""

    name: str
    op: str
    inputs: tuple[str, ...]
    shape: Shape
    params: int
    trainable_params: int
    macs: int | None
    layer: str
    block: str
    stride: float
    levels: tuple[str, ...]


class LayerInfo(NamedTuple):
    """One entry of the config: all operations of its block together. `levels` are the outputs that it gives."""

    path: str
    block: str
    shape: Shape
    stride: float
    params: int
    macs: int | None
    levels: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Report:
    """Costs of a network for one image of `input_shape`, in the order its operations run.

    `params` counts every array, `trainable_params` those that training changes (not the statistics of batch
    norms, and not what the config freezes). `macs` are the multiply-accumulates of convolutions, dense layers and
    attention, `flops` twice that; None for an unknown image size.

    Totals come from the outline; operations, and memory, from the graph that is laid out when they are asked for.
    """

    outline: Graph

    _repr_svg_ = method_of("archdsl.tools.pictures.diagram", "svg_of")
    _repr_html_ = method_of("archdsl.tools.pictures.notebook", "html_of")

    def __eq__(self, other: object) -> bool:
        """Whether all figures are the same."""
        return isinstance(other, Report) and self.to_dict() == other.to_dict()

    @cached_property
    def graph(self) -> Graph:
        """Every operation as a node."""
        return laid_out(self.outline)

    @cached_property
    def fused(self) -> Graph:
        """The same as runtimes get it: batch norms and branches folded away."""
        from archdsl.ir.passes import run_passes  # what only prints costs does not need it

        return run_passes(self.graph)[0]

    @property
    def name(self) -> str:
        return self.outline.name

    @property
    def input_shape(self) -> ImageShape:
        return self.outline.image.shape

    @cached_property
    def outputs(self) -> Mapping[str, OutputInfo]:
        """The outputs, by name."""
        fields = receptive_fields(self.graph)
        return {name: _output(node, fields) for name, node in self.graph.outputs.items()}

    @cached_property
    def nodes(self) -> tuple[NodeInfo, ...]:
        """Every operation."""
        ends: dict[str, tuple[str, ...]] = {}
        for name, node in self.graph.outputs.items():
            ends[node.name] = (*ends.get(node.name, ()), name)
        return tuple([_node(node, ends.get(node.name, ()), self.graph.is_frozen(node)) for node in self.graph.nodes])

    @cached_property
    def params(self) -> int:
        return self.outline.cost.params

    @cached_property
    def trainable_params(self) -> int:
        return sum([node.trained for node in self.outline.nodes if not self.outline.is_frozen(node)])

    @cached_property
    def macs(self) -> int | None:
        return self.outline.cost.macs

    @property
    def flops(self) -> int | None:
        return None if self.macs is None else 2 * self.macs

    def memory(self, batch: int = 1) -> Memory | None:
        """Bytes that a batch takes at least; None for an unknown image size."""
        return None if self._occupied is None else memory(self.graph, self._occupied, batch)

    @property
    def activation_memory(self) -> int | None:
        """Bytes that the values between operations take at least, in inference, for one image."""
        return None if self._occupied is None else self._occupied.peak

    @cached_property
    def _occupied(self) -> Occupied | None:
        return in_inference(self.graph)

    @property
    def layers(self) -> list[LayerInfo]:
        """Costs by entry of the config."""
        return [_layer(list(nodes)) for _, nodes in groupby(self.nodes, key=lambda node: node.layer)]

    def to_dict(self, batch: int = 1) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        taken = self.memory(batch)
        return {
            "name": self.name,
            "params": self.params,
            "trainable_params": self.trainable_params,
            "macs": self.macs,
            "flops": self.flops,
            "input_shape": list(self.input_shape),
            "memory": None if taken is None else taken.to_dict(),
            "outputs": {level: {**info._asdict(), "shape": list(info.shape)} for level, info in self.outputs.items()},
            "nodes": [
                {
                    "name": node.name,
                    "op": node.op,
                    "inputs": list(node.inputs),
                    "shape": list(node.shape),
                    "params": node.params,
                    "macs": node.macs,
                }
                for node in self.nodes
            ],
        }

    def to_table(self, batch: int = 1) -> str:
        """The tables that `archdsl show` prints, as text."""
        tables = [self.name, *self.table().lines(), "", *self.outputs_table().lines(), self.totals(batch)]
        return "\n".join([*tables, ""])

    def table(self) -> Table:
        """Layers with their output, parameters and MACs."""
        rows = [
            (
                _short(layer.path),
                layer.block,
                shape_text(layer.shape),
                f"{layer.stride:g}",
                f"{layer.params:,}" if layer.params else "",
                count_text(layer.macs) if layer.macs != 0 else "",
            )
            for layer in self.layers
        ]
        numbers = ("output", "stride", "params", "MACs")
        return Table(("layer", "block", *numbers), rows, numbers)

    def outputs_table(self) -> Table:
        """The outputs: the layer and the size of each, and how much of the image it sees."""
        rows = [
            (
                level,
                _short(self.outline.outputs[level].origin.path),
                shape_text(info.shape[:2]),
                str(info.stride),
                str(info.channels),
                field_text(info.receptive_field),
            )
            for level, info in self.outputs.items()
        ]
        numbers = ("size", "stride", "channels", "receptive field")
        return Table(("output", "layer", *numbers), rows, numbers)

    def totals(self, batch: int = 1) -> str:
        """Parameters, and multiply-accumulates at the image size, a line each; where that is known, three of memory."""
        cost = f"{count_text(self.macs)} MACs, {count_text(self.flops)} FLOPs"
        if self.macs is None:
            cost = "any size" if None in self.input_shape else "an unknown number of MACs"
        return (
            f"\n{self.params:,} parameters, {self.trainable_params:,} of them trainable\n"
            f"{cost} for an image of {shape_text(self.input_shape)}{self._memory_text(batch)}"
        )

    def _memory_text(self, batch: int) -> str:
        if (taken := self.memory(batch)) is None:
            return ""
        held = [f"{_short(path)} ({bytes_text(size)})" for path, size in taken.held.items()][:_MOST_HOLDERS]
        more = f", {len(taken.held) - len(held)} more" if len(taken.held) > len(held) else ""
        return (
            f"\nmemory, batch {batch}: at least {bytes_text(taken.inference)}, while {_short(taken.layer)} runs\n"
            f"held by {', '.join(held)}{more}\n"
            f"training: at least {bytes_text(taken.training)}, "
            f"and {bytes_text(taken.to_train)} for weights, gradients and Adam"
        )


def report(graph: Graph) -> Report:
    """Costs of every node of `graph`, which may be an outline, worked out as they are asked for."""
    return Report(graph)


def total_macs(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _short(path: str) -> str:
    """The place of a layer in the config, as tables have it."""
    return path.removeprefix("stages.")


def _output(node: Node, fields: Mapping[Node, float]) -> OutputInfo:
    stride = node.type.stride
    return OutputInfo(
        node.type.shape,
        int(stride) if stride == int(stride) else stride,  # type: ignore[arg-type]
        node.channels,
        whole_pixels(fields[node]),
    )


def whole_pixels(field: float) -> int | None:
    """A receptive field as in OutputInfo."""
    return ceil(field) if isfinite(field) else None


def _node(node: Node, levels: tuple[str, ...], frozen: bool) -> NodeInfo:
    return NodeInfo(
        name=node.name,
        op=node.op.kind,
        inputs=tuple([source.name for source in node.inputs]),
        shape=node.type.shape,
        params=node.params,
        trainable_params=0 if frozen else node.trained,
        macs=node.macs,
        layer=node.origin.path,
        block=node.origin.block,
        stride=node.type.stride,
        levels=levels,
    )


def _layer(nodes: list[NodeInfo]) -> LayerInfo:
    last = nodes[-1]
    return LayerInfo(
        path=last.layer,
        block=last.block or last.op,
        shape=last.shape,
        stride=last.stride,
        params=sum(node.params for node in nodes),
        macs=total_macs([node.macs for node in nodes]),
        levels=tuple(level for node in nodes for level in node.levels),
    )


def receptive_fields(graph: Graph) -> dict[Node, float]:
    """Pixels of the image, along one side, that one pixel of each node's map can be made of; infinite for all of it.

    Each window adds its reach beyond one pixel, times the stride of the map it slides over; of several paths the
    widest counts, as all of them are centred on the same pixel. Padding counts as image.
    """
    down, across = [_fields_along(graph, side) for side in (0, 1)]
    return {node: max(down[node], across[node]) for node in graph.nodes}


def _fields_along(graph: Graph, side: int) -> dict[Node, float]:
    fields: dict[Node, float] = {}
    for node in graph.nodes:
        beyond = both(node.op.reach)[side] - 1
        fields[node] = max([fields[source] + beyond * source.type.strides[side] for source in node.inputs], default=1)
    return fields
