"""A row of the results as a config of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from archdsl.analysis.report import Report
from archdsl.diagnostics.problems import Mark, fail
from archdsl.diagnostics.unicode import printable
from archdsl.frontend.yaml.writing import yaml_document
from archdsl.ir.graph import Graph
from archdsl.tools.search.figures import ALWAYS, value_of

if TYPE_CHECKING:
    from archdsl.frontend.compose.config import Config
    from archdsl.tools.search.parts import Results
    from archdsl.tools.search.trials import Trials


def check_costs(row: Mapping[str, Any], found: Graph, mark: Mark) -> None:
    """Raise ArchError where the network of a row has other costs than the row: its config has changed since."""
    report = Report(found)
    for name in ALWAYS:
        cost = value_of(name, report)
        if row.get(name) != cost:
            message = f"the row has {name} {row.get(name)}, and its network now has {cost}"
            raise fail("value", message, mark=mark, hint="the config was changed since: search again, in a new folder")


def text_of(results: Results | Trials, number: int, row: Mapping[str, Any], config: Config | None = None) -> str:
    """The whole config of a row, on its own, under a comment with its choices and costs; `config` where it is known."""
    overrides = results.choices(row)
    loaded = config or results.space.base(overrides)
    text = yaml_document(loaded.resolved)
    costs = ", ".join([f"{name} {value:,}" for name, value in [*row.items()][len(overrides) :]])
    told = [f"row {number} of {results.folder}: {' '.join(overrides)}", costs]
    return "".join([f"# {printable(line)}\n" for line in told]) + text
