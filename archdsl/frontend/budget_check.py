"""What a graph costs against a budget, told before anything is built."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

from archdsl.diagnostics.problems import ArchError, Problem, problem
from archdsl.frontend.budget import Budget, allow_more
from archdsl.frontend.sema.spec import NetworkSpec
from archdsl.ir.cost import Cost
from archdsl.ir.graph import Graph


class Limited(NamedTuple):
    """What a budget limits: in words, how to lower it, and how much of it a cost has."""

    unit: str
    cure: str
    amount: Callable[[Cost], int]


LIMITED = {
    "params": Limited("parameters", "lower its width, or scale.width", lambda cost: cost.params),
    "macs": Limited(
        "multiply-accumulates for one image",
        "take a smaller image, or lower its width",
        lambda cost: cost.known_macs,  # an image of unknown size costs nothing yet
    ),
    "activation_bytes": Limited(
        "bytes of feature maps", "take a smaller image, or lower its width", lambda cost: 4 * cost.activations
    ),
}


def check_costs(graph: Graph, spec: NetworkSpec, budget: Budget) -> None:
    """Raises ArchError for every cost beyond the budget, at the entry of the config with the largest share."""
    problems = []
    for name, limited in LIMITED.items():
        if limited.amount(graph.cost) > getattr(budget, name):
            amounts: Counter[str] = Counter()
            for node in graph.nodes:
                amounts[node.origin.path] += limited.amount(node.cost)
            problems.append(over_budget(name, amounts, spec, budget))
    if problems:
        raise ArchError(problems)


def over_budget(name: str, amounts: Mapping[str, int], spec: NetworkSpec, budget: Budget) -> Problem:
    """The problem of a cost that is too high. `amounts` says what each entry of the config, by key path, has of it."""
    total, most = sum(amounts.values()), max(amounts, key=amounts.__getitem__)
    limited, limit = LIMITED[name], getattr(budget, name)
    message = f"{total:,} {limited.unit}, {amounts[most]:,} of them here; expected at most {limit:,.0f} in all"
    hint = f"{limited.cure}; {allow_more(name, total)}"
    return problem("budget", message, mark=spec.entry(most).value, path=most, hint=hint)
