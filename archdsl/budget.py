"""How large a graph may be: a config that comes from somebody else must not be able to fill the machine."""

from __future__ import annotations

from archdsl.errors import fail
from archdsl.ir import Graph

MAX_LAYERS = 20_000
MAX_PARAMS = 2_000_000_000


def check_layers(count: int) -> None:
    """Raises ArchError for more than MAX_LAYERS operations."""
    if count > MAX_LAYERS:
        message = f"more than {MAX_LAYERS:,} operations; expected a smaller network"
        raise fail("budget", message, path="stages", hint="lower the depths, or scale.depth")


def check_params(graph: Graph) -> None:
    """Raises ArchError for more than MAX_PARAMS parameters, naming the node with the most."""
    sizes = {node.name: sum([weight.size for weight in node.weights]) for node in graph.nodes}
    total = sum(sizes.values())
    if total > MAX_PARAMS:
        largest = max(sizes, key=sizes.__getitem__)
        message = f"{total:,} parameters, the most of them in {largest}; expected at most {MAX_PARAMS:,}"
        raise fail("budget", message, path="stages", hint="lower the widths, or scale.width")
