"""A row of the results as a config of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from archdsl.diagnostics.unicode import printable
from archdsl.frontend.yaml.writing import yaml_document

if TYPE_CHECKING:
    from archdsl.frontend.compose.config import Config
    from archdsl.tools.search.parts import Results
    from archdsl.tools.search.trials import Trials


def text_of(results: Results | Trials, number: int, row: Mapping[str, Any], config: Config | None = None) -> str:
    """The whole config of a row, on its own, under a comment with its choices and costs; `config` where it is known."""
    overrides = results.choices(row)
    loaded = config or results.space.base(overrides)
    text = yaml_document(loaded.resolved)
    costs = ", ".join([f"{name} {value:,}" for name, value in [*row.items()][len(overrides) :]])
    told = [f"row {number} of {results.folder}: {' '.join(overrides)}", costs]
    return "".join([f"# {printable(line)}\n" for line in told]) + text
