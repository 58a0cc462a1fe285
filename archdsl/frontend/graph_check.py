"""What is wrong with a graph as a whole: a stride that is not that of the level, layers that nothing reads."""

from __future__ import annotations

from collections.abc import Set

from archdsl.diagnostics.problems import Problem, problem
from archdsl.frontend.sema.spec import NetworkSpec
from archdsl.ir.graph import Graph
from archdsl.ir.node import Node
from archdsl.ir.types import stride_text


def stride_problems(graph: Graph, spec: NetworkSpec, guesses: Set[Node]) -> list[Problem]:
    """A stage named pN must have stride 2^N. Later stages are reported only for errors of their own."""
    doubtful = graph.following(guesses)
    problems = []
    error_before = 1.0
    for stage in spec.stages:
        end = graph.levels[stage.level]
        if stage.number is None or end in doubtful:
            continue
        expected = 2**stage.number
        stride = max(end.type.strides, key=lambda each: abs(each - expected))
        error, error_before = (stride / expected) / error_before, stride / expected
        if error != 1 and stride != expected:
            message = (
                f"its total stride is {stride_text(end.type)}, but a stage named {stage.name} has stride {expected}"
            )
            hint = "give it another stride, or a name that does not promise a level"
            problems.append(problem("stride", message, mark=stage.at.key, path=str(stage.at), hint=hint))
    return problems


def unread(graph: Graph, spec: NetworkSpec) -> list[Problem]:
    """Every layer leads to a level or to the output: what nothing reads would be counted, but never run."""
    needed = graph.needed_by(graph.ends)
    idle = {node.origin.path for node in graph.nodes if node not in needed and node is not graph.input}
    read = {
        source.origin.path for node in graph.nodes for source in node.inputs if source.origin.path != node.origin.path
    }
    levels = {full for part in spec.parts for _, full in part.levels}
    problems = []
    for path in idle - read - {node.origin.path for node in needed}:
        hint = f"name it in `outputs:` or in a `from:`, or take it out: ~{path}"
        if path.replace(".", "_") in levels:
            hint = f"`each: {path.partition('.')[0]}` in a head reads all levels; {hint}"
        problems.append(problem("unused", "nothing reads this layer", mark=spec.entry(path).key, path=path, hint=hint))
    return problems
