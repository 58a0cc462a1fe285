"""How much of the image one pixel of a map is made of.

Araujo, Norris and Sim 2019, Computing Receptive Fields of Convolutional Neural Networks,
https://distill.pub/2019/computing-receptive-fields.
"""

from __future__ import annotations

from archdsl.ir import Graph, Node


def receptive_fields(graph: Graph) -> dict[Node, float]:
    """Pixels of the image, along one side, that one pixel of each node's map can be made of; infinite for all of it.

    Each window adds its reach beyond one pixel, times the stride of the map it slides over; of several paths the
    widest counts, as all of them are centred on the same pixel. Padding counts as image.
    """
    fields: dict[Node, float] = {}
    for node in graph.nodes:
        beyond = node.op.reach - 1
        fields[node] = max([fields[source] + beyond * source.type.stride for source in node.inputs], default=1)
    return fields
