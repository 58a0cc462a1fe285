"""Padding as a part of the convolution behind it, which Keras has no words for where a stride is larger than one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnx import ModelProto, NodeProto, helper, numpy_helper

_AROUND = 4  # numbers before the sides of a map, and behind them: of image and channel


def join_padding(model: ModelProto) -> None:
    """Give convolutions the zeros that a node before them adds. Runtimes do so in float32, none does in int8."""
    graph = model.graph
    constants = {each.name: each for each in graph.initializer}
    readers: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    for node in [each for each in graph.node if each.op_type == "Pad"]:
        behind = readers.get(node.output[0], [])
        if _adds_zeros(node, constants) and behind and all(map(_is_explicit, behind)):
            border = numpy_helper.to_array(constants[node.input[1]])
            for conv in behind:
                _widen(conv, node.input[0], [*border[2:4], *border[6:8]])
            graph.node.remove(node)
    used = {name for node in graph.node for name in node.input}
    for each in [each for each in graph.initializer if each.name not in used]:
        graph.initializer.remove(each)


def _adds_zeros(node: NodeProto, constants: Mapping[str, Any]) -> bool:
    value = constants.get(node.input[2]) if len(node.input) == 3 else None
    return value is not None and not numpy_helper.to_array(value).any() and node.input[1] in constants


def _is_explicit(node: NodeProto) -> bool:
    return node.op_type == "Conv" and not any(each.name == "auto_pad" for each in node.attribute)


def _widen(conv: NodeProto, image: str, border: list[int]) -> None:
    old = next((each for each in conv.attribute if each.name == "pads"), None)
    own = list(old.ints) if old else [0] * _AROUND
    if old:
        conv.attribute.remove(old)
    conv.attribute.append(helper.make_attribute("pads", [int(a + b) for a, b in zip(own, border, strict=True)]))
    conv.input[0] = image
