"""What a graph costs against a budget, told before anything is built."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

from archdsl.diagnostics.problems import ArchError, Problem, problem
from archdsl.frontend.budget import Budget, allow_more
from archdsl.frontend.sema.spec import NetworkSpec
from archdsl.ir.graph import Graph, Node


class Cost(NamedTuple):
    """What a budget limits: in words, how to lower it, and how much of it a node has."""

    unit: str
    cure: str
    amount: Callable[[Node], int]


def params(node: Node) -> int:
    """Elements of all its arrays."""
    return node.params


def macs(node: Node) -> int:
    """Multiply-accumulates for one image; 0 while its size is unknown."""
    return node.macs or 0


def activation_bytes(node: Node) -> int:
    """Size of its result for one image, in float32; 0 while the size of the image is unknown."""
    height, image_width, channels = node.type.shape
    return 4 * height * image_width * channels if height and image_width else 0


COSTS = {
    "params": Cost("parameters", "lower its width, or scale.width", params),
    "macs": Cost("multiply-accumulates for one image", "take a smaller image, or lower its width", macs),
    "activation_bytes": Cost("bytes of feature maps", "take a smaller image, or lower its width", activation_bytes),
}


def check_costs(graph: Graph, spec: NetworkSpec, budget: Budget) -> None:
    """Raises ArchError for every cost beyond the budget, at the entry of the config with the largest share."""
    problems = []
    for name, cost in COSTS.items():
        if sum(map(cost.amount, graph.nodes)) > getattr(budget, name):
            amounts: Counter[str] = Counter()
            for node in graph.nodes:
                amounts[node.origin.path] += cost.amount(node)
            problems.append(over_budget(name, amounts, spec, budget))
    if problems:
        raise ArchError(problems)


def over_budget(name: str, amounts: Mapping[str, int], spec: NetworkSpec, budget: Budget) -> Problem:
    """The problem of a cost that is too high. `amounts` says what each entry of the config, by key path, has of it."""
    total, most = sum(amounts.values()), max(amounts, key=amounts.__getitem__)
    cost, limit = COSTS[name], getattr(budget, name)
    message = f"{total:,} {cost.unit}, {amounts[most]:,} of them here; expected at most {limit:,.0f} in all"
    hint = f"{cost.cure}; {allow_more(name, total)}"
    return problem("budget", message, mark=spec.entry(most).value, path=most, hint=hint)
